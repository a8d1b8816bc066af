/** The three convolution primitives in float64: the partial adjoints of one trilinear form, hence one loop nest. */
import type { ConvAttrs, Dims } from './tensor.ts';
import { size } from './tensor.ts';

/**
 * Calls `row` for every (image, output channel, input channel, tap, output row) with the run of output columns whose tap falls
 * inside the image: y[yAt + j] meets x[xAt + j·stride] for 0 ≤ j < count, through kernel entry kAt. Zero padding only: see `wrapped`.
 */
const forRows = (
  attrs: ConvAttrs,
  x: Dims,
  k: Dims,
  y: Dims,
  row: (yAt: number, xAt: number, kAt: number, count: number) => void,
): void => {
  const [batch, , height, width] = x;
  const [outs, perGroup, kh, kw] = k;
  const [, , oh, ow] = y;
  const [sh, sw] = attrs.stride;
  const outsPerGroup = outs / attrs.groups;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outs; o++) {
      const group = Math.floor(o / outsPerGroup);
      for (let i = 0; i < perGroup; i++) {
        const plane = (n * x[1] + group * perGroup + i) * height;
        for (let dy = 0; dy < kh; dy++) {
          for (let dx = 0; dx < kw; dx++) {
            const left = dx * attrs.dilation[1] - attrs.padding[1];
            const first = Math.max(0, Math.ceil(-left / sw));
            const last = Math.min(ow - 1, Math.floor((width - 1 - left) / sw));
            if (last < first) continue;
            const kAt = ((o * perGroup + i) * kh + dy) * kw + dx;
            for (let r = 0; r < oh; r++) {
              const line = r * sh - attrs.padding[0] + dy * attrs.dilation[0];
              if (line < 0 || line >= height) continue;
              row(
                ((n * outs + o) * oh + r) * ow + first,
                (plane + line) * width + first * sw + left,
                kAt,
                last - first + 1,
              );
            }
          }
        }
      }
    }
  }
};

/** Circular padding written out: the padded image and, for the adjoint, the source of each of its pixels. */
const wrapped = (attrs: ConvAttrs, shape: Dims): { attrs: ConvAttrs; shape: Dims; source: Int32Array } => {
  const [n, c, h, w] = shape;
  const [ph, pw] = attrs.padding;
  const padded = [n, c, h + 2 * ph, w + 2 * pw];
  const source = new Int32Array(size(padded));
  let at = 0;
  const mod = (a: number, m: number) => ((a % m) + m) % m;
  for (let plane = 0; plane < n * c; plane++) {
    for (let i = 0; i < padded[2]; i++) {
      for (let j = 0; j < padded[3]; j++) source[at++] = (plane * h + mod(i - ph, h)) * w + mod(j - pw, w);
    }
  }
  return { attrs: { ...attrs, padding: [0, 0], mode: 'zeros' }, shape: padded, source };
};

/** x, k → y. */
export const convolve = (
  attrs: ConvAttrs,
  x: Float64Array,
  xShape: Dims,
  k: Float64Array,
  kShape: Dims,
  yShape: Dims,
): Float64Array => {
  if (attrs.mode === 'circular') {
    const p = wrapped(attrs, xShape);
    return convolve(
      p.attrs,
      Float64Array.from(p.source, i => x[i]),
      p.shape,
      k,
      kShape,
      yShape,
    );
  }
  const y = new Float64Array(size(yShape));
  const step = attrs.stride[1];
  forRows(attrs, xShape, kShape, yShape, (yAt, xAt, kAt, count) => {
    const weight = k[kAt];
    for (let j = 0; j < count; j++) y[yAt + j] += weight * x[xAt + j * step];
  });
  return y;
};

/** y, k → x. */
export const convolveTranspose = (
  attrs: ConvAttrs,
  y: Float64Array,
  yShape: Dims,
  k: Float64Array,
  kShape: Dims,
  xShape: Dims,
): Float64Array => {
  const x = new Float64Array(size(xShape));
  if (attrs.mode === 'circular') {
    const p = wrapped(attrs, xShape);
    convolveTranspose(p.attrs, y, yShape, k, kShape, p.shape).forEach((v, i) => {
      x[p.source[i]] += v;
    });
    return x;
  }
  const step = attrs.stride[1];
  forRows(attrs, xShape, kShape, yShape, (yAt, xAt, kAt, count) => {
    const weight = k[kAt];
    for (let j = 0; j < count; j++) x[xAt + j * step] += weight * y[yAt + j];
  });
  return x;
};

/** x, y → k. */
export const convolveKernel = (
  attrs: ConvAttrs,
  x: Float64Array,
  xShape: Dims,
  y: Float64Array,
  yShape: Dims,
  kShape: Dims,
): Float64Array => {
  if (attrs.mode === 'circular') {
    const p = wrapped(attrs, xShape);
    return convolveKernel(
      p.attrs,
      Float64Array.from(p.source, i => x[i]),
      p.shape,
      y,
      yShape,
      kShape,
    );
  }
  const k = new Float64Array(size(kShape));
  const step = attrs.stride[1];
  forRows(attrs, xShape, kShape, yShape, (yAt, xAt, kAt, count) => {
    let sum = 0;
    for (let j = 0; j < count; j++) sum += x[xAt + j * step] * y[yAt + j];
    k[kAt] += sum;
  });
  return k;
};
