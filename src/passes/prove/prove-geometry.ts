/** What bounds of a kernel on the infinite lattice say of a convolution as it is used: with stride, dilation, groups, on a torus. */
import type { Diagnostic } from '../../diagnostics.ts';
import { circularFault } from '../../ir/conv-geometry.ts';
import { atomsOf, type NormBound } from '../../ir/formula.ts';
import type { LinearMap, Network, Shape, ValueId } from '../../ir/network.ts';
import { rational } from '../../ir/rational.ts';
import { apply, type Derivation } from '../../proof/rules.ts';

/** Whether a bound of this method is one of the convolution at the image size at hand, with its geometry, and not of its kernel. */
export const isOfSize = ({ kind }: NormBound): boolean => kind === 'operator' || kind === 'circulant';

/** A bound of a kernel on the infinite lattice, for the geometry that the kernel is used in. Circular images are checked by `circularFaults`. */
export const onGeometry = (map: LinearMap, d: Derivation): Derivation => {
  if (map.kind === 'dense') return d;
  const weight = map.weight.path;
  const [[sh, sw], [dh, dw]] = [map.stride, map.dilation];
  let known = d;
  if (map.groups > 1) known = apply('grouped', weight, [known], { groups: rational(map.groups) });
  if ([sh, sw, dh, dw].some(n => n > 1))
    known = apply('polyphase', weight, [known], {
      stride_h: rational(sh),
      stride_w: rational(sw),
      dilation_h: rational(dh),
      dilation_w: rational(dw),
    });
  return map.mode === 'circular' ? apply('torus', weight, [known]) : known;
};

/** Circular paddings that the bounds of a kernel do not cover; the image of a convolution inside a formula is not known here. */
export const circularFaults = (net: Network): readonly Diagnostic[] => {
  const shapes = new Map<ValueId, Shape>([
    [net.input.id, net.input.shape],
    ...net.layers.map(l => [l.id, l.shape] as const),
  ]);
  return net.layers.flatMap(({ op, inputs, shape, path, span }): readonly Diagnostic[] => {
    if (op.kind === 'formula') {
      const seam = atomsOf(op.body)
        .flatMap(a => (a.kind === 'weight' && a.map.kind === 'conv' ? [circularFault(a.map, [1, 1])] : []))
        .find(f => f !== undefined);
      return seam
        ? [{ code: 'L0133', severity: 'error', message: `${path}: ${seam.message}`, span, help: seam.help }]
        : [];
    }
    if ((op.kind !== 'linear' && op.kind !== 'residual') || op.map.kind === 'dense') return [];
    const [, height, width] = op.kind === 'linear' && op.adjoint ? shape : shapes.get(inputs[0])!;
    const seam = circularFault(op.map, [height, width]);
    return seam
      ? [{ code: 'L0133', severity: 'error', message: `${path}: ${seam.message}`, span, help: seam.help }]
      : [];
  });
};
