#!/usr/bin/env python3
"""An independent checker of Lipschitz certificates (format: docs/certificate.md).

Written from the format's description alone, with nothing but Python's standard library: exact rationals for everything, no floating
point, no code shared with the compiler. Slow, and so for small networks.

usage: lip_verify.py CERTIFICATE.json [TENSORS.safetensors]
Exit status: 0 accepted, 2 unreadable files, 3 refused.
"""

import hashlib
import json
import struct
import sys
from fractions import Fraction
from itertools import product as grid_of
from math import prod

FORMAT = "lip-lipschitz-certificate-1"


class Refused(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Refused(why)


def rational(text):
    """The rational that "a" or "a/b" in lowest terms stands for."""
    need(isinstance(text, str), f"{text!r} is not a rational number")
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise Refused(f"{text!r} is not a rational number") from None
    need(str(value) == text, f"{text} is not in lowest terms")
    return value


def integer(value, least=1):
    need(isinstance(value, int) and not isinstance(value, bool) and value >= least, f"{value!r} is not a whole number from {least}")
    return value


def dyadic(pair):
    need(isinstance(pair, list) and len(pair) == 2, "a witness must be a pair [integer, exponent]")
    need(all(isinstance(v, int) and not isinstance(v, bool) for v in pair), f"{pair} is not a pair of integers")
    need(abs(pair[0]) < 2**53 and abs(pair[1]) <= 400, f"{pair} is out of range")
    return Fraction(pair[0]) * Fraction(2) ** pair[1]


def entries(value, keys, where, optional=()):
    need(isinstance(value, dict), f"{where} is not an object")
    need(set(keys) <= set(value) <= set(keys) | set(optional), f"{where} must have the entries {', '.join(keys)}")
    return value


# Tensors


def exact_f32(bits):
    sign, exponent, fraction = bits >> 31, (bits >> 23) & 0xFF, bits & 0x7FFFFF
    need(exponent != 0xFF, "a tensor has entries that are not finite")
    mantissa = fraction if exponent == 0 else fraction | 0x800000
    return Fraction(-mantissa if sign else mantissa) * Fraction(2) ** (max(exponent, 1) - 150)


def read_tensors(data):
    need(len(data) >= 8, "the tensors file is too short")
    start = 8 + struct.unpack("<Q", data[:8])[0]
    need(start <= len(data), "the tensors file is cut short")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        need(entry["dtype"] == "F32", f"tensor {name} is not f32")
        low, high = entry["data_offsets"]
        raw = data[start + low : start + high]
        count = prod(entry["shape"])
        need(0 <= low and high - low == 4 * count == len(raw), f"tensor {name} has wrong offsets")
        values = [exact_f32(b) for b in struct.unpack(f"<{count}I", raw)]
        tensors[name] = (entry["shape"], values, hashlib.sha256(raw).hexdigest())
    return tensors


# The network: layers as dictionaries, with the shape they read under "input"


def check_map(layer, shape):
    conv = len(shape) == 3
    m = entries(layer["map"], ["kind", "weight", "out", "in"] + (["kernel", "padding"] if conv else []), layer["path"])
    need(m["kind"] == ("conv" if conv else "dense"), f"{layer['path']}: the map does not fit the shape")
    integer(m["out"])
    need(m["in"] == shape[0], f"{layer['path']} reads {m['in']} channels, but there are {shape[0]}")
    if not conv:
        return [m["out"]]
    for name, least in ("kernel", 1), ("padding", 0):
        need(isinstance(m[name], list) and len(m[name]) == 2, f"{layer['path']}: {name}")
        for n in m[name]:
            integer(n, least)
    out = [n + 2 * p - k + 1 for n, p, k in zip(shape[1:], m["padding"], m["kernel"])]
    need(all(n >= 1 for n in out), f"{layer['path']}: the kernel is larger than the padded image")
    return [m["out"], *out]


def check_activation(act, path, channels):
    name = act.get("function")
    extra = {"leaky_relu": ["slope"], "groupsort": ["group"], "maxmin": ["pairs"]}.get(name, [])
    entries(act, ["function", *extra], path)
    if name == "leaky_relu":
        rational(act["slope"])
    elif name == "groupsort":
        need(channels % integer(act["group"]) == 0, f"{path}: groups do not divide the channels")
    elif name == "maxmin":
        need(act["pairs"] == "adjacent" or (act["pairs"] == "halves" and channels % 2 == 0), f"{path}: unknown pairs")
    else:
        need(name in ("relu", "tanh", "sigmoid", "abs"), f"{path}: unknown activation {name}")


KEYS = {
    "center": ["offset"],
    "scale": ["divisor"],
    "pad": ["to"],
    "linear": ["map", "side"],
    "residual": ["map", "act"],
    "activation": ["act"],
    "avgpool": ["size"],
    "flatten": [],
    "head": ["classes"],
}


def output_shape(layer, shape):
    kind, path = layer["kind"], layer["path"]
    need(kind in KEYS, f"{path}: no rule for a layer of kind {kind}")
    entries(layer, ["path", "kind", "output", *KEYS[kind]], path)
    if kind in ("center", "scale"):
        values = [rational(v) for v in layer[KEYS[kind][0]]]
        need(len(values) in (1, shape[0]), f"{path}: one number, or one for each channel")
        return shape
    if kind == "pad":
        need(integer(layer["to"]) >= shape[0], f"{path} pads to fewer channels")
        return [layer["to"], *shape[1:]]
    if kind == "linear":
        need(layer["side"] in ("in", "out"), f"{path}: unknown side")
        return check_map(layer, shape)
    if kind == "residual":
        check_map(layer, shape)
        check_activation(layer["act"], path, layer["map"]["out"])
        return shape
    if kind == "activation":
        check_activation(layer["act"], path, shape[0])
        return shape
    if kind == "avgpool":
        need(len(shape) == 3 and len(layer["size"]) == 2, f"{path} needs an image")
        return [shape[0], *(n // integer(k) for n, k in zip(shape[1:], layer["size"]))]
    if kind == "flatten":
        return [prod(shape)]
    need(len(shape) == 1, f"{path} needs a vector")
    return [integer(layer["classes"])]


def check_network(net):
    entries(net, ["name", "input", "budget", "layers"], "network")
    shape = net["input"]
    need(len(shape) in (1, 3) and all(integer(n) for n in shape), "the input must be [features] or [channels, height, width]")
    paths = set()
    for n, layer in enumerate(net["layers"]):
        need(layer["path"] not in paths, f"two layers are called {layer['path']}")
        paths.add(layer["path"])
        need(layer["kind"] != "head" or n == len(net["layers"]) - 1, "the head must be the last layer")
        made = output_shape(layer, shape)
        need(all(integer(d) for d in made) and layer["output"] == made, f"{layer['path']} makes {made}, not {layer['output']}")
        layer["input"] = shape
        shape = made
    has_head = bool(net["layers"]) and net["layers"][-1]["kind"] == "head"
    body = net["layers"][:-1] if has_head else net["layers"]
    return body, net["layers"][-1] if has_head else None


def slope_interval(act):
    name = act["function"]
    if name == "leaky_relu":
        a = rational(act["slope"])
        return min(a, Fraction(1)), max(a, Fraction(1))
    table = {"relu": (0, 1), "tanh": (0, 1), "sigmoid": (0, Fraction(1, 4)), "abs": (-1, 1)}
    need(name in table, f"no slope is known for {name}")
    return table[name]


def activation_bound(act):
    if act["function"] in ("maxmin", "groupsort"):
        return Fraction(1)
    return Fraction(max(abs(v) for v in slope_interval(act))) ** 2


# The derivation for all weights. A judgement is a dictionary as the certificate writes it.


def lipschitz(squared):
    return {"kind": "lipschitz", "squared": str(Fraction(squared))}


def check_rule(rule, layer, premises, constants, about, body, head, budget):
    """The conclusion of one step."""

    def layer_of(kind):
        need(layer is not None and layer["kind"] == kind, f"{rule} does not apply here")
        return layer

    def takes(premise_count, **wanted):
        need(len(premises) == premise_count, f"{rule} takes {premise_count} premises")
        need(set(constants) == set(wanted), f"{rule} takes the constants {', '.join(wanted)}")
        for name, test in wanted.items():
            value = constants[name]
            need(test(value) if callable(test) else value == test, f"{rule}: {name} = {value} does not fit")

    def premise(n, kind):
        need(n < len(premises) and premises[n]["kind"] == kind, f"{rule}: premise {n + 1} must be {kind}")
        return premises[n]

    def dominates(conv):
        need(layer is not None and "map" in layer, f"{rule} needs a layer with a weight")
        m = layer["map"]
        need(conv is None or (m["kind"] == "conv") == conv, f"{rule} does not apply to a {m['kind']} map")
        need(about.get("weight") == m["weight"] and about.get("side") in ("rows", "columns"), f"{rule} is about another weight")
        return {"kind": "dominates", "weight": m["weight"], "side": about["side"]}

    def kernel():
        need(layer is not None and layer.get("map", {}).get("kind") == "conv", f"{rule} is for convolutions")
        return layer["map"]["kernel"]

    def same():
        first = premise(0, "dominates")
        need(all(premise(n, "dominates") == first for n in range(len(premises))), f"{rule}: the premises differ")
        return first

    positive = lambda v: v >= 1
    if rule in ("gershgorin", "gershgorin-lattice"):
        takes(0)
        return dominates(rule == "gershgorin-lattice")
    if rule in ("gram-iteration", "gram-iteration-operator"):
        takes(0, steps=positive)
        return dominates(rule == "gram-iteration-operator")
    if rule == "gram-iteration-symbol":
        kh, kw = kernel()
        takes(0, steps=positive, grid=lambda n: n >= max(kh, kw), kh=kh, kw=kw)
        return dominates(True)
    if rule == "gram-iteration-reshaped":
        kh, kw = kernel()
        takes(0, steps=positive, kh=kh, kw=kw, factor=kh * kw)
        return dominates(True)
    if rule == "orthogonal-cayley":
        takes(0)
        return dominates(False)
    if rule == "orthogonal-reshaped":
        kh, kw = kernel()
        takes(0, kh=kh, kw=kw, factor=kh * kw)
        return dominates(True)
    if rule == "dominance-shift":
        takes(1, eps=lambda v: v >= 0)
        return same()
    if rule == "dominance-scale":
        takes(1, factor=positive)
        return same()
    if rule == "dominance-max":
        takes(len(premises))
        return same()
    if rule == "dominance-convex":
        takes(len(premises), **{f"a{n + 1}": (lambda v: v >= 0) for n in range(len(premises))})
        need(sum(constants.values()) == 1, "the weights of a mix must add up to 1")
        return same()
    if rule == "slope":
        need(layer is not None and "act" in layer, "slope needs a layer with an activation")
        act = layer["act"]
        takes(0, **({"a": rational(act["slope"])} if "slope" in act else {}))
        need(about.get("function") == act["function"], "the slope of another function")
        low, high = slope_interval(act)
        return {"kind": "slope", "low": str(Fraction(low)), "high": str(Fraction(high))}
    if rule == "linear":
        takes(1)
        side = layer_of("linear")["side"]
        need(about.get("side") == side, "the derivation rescales the other side")
        need(premise(0, "dominates")["side"] == ("columns" if side == "in" else "rows"), "the Gram matrix is of the other side")
        return lipschitz(1)
    if rule == "residual":
        takes(2)
        layer_of("residual")
        need(premise(0, "dominates")["side"] == "rows", "the Gram matrix must be that of the hidden units")
        slope = premise(1, "slope")
        need(0 <= rational(slope["low"]) and rational(slope["high"]) <= 1, "the activation inside a residual must have slope in [0, 1]")
        return lipschitz(1)
    if rule == "elementwise":
        takes(1)
        premise(0, "slope")
        return lipschitz(activation_bound(layer_of("activation")["act"]))
    if rule == "sort":
        act = layer_of("activation")["act"]
        need(act["function"] in ("maxmin", "groupsort"), f"{act['function']} does not sort")
        takes(0, group=act.get("group", 2))
        need(about.get("pairs") == act.get("pairs"), "the pairs differ")
        return lipschitz(1)
    if rule in ("translate", "zero-pad", "reindex"):
        takes(0)
        layer_of({"translate": "center", "zero-pad": "pad", "reindex": "flatten"}[rule])
        return lipschitz(1)
    if rule == "divide":
        least = min(abs(rational(v)) for v in layer_of("scale")["divisor"])
        need(least > 0, "a divisor is 0")
        takes(0, least=least)
        return lipschitz(1 / least**2)
    if rule == "block-average":
        kh, kw = layer_of("avgpool")["size"]
        takes(0, kh=kh, kw=kw)
        return lipschitz(1)
    if rule == "identity":
        takes(0)
        need(not body, "the network has layers")
        return lipschitz(1)
    if rule == "compose":
        takes(len(body))
        need(body, "there are no layers to compose")
        return lipschitz(prod(rational(premise(n, "lipschitz")["squared"]) for n in range(len(body))))
    if rule == "weaken":
        takes(1, to=budget)
        need(budget > 0 and rational(premise(0, "lipschitz")["squared"]) <= budget**2, "the bound is above the budget")
        return lipschitz(budget**2)
    if rule == "pairwise-head":
        takes(1)
        need(head is not None, "the network has no head")
        return {"kind": "pairwise", "squared": premise(0, "lipschitz")["squared"]}
    raise Refused(f"there is no rule {rule}")


def check_derivation(root, body, head, budget):
    composed = []

    def check(node, layer, expected):
        entries(node, ["rule", "subject", "conclusion", "constants", "about", "premises"], "derivation")
        rule = node["rule"]
        need(isinstance(rule, str) and isinstance(node["subject"], str), "a rule and a subject are text")
        need(expected is None or rule in expected, f"{rule}: expected {expected}")
        need(set(node["about"]) <= {"weight", "side", "q", "function", "pairs", "T"}, "unknown words")
        need(all(isinstance(v, str) for v in node["about"].values()), "words are text")
        if rule == "compose":
            need(len(node["premises"]) == len(body), "as many factors as layers are needed")
            for p, of in zip(node["premises"], body):
                need(isinstance(p, dict) and p.get("subject") == of["path"], f"the derivation of {of['path']} is missing")
            premises = [check(p, of, None) for p, of in zip(node["premises"], body)]
        else:
            below = {"pairwise-head": ("weaken",), "weaken": ("compose", "identity")}.get(rule, ())
            premises = [check(p, layer, below or None) for p in node["premises"]]
        constants = {k: rational(v) for k, v in node["constants"].items()}
        conclusion = check_rule(rule, layer, premises, constants, node["about"], body, head, budget)
        need(node["conclusion"] == conclusion, f"{node['subject']}, {rule}: the conclusion is {conclusion}")
        if rule in ("compose", "identity"):
            composed.append(rational(conclusion["squared"]))
        return conclusion

    check(root, None, ("pairwise-head",) if head else ("weaken",))
    return composed[0]


# Weights. A matrix or kernel is (channels, others, kh, kw, values) seen from one side; its Gram matrix is that of its channels.


def from_side(side, out, columns, kh, kw, values):
    need(side in ("rows", "columns"), f"unknown side {side}")
    if side == "rows":
        return out, columns, kh, kw, values
    area = kh * kw
    swapped = [values[(o * columns + i) * area + s] for i in range(columns) for o in range(out) for s in range(area)]
    return columns, out, kh, kw, swapped


def check_gershgorin(node, path, shape, values):
    entries(node, ["rule", "side", "q", "T"], path)
    n, m, kh, kw, k = from_side(node["side"], *shape, values)
    q, t = [dyadic(v) for v in node["q"]], [dyadic(v) for v in node["T"]]
    need(len(q) == n == len(t) and all(v > 0 for v in q), f"{path}: {n} positive q and as many T are needed")
    at = lambda c, o, y, x: k[((c * m + o) * kh + y) * kw + x]
    for i in range(n):
        total = Fraction(0)
        for j in range(n):
            for dy, dx in grid_of(range(1 - kh, kh), range(1 - kw, kw)):
                g = Fraction(0)
                for y, x in grid_of(range(max(0, -dy), min(kh, kh - dy)), range(max(0, -dx), min(kw, kw - dx))):
                    g += sum(at(i, o, y, x) * at(j, o, y + dy, x + dx) for o in range(m))
                total += abs(g) * q[j]
        need(total <= t[i] * q[i], f"{path}: row {i} is above T_{i} q_{i}")
    return node["side"], t


def is_positive_semidefinite(a):
    """By symmetric elimination: every pivot is positive, or zero with a zero row."""
    n = len(a)
    a = [row[:] for row in a]
    for p in range(n):
        if a[p][p] < 0:
            return False
        if a[p][p] == 0:
            if any(a[p][j] != 0 for j in range(p + 1, n)):
                return False
            continue
        for i in range(p + 1, n):
            if a[i][p] != 0:
                f = a[i][p] / a[p][p]
                for j in range(p + 1, n):
                    a[i][j] -= f * a[p][j]
    return True


def dominated(rows, t):
    """diag(t) - R R^T is positive semidefinite, R given by its rows."""
    n = len(rows)
    gram = [[sum(x * y for x, y in zip(rows[i], rows[j])) for j in range(n)] for i in range(n)]
    return is_positive_semidefinite([[(t[i] if i == j else 0) - gram[i][j] for j in range(n)] for i in range(n)])


def check_psd(node, path, shape, values):
    entries(node, ["rule", "side", "T"], path)
    n, m, kh, kw, k = from_side(node["side"], *shape, values)
    need(kh == kw == 1, f"{path}: psd-witness is for matrices")
    t = [dyadic(v) for v in node["T"]]
    t = t * n if len(t) == 1 else t
    need(len(t) == n, f"{path}: {n} T are needed")
    need(dominated([k[i * m : (i + 1) * m] for i in range(n)], t), f"{path}: diag(T) - G is not positive semidefinite")
    return node["side"], t


FIXED = 1 << 128
PI = 31415926535897932384626433832795028841971 * FIXED // 10**40


def turn(k, n):
    """cos and sin of 2 pi k / n as integers over 2^128, off by less than 2^-110."""
    angle = 2 * PI * (k % n) // n
    parts, term = [0, 0, 0, 0], FIXED
    for i in range(100):
        parts[i % 4] += term
        term = term * angle // (FIXED * (i + 1))
    return Fraction(parts[0] - parts[2], FIXED), Fraction(parts[1] - parts[3], FIXED)


def symbol_below(shape, values, grid, bound):
    """The squared norm of the convolution is at most bound, at every image size."""
    out, columns, kh, kw = shape
    need(max(kh, kw) <= grid <= 4096, "the grid does not fit the kernel")
    area = kh * kw
    turns = [turn(k, grid) for k in range(grid)]
    c = turn(kh - 1, 4 * grid)[0] * turn(kw - 1, 4 * grid)[0] - Fraction(1, 2**100)
    sizes = [sum(abs(v) for v in values[a : a + area]) for a in range(0, len(values), area)]
    # Each part of an entry errs by 2^-110 of the sum of |K|; (r + e)^2 <= r^2 (1 + 2^-40) + e^2 (1 + 2^40).
    error = 2 * sum(s * s for s in sizes) * Fraction(1, 2**220)
    least = bound * c * c
    limit = least * (1 - Fraction(1, 2**39))
    if not (limit > 0 and error * 2**41 <= least * Fraction(1, 2**41)):
        return all(s == 0 for s in sizes) and bound >= 0
    for u, v in grid_of(range(grid), range(grid // 2 + 1)):
        points = [turns[((s // kw) * u + (s % kw) * v) % grid] for s in range(area)]
        re = [[sum(values[(o * columns + i) * area + s] * points[s][0] for s in range(area)) for i in range(columns)] for o in range(out)]
        im = [[sum(values[(o * columns + i) * area + s] * points[s][1] for s in range(area)) for i in range(columns)] for o in range(out)]
        if out > columns:
            re, im = [list(r) for r in zip(*re)], [list(r) for r in zip(*im)]
        rows = [r + [-x for x in z] for r, z in zip(re, im)] + [z + r for r, z in zip(re, im)]
        if not dominated(rows, [limit] * len(rows)):
            return False
    return True


def check_dominance(node, path, layer, shape, values):
    """(side, T) with G at most diag(T). `shape` is (out, in, kh, kw); `layer` is None for a matrix."""
    rule = node.get("rule") if isinstance(node, dict) else None
    out, columns, kh, kw = shape
    if rule in ("gershgorin", "gershgorin-lattice"):
        need((rule == "gershgorin-lattice") == (layer is not None), f"{path}: {rule} does not apply")
        return check_gershgorin(node, path, shape, values)
    if rule == "psd-witness":
        need(layer is None, f"{path}: psd-witness is for matrices")
        return check_psd(node, path, shape, values)
    if rule == "dominance-convex":
        entries(node, ["rule", "weights", "premises"], path)
        weights = [rational(w) for w in node["weights"]]
        parts = [check_dominance(p, path, layer, shape, values) for p in node["premises"]]
        need(len(weights) == len(parts) > 0 and min(weights) >= 0 and sum(weights) == 1, f"{path}: weights must be >= 0 and add up to 1")
        side, first = next((p for p in parts if p[0] == "rows"), parts[0])
        even = [t if s == side else [max(t)] * len(first) for s, t in parts]
        return side, [sum(w * t[i] for w, t in zip(weights, even)) for i in range(len(first))]
    need(layer is not None, f"{path}: there is no rule {rule} for a matrix")
    if rule == "gram-iteration-symbol":
        entries(node, ["rule", "grid", "T"], path)
        need(len(node["T"]) == 1, f"{path}: one T is needed")
        bound = dyadic(node["T"][0])
        need(symbol_below(shape, values, integer(node["grid"]), bound), f"{path}: the symbol is above T")
        return "rows", [bound] * out
    if rule == "reshaped-kernel":
        entries(node, ["rule", "premise"], path)
        side, t = check_dominance(node["premise"], path, None, (out, columns * kh * kw, 1, 1), values)
        t = [v * kh * kw for v in t]
        return (side, t) if side == "rows" else (side, [max(t)] * columns)
    if rule == "operator-matrix":
        entries(node, ["rule", "premise"], path)
        (h, w), (ph, pw) = layer["input"][1:], layer["map"]["padding"]
        oh, ow = h + 2 * ph - kh + 1, w + 2 * pw - kw + 1
        wide = columns * h * w
        matrix = [Fraction(0)] * (out * oh * ow * wide)
        for o, i, y, x, dy, dx in grid_of(range(out), range(columns), range(oh), range(ow), range(kh), range(kw)):
            v, z = y - ph + dy, x - pw + dx
            if 0 <= v < h and 0 <= z < w:
                matrix[((o * oh + y) * ow + x) * wide + (i * h + v) * w + z] = values[((o * columns + i) * kh + dy) * kw + dx]
        side, t = check_dominance(node["premise"], path, None, (out * oh * ow, wide, 1, 1), matrix)
        each = oh * ow if side == "rows" else h * w
        return side, [max(t[a : a + each]) for a in range(0, len(t), each)]
    raise Refused(f"{path}: there is no rule {rule} for a weight")


def check_weights(weights, body, head, tensors):
    entries(weights, ["arithmetic", "squared", "layers"] + (["head"] if head else []), "weights")
    need(isinstance(weights["arithmetic"], str) and weights["arithmetic"].startswith("real arithmetic on the emitted f32 tensors"), "unknown arithmetic")
    need(len(weights["layers"]) == len(body), "as many layers as the network has are needed")
    used = set()

    def tensor(ref, shape):
        entries(ref, ["name", "shape", "sha256"], "tensor")
        name = ref["name"]
        need(name in tensors and name not in used, f"{name} is missing or used twice")
        used.add(name)
        found, values, digest = tensors[name]
        need(found == shape == ref["shape"] and digest == ref["sha256"], f"{name} is not the certified tensor")
        return values

    total = Fraction(1)
    for layer, stated in zip(body, weights["layers"]):
        kind, path = layer["kind"], layer["path"]
        names = {"scale": ["m"], "avgpool": ["m"], "linear": ["W"], "residual": ["W", "t"]}.get(kind, [])
        if kind == "activation" and "slope" in layer["act"]:
            names = ["a"]
        heavy = kind in ("linear", "residual")
        entries(stated, ["path", "squared"] + (["tensors"] if names else []) + (["dominance"] if heavy else []), path)
        need(stated["path"] == path, f"{path} is missing")
        refs = entries(stated["tensors"], names, path, ["b"] if heavy else []) if names else {}
        squared = Fraction(1)
        if heavy:
            m = layer["map"]
            kernel = m.get("kernel", [])
            values = tensor(refs["W"], [m["out"], m["in"], *kernel])
            if "b" in refs:
                tensor(refs["b"], [m["out"]])
            shape = (m["out"], m["in"], *(kernel or [1, 1]))
            side, t = check_dominance(stated["dominance"], path, layer if kernel else None, shape, values)
            if kind == "linear":
                squared = max(t)
            else:
                multipliers = tensor(refs["t"], [m["out"]])
                bound = t if side == "rows" else [max(t)] * m["out"]
                need(all(v >= 0 for v in multipliers), f"{path}: t must not be negative")
                need(all(v * b <= 2 for v, b in zip(multipliers, bound)), f"{path}: t T is above 2")
        elif kind == "scale":
            values = tensor(refs["m"], [len(layer["divisor"])])
            need(all(abs(v * rational(d) - 1) <= Fraction(1, 2**21) for v, d in zip(values, layer["divisor"])), f"{path}: m is not the layer's")
            squared = max(v * v for v in values)
        elif kind == "avgpool":
            squared = tensor(refs["m"], [1])[0] ** 2 * prod(layer["size"])
            need(abs(squared - 1) <= Fraction(1, 2**21), f"{path}: m is not the layer's")
        elif kind == "activation":
            act = layer["act"]
            if names:
                a, slope = tensor(refs["a"], [1])[0], rational(act["slope"])
                need(abs(a - slope) <= abs(slope) / 2**23, f"{path}: a is not its slope")
                act = {**act, "slope": str(a)}
            squared = activation_bound(act)
        need(stated["squared"] == str(squared), f"{path}: the squared bound is {squared}")
        total *= squared
    need(weights["squared"] == str(total), f"the squared bound is {total}")
    if head:
        entries(weights["head"], ["tensors", "squaredDistances"], "head")
        refs = entries(weights["head"]["tensors"], ["W", "b"], "head")
        d, classes = head["input"][0], head["classes"]
        values = tensor(refs["W"], [classes, d])
        tensor(refs["b"], [classes])
        rows = [values[i * d : (i + 1) * d] for i in range(classes)]
        exact = [str(Fraction(sum((x - y) ** 2 for x, y in zip(rows[i], rows[j])))) for i in range(classes) for j in range(i)]
        need(weights["head"]["squaredDistances"] == exact, "the squared distances of the head's rows differ")
    need(used == set(tensors), "no layer uses some of the tensors")
    return total


def verify(certificate, tensors):
    entries(certificate, ["format", "network", "squared", "derivation", "sha256"], "the certificate", ["weights"])
    need(certificate["format"] == FORMAT, "unknown format")
    rest = {k: v for k, v in certificate.items() if k != "sha256"}
    compact = json.dumps(rest, separators=(",", ":"), ensure_ascii=False).encode()
    need(certificate["sha256"] == hashlib.sha256(compact).hexdigest(), "the certificate was changed after it was written")
    body, head = check_network(certificate["network"])
    squared = check_derivation(certificate["derivation"], body, head, rational(certificate["network"]["budget"]))
    need(certificate["squared"] == str(squared), f"the squared bound is {squared}")
    need(("weights" in certificate) == (tensors is not None), "tensors are needed for a certificate of weights, and only for one")
    return squared, check_weights(certificate["weights"], body, head, tensors) if tensors is not None else None


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as f:
            certificate = json.load(f)
        data = None
        if len(arguments) == 2:
            with open(arguments[1], "rb") as f:
                data = f.read()
    except (OSError, ValueError) as e:
        print(f"lip_verify: {e}", file=sys.stderr)
        return 2
    try:
        squared, emitted = verify(certificate, None if data is None else read_tensors(data))
    except Refused as e:
        print(f"refused: {e}")
        return 3
    # What has not the form of a certificate at all.
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as e:
        print(f"refused: malformed, {type(e).__name__}: {e}")
        return 3
    print(f"accepted: squared bound {squared} for all weights" + ("" if emitted is None else f", {emitted} for these tensors"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
