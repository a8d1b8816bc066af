/** Bodies of small networks that have every kind of layer between them. */
export const NETWORKS: Readonly<Record<string, string>> = {
  'convolutions of every geometry': `
    input image[4, 6, 6] in [0, 1]
    conv 6, kernel = 3, stride = 2, padding = 1, groups = 2 by aol
    residual conv hidden = 4, kernel = 3, dilation = 2, padding = circular by spectral(steps = 6, grid = 6)
    space_to_depth 3
    depth_to_space 3
    conv 6, kernel = 3, padding = circular, side = out by sll
    conv 4, kernel = 2, stride = 2, padding = 1 by spectral(method = reshaped, steps = 8)
    transposed conv 4, kernel = 3, stride = 2 by spectral(method = operator, steps = 9)
    residual conv hidden = 3, kernel = 3, stride = 2, padding = 1 by sll
    transposed conv 2, kernel = 2, groups = 2, side = out by aol`,
  'poolings, activations with parameters, centring': `
    input image[4, 6, 6]
    budget 100
    batchcenter
    prelu
    householder
    maxpool 2, stride = 1
    layercenter
    crelu
    rabs
    householder order = 2
    avgpool 2, stride = 1
    gain
    l2pool 2
    truncate channels to 7
    tile channels to 14
    halfabs
    flatten
    avgpool 2, divisor = 3
    maxpool 2
    tanh
    head 3`,
  'orthogonal families': `
    input image[4, 4, 4]
    conv 4, kernel = 2 by orthogonal(bcop, steps = 12)
    conv 3, kernel = 2 by orthogonal(householder)
    residual conv hidden = 2, kernel = 3 by orthogonal(qr)
    flatten
    dense 12 by orthogonal(bro, rank = 3)
    residual dense hidden = 5 by orthogonal(bjorck, steps = 15)
    dense 12 by orthogonal(exponential, degree = 8)
    dense 8 by orthogonal(cholesky, eps = 1e-5)
    dense 8, side = out by orthogonal(cayley, parameter = lower)`,
  'sandwich layers': `
    input x[6]
    sandwich 5, act = leaky_relu(1/4)
    dense 4 by sandwich
    dense 6, bias = false by sandwich(second)
    sandwich 3`,
  'operators on images': `
    input image[2, 4, 5] in [0, 1]
    conv 3 by fourier(cayley)
    sandwich 2, kernel = 3
    conv 3 by skew_exponential(degree = 8)
    conv 2 by fourier(bro)
    conv 2, bias = false by fourier(lot, steps = 4)
    sandwich 3, kernel = 1
    conv 2, kernel = 1 by fourier(cayley)
    flatten
    head 3`,
  branches: `
    input x[8] in [-1, 1]
    budget 20
    let kept, rest = split(it)
    let bent = rest |> residual dense hidden = 3 by sll |> scale 1/2
    let same = kept |> abs
    concat(same, bent)
    let a = it |> dense 6 by orthogonal(cayley) |> maxmin
    let b = it |> dense 6 by aol |> abs
    let c = mix(a, b)
    let d = mix(c, b, 1/3)
    let e = 1/2 * d - 2/3 * a
    let f = max(e, c)
    let g = min(f, d)
    concat(g, a)
    dense 5 by sll
    head 3`,
  'branches behind others': `
    input x[8]
    let a = it |> abs
    let b = it |> relu
    max(a, b)
    let c = it |> maxmin
    let d = max(c, it)
    let e = min(c, it)
    1/4 * d - 1/4 * e
    let p, q = split(it)
    let r = p |> maxmin
    let s = p |> dense 4 by aol
    let t = mix(r, s, 1/3)
    let u, v = split(t)
    let w = concat(v, u)
    concat(w, q)
    head 3`,
};
