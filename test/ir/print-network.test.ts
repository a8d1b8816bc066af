import { expect, it } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { printNetwork } from '../../src/ir/print-network.ts';

it('prints every kind of layer, one a line, with parameters and shapes', () => {
  const source = `network Net by sll budget 3/2 {
  input image[1, 8, 8] in [0, 1]
  center 1/2
  scale 3/4
  pad channels to 4
  residual conv hidden = 2, kernel = 3
  conv 4, kernel = [1, 3], bias = false by spectral(method = operator, steps = 9)
  maxmin pairs = halves
  avgpool 2
  flatten
  dense 6, side = out by own(mix(aol(eps = 1e-3), 2 * sll, 1/4))
  residual dense hidden = 3, act = leaky_relu(1/10) by orthogonal(cayley)
  groupsort 3
  head 2, eps = 1e-8
}
`;
  const lines = printNetwork(provenFrom(source).network).split('\n');
  expect(lines.filter(l => !l.includes(' param '))).toMatchInlineSnapshot(`
    [
      "network Net budget 3/2 {",
      "  %0 = input [1, 8, 8] in [0, 1]",
      "  %1 = center [1/2] (%0) -> [1, 8, 8]   // center[0]",
      "  %2 = scale [3/4] (%1) -> [1, 8, 8]   // scale[0]",
      "  %3 = pad to 4 (%2) -> [4, 8, 8]   // pad[0]",
      "  %4 = residual conv 4 -> 2, kernel = 3x3, padding = 1x1, act = relu by sll (%3) -> [4, 8, 8]   // conv[0]",
      "  %5 = conv 4 -> 4, kernel = 1x3, padding = 0x1, bias = false by spectral(method = operator, steps = 9, eps = 1/1000000) (%4) -> [4, 8, 8]   // conv[1]",
      "  %6 = maxmin(pairs = halves) (%5) -> [4, 8, 8]   // maxmin[0]",
      "  %7 = avgpool 2x2 (%6) -> [4, 4, 4]   // avgpool[0]",
      "  %8 = flatten (%7) -> [64]   // flatten[0]",
      "  %9 = dense 64 -> 6, side = out by mix(3/4: aol(eps = 1/1000), 1/4: 2 * sll) (%8) -> [6]   // dense[0]",
      "  %10 = residual dense 6 -> 3, act = leaky_relu(1/10) by orthogonal(cayley) (%9) -> [6]   // dense[1]",
      "  %11 = groupsort(3) (%10) -> [6]   // groupsort[0]",
      "  %12 = head 2, eps = 1/100000000 (%11) -> [2]   // head",
      "}",
      "",
    ]
  `);
  expect(lines.filter(l => l.includes(' param '))).toMatchInlineSnapshot(`
    [
      "      param conv[0].W [2, 4, 3, 3] = xavier(36, 18)",
      "      param conv[0].b [2] = uniform(±0.16666666666666666)",
      "      param conv[0].q [2] = zeros",
      "      param conv[1].W [4, 4, 1, 3] = xavier(12, 12)",
      "      param dense[0].W [6, 64] = xavier(64, 6)",
      "      param dense[0].b [6] = uniform(±0.125)",
      "      param dense[0].q [6] = zeros",
      "      param dense[1].W [3, 6] = xavier(6, 3)",
      "      param dense[1].b [3] = uniform(±0.4082482904638631)",
      "      param dense[1].alpha [1] = norm of dense[1].W",
      "      param head.W [2, 6] = xavier(6, 2)",
      "      param head.b [2] = uniform(±0.4082482904638631)",
    ]
  `);
});
