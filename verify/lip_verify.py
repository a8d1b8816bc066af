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
from math import gcd, isqrt, prod

FORMAT = "lip-lipschitz-certificate-3"


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


def pair(value, least=1):
    need(isinstance(value, list) and len(value) == 2, f"{value!r} is not a pair")
    return [integer(v, least) for v in value]


def dyadic(value):
    need(isinstance(value, list) and len(value) == 2, "a witness must be a pair [integer, exponent]")
    need(all(isinstance(v, int) and not isinstance(v, bool) for v in value), f"{value} is not a pair of integers")
    need(abs(value[0]) < 2**53 and abs(value[1]) <= 400, f"{value} is out of range")
    return Fraction(value[0]) * Fraction(2) ** value[1]


def entries(value, keys, where, optional=()):
    need(isinstance(value, dict), f"{where} is not an object")
    need(set(keys) <= set(value) <= set(keys) | set(optional), f"{where} must have the entries {', '.join(keys)}")
    return value


def is_square(value):
    return isqrt(value.numerator) ** 2 == value.numerator and isqrt(value.denominator) ** 2 == value.denominator


def root_up(value):
    """The root where it is rational, else the next multiple of 2^-64 above it."""
    if is_square(value):
        return Fraction(isqrt(value.numerator), isqrt(value.denominator))
    return Fraction(isqrt((value.numerator << 128) // value.denominator) + 1, 1 << 64)


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
    header = json.loads(data[8:start])
    network = header.pop("__metadata__", {}).get("network")
    tensors = {}
    for name, entry in header.items():
        need(entry["dtype"] == "F32", f"tensor {name} is not f32")
        low, high = entry["data_offsets"]
        raw = data[start + low : start + high]
        count = prod(entry["shape"])
        need(0 <= low and high - low == 4 * count == len(raw), f"tensor {name} has wrong offsets")
        values = [exact_f32(b) for b in struct.unpack(f"<{count}I", raw)]
        tensors[name] = (entry["shape"], values, hashlib.sha256(raw).hexdigest())
    return tensors, network


# Maps and layers. Each kind of layer gives facts: "output" where it is not the input's shape, the "rule" with its "constants" that proves
# its "bound" for all weights (a squared number, or a function of the inputs' values), the "map" whose Gram matrix is dominated, and
# "emitted", a function of the tensors that gives the bound of those.


def read_map(m, path, shape):
    """The linear map that reads `shape`, with the height and width it reads and makes."""
    conv, vector = m["kind"] == "conv", len(shape) == 1
    entries(m, ["kind", "out", "in"] + (["kernel", "stride", "padding", "dilation", "groups", "mode"] if conv else ["form"] if m["kind"] == "operator" else []), path)
    need(m["kind"] in (("dense",) if vector else ("conv", "operator")), f"{path}: the map does not fit the shape")
    need(integer(m["out"]) and m["in"] == shape[0], f"{path} reads {m['in']} channels, but there are {shape[0]}")
    m = {"kernel": [1, 1], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "mode": "zeros", **m}
    k, s, d, p, image = pair(m["kernel"]), pair(m["stride"]), pair(m["dilation"]), pair(m["padding"], 0), shape[1:] or [1, 1]
    g = integer(m["groups"])
    need(m["in"] % g == 0 and m["out"] % g == 0, f"{path}: the groups do not divide the channels")
    made = [(n + 2 * p[a] - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a, n in enumerate(image)]
    need(all(n >= 1 for n in made), f"{path}: the kernel is larger than the padded image")
    need(m["mode"] in ("zeros", "circular"), f"{path}: unknown mode")
    if m["mode"] == "circular":
        need(all(n % s[a] == 0 and made[a] * s[a] <= n for a, n in enumerate(image)), f"{path}: the circle does not close")
    e = [s[a] // gcd(s[a], d[a]) for a in range(2)]
    taps, output = [-(-k[a] // e[a]) for a in range(2)], [m["out"]] + ([] if vector else made)
    return {**m, "image": image, "e": e, "taps": taps, "made": made, "output": output, "shape": [m["out"], m["in"] // g] + (k if conv else [])}


SLOPES = {"relu": (0, 1), "tanh": (0, 1), "sigmoid": (0, Fraction(1, 4)), "abs": (-1, 1)}


def read_slopes(act, path):
    """(low, high, the slope of leaky_relu or None)."""
    name = act.get("function")
    entries(act, ["function"] + (["slope"] if name == "leaky_relu" else []), path)
    if name == "leaky_relu":
        a = rational(act["slope"])
        return min(a, Fraction(1)), max(a, Fraction(1)), a
    need(name in SLOPES, f"{path}: there is no activation {name}")
    return *SLOPES[name], None


def read_inside(act, path):
    low, high, _ = read_slopes(act, path)
    need(0 <= low and high <= 1, f"{path}: the activation inside must have slope in [0, 1]")
    return {"low": low, "high": high}


def steepest(*slopes):
    return max(abs(Fraction(v)) for v in slopes) ** 2


def between(h, c):
    return max(h**2, (h - c) ** 2)


def halves(channels, path):
    need(channels % 2 == 0, f"{path}: {channels} channels have no halves")
    return channels // 2


def near(values, exact):
    need(all(abs(v - e) * 2**22 <= abs(e) for v, e in zip(values, exact)), "an emitted number is not its layer's")
    return values


def multiplier(d, times):
    """m^2 d is 1 but for rounding; m stands before sums whose squares are `times` as large at most."""

    def bound(t):
        m = t("m", [1])[0] ** 2
        near([m * d], [1])
        return m * times

    return bound


def same(shapes, path):
    need(all(s == shapes[0] for s in shapes), f"{path} joins values of different shapes")


def weighted(factors):
    """(sum |a| c)^2: sqrt(2) + 2 sqrt(2) is known as 3 sqrt(2), other irrational c are rounded up."""

    def bound(branches):
        squares = [b["squared"] for b in branches]
        first = next((v for v in squares if v > 0), Fraction(1))
        unit = first if all(is_square(v / first) for v in squares) else 1
        return unit * sum(abs(f) * root_up(v / unit) for f, v in zip(factors, squares)) ** 2

    return bound


def added(branches):
    return sum(b["squared"] for b in branches)


def largest(branches):
    return max(b["squared"] for b in branches)


def side_by_side(branches):
    """Functions of disjoint parts of one value act side by side: the bound is the largest."""
    slices = sorted(b["slice"] for b in branches if b["slice"])
    if len(slices) == len(branches) and all(p[1] <= n[0] for p, n in zip(slices, slices[1:])):
        return largest(branches)
    return added(branches)


def pooling(layer, shape):
    """(output, how many windows share an entry)."""
    k, s = pair(layer["size"]), pair(layer["stride"])
    plane = shape[1:] if len(shape) == 3 else [1, *shape]
    made = [(n - k[a]) // s[a] + 1 for a, n in enumerate(plane)]
    return [shape[0], *made] if len(shape) == 3 else made[1:], prod(-(-k[a] // s[a]) for a in range(2))


def fact(rule, bound=1, emitted=None, **more):
    return {"rule": rule, "bound": bound, **({"emitted": emitted} if emitted else {}), **more}


def channels_of(layer, shapes, path):
    """Layers that treat each channel, or move numbers to other places."""
    kind, output, shape = layer["kind"], layer["output"], shapes[0]
    c, like = shape[0], [output[0], *shape[1:]]
    if kind == "translate":
        return fact("translate", 1, lambda t: t("c", [c]) and 1)
    if kind == "scale":
        factors = [rational(v) for v in layer["factors"]]
        need(len(factors) in (1, c) and any(factors), f"{path}: one number, or one for each channel, not all 0")
        constants = {"least": 1 / max(abs(v) for v in factors)}
        return fact("divide", steepest(*factors), lambda t: steepest(*near(t("m", [len(factors)]), factors)), constants=constants)
    if kind == "gain":
        return fact("bounded-gain", 1, lambda t: steepest(*t("m", [c])))
    if kind == "layercenter":
        return fact("layer-center", 1, lambda t: between(1, near([t("m", [1])[0] * prod(shape)], [1])[0]))
    if kind == "pad":
        need(output[0] >= c, f"{path} pads to fewer channels")
        return fact("zero-pad", output=like)
    if kind == "slice":
        start, end = integer(layer["start"], 0), layer["start"] + output[0]
        need(end <= c, f"{path} takes channels that are not there")
        return fact("channel-truncate", output=like, slice=(start, end))
    if kind == "tile":
        need(output[0] % c == 0, f"{path} makes {output[0]} channels of {c}")
        n = output[0] // c
        return fact("copies", 1, multiplier(n, n), output=like, constants={"n": n})
    need(prod(shape) == prod(output), f"{path} makes {output} of {shape}")
    coarse, fine = (shape, output) if kind == "depth_to_space" else (output, shape)
    fits = len(output) == 1 if kind == "flatten" else len(shape) == len(output) == 3 and all(fine[a] % coarse[a] == 0 for a in (1, 2))
    need(fits, f"{path}: the blocks do not divide the image")
    return fact("reindex", output=output)


def window_of(layer, shapes, path):
    kind = layer["kind"]
    output, overlap = pooling(layer, shapes[0])
    if kind != "avgpool":
        return fact(kind[:-4] + "-pool", overlap, output=output, constants={"overlap": overlap})
    count, d = prod(layer["size"]), rational(layer["divisorSquared"])
    need(d > 0, f"{path}: the square of a divisor is positive")
    rule = "block-average" if layer["size"] == layer["stride"] and d == count else "average-pool"
    constants = {"overlap": overlap, "divisorSquared": d}
    return fact(rule, count * overlap / d, multiplier(d, count * overlap), output=output, constants=constants)


def activation_of(layer, shapes, path):
    kind, shape = layer["kind"], shapes[0]
    c = shape[0]
    if kind == "elementwise":
        low, high, a = read_slopes(layer["act"], path)
        emitted = None if a is None else lambda t: steepest(1, near(t("a", [1]), [a])[0])
        return fact("elementwise", steepest(low, high), emitted, constants={"low": low, "high": high})
    if kind in ("prelu", "halfabs"):
        emitted = (lambda t: steepest(1, *t("a", [c]))) if kind == "prelu" else None
        return fact("channelwise", 1, emitted, constants={"low": -1, "high": 1})
    if kind == "maxmin":
        need(layer["pairs"] == "adjacent" or (layer["pairs"] == "halves" and halves(c, path)), f"{path}: unknown pairs")
        return fact("sort", constants={"group": 2})
    if kind == "groupsort":
        need(c % integer(layer["group"]) == 0, f"{path}: groups do not divide the channels")
        return fact("sort", constants={"group": layer["group"]})
    if kind == "rabs":
        halves(c, path)
        return fact("rotate-halves", 1, multiplier(2, 2))
    if kind == "crelu":
        return fact("concatenated-relu", output=[2 * c, *shape[1:]])
    pairs = halves(c, path)
    need(integer(layer["order"]) <= 2, f"{path}: unknown order")

    def reflected(t):
        if layer["order"] == 2:
            v = t("v", [3, 2, pairs])
            b = [[(v[2 * k * pairs + i], v[(2 * k + 1) * pairs + i]) for k in range(3)] for i in range(pairs)]
            need(all(any(d) for of in b for d in of), f"{path}: a direction is zero")
            need(all(p[0] * n[1] >= p[1] * n[0] for of in b for p, n in zip(of, of[1:])), f"{path}: a direction lies before the last")
            return 1
        v = t("v", [2, pairs])
        return between(1, 2 * max(v[i] ** 2 + v[pairs + i] ** 2 for i in range(pairs)))

    return fact("householder-activation", 1, reflected, constants={"order": layer["order"]})


def on_rows(dominance, m):
    side, t = dominance
    return t if side == "rows" else [max(t)] * m["out"]


def weight_of(layer, shapes, path):
    kind, shape = layer["kind"], shapes[0]
    adjoint = layer.get("adjoint", False)
    need(kind != "linear" or (layer["side"] in ("in", "out") and adjoint in (True, False) and ("adjoint" not in layer or adjoint)), f"{path}: unknown side")
    reads = layer["output"] if adjoint else [layer["output"][0] + shape[0], *shape[1:]] if kind == "sandwich" else shape
    m = read_map(layer["map"], path, reads)
    out = m["out"]

    def dominated(t):
        t("b", [m["in"] if adjoint else out], True)
        return check_operator(t, path, m) if m["kind"] == "operator" else check_weight(t.dominance, path, m, t("W", m["shape"]))

    def multipliers(values):
        need(all(v >= 0 for v in values), f"{path}: multipliers must not be negative")
        return values

    if kind == "linear":
        need(not adjoint or m["output"] == shape, f"{path}: the adjoint does not read {shape}")
        output = layer["output"] if adjoint else m["output"]
        return fact("linear-adjoint" if adjoint else "linear", 1, lambda t: max(dominated(t)[1]), output=output, map=m)
    slopes = read_inside(layer["act"], path)
    if kind == "sandwich":
        need(m["kind"] != "conv" and out == layer["output"][0], f"{path}: [A B] makes {out} channels")

        def sandwiched(t):
            bound = on_rows(dominated(t), m)
            triples = zip(multipliers(t("d", [out])), multipliers(t("e", [out])), bound)
            need(all(d * e * b <= 2 for d, e, b in triples), f"{path}: d e T is above 2")
            return 1

        return fact("sandwich", 1, sandwiched, output=m["output"], constants=slopes, map=m, unit=True)
    h, c = rational(layer["identity"]), rational(layer["factor"])

    def branch(tensor):
        given = tensor("h", [1], True)
        need(given or h == 1, f"{path}: h was not emitted")
        t = multipliers(tensor("t", [out]))
        top = max(v * b for v, b in zip(t, on_rows(dominated(tensor), m)))
        return between(near(given, [h])[0] if given else 1, top if c >= 0 else -top)

    return fact("residual", between(h, c), branch, constants={**slopes, "h": h, "c": c}, map=m)


def join_of(layer, shapes, path):
    kind = layer["kind"]
    same([s[1:] for s in shapes] if kind == "concat" else shapes, path)
    if kind == "sum":
        factors = [rational(v) for v in layer["factors"]]
        need(len(factors) == len(shapes), f"{path} has {len(factors)} factors")
        constants = {f"a{n + 1}": f for n, f in enumerate(factors)}
        return fact("sum", weighted(factors), lambda t: weighted(near(t("m", [len(factors)]), factors)), constants=constants)
    if kind == "mix":
        need(len(shapes) == 2, f"{path} mixes two values")
        w = [rational(layer["weight"])] if "weight" in layer else []
        between_0_1 = lambda v: need(0 <= v <= 1, f"{path}: the weight is not between 0 and 1")

        def mixed(t):
            between_0_1(near(t("w", [1]), w)[0])
            return largest

        for v in w:
            between_0_1(v)
        return fact("mix", largest, mixed, constants={"w": v for v in w})
    if kind == "concat":
        return fact("concat", side_by_side, output=[sum(s[0] for s in shapes), *shapes[0][1:]])
    need(layer["of"] in ("largest", "smallest"), f"{path}: which of them?")
    return fact("maximum", added)


# The entries of each kind; those in brackets may be missing.
KINDS = {
    channels_of: {"translate": [], "scale": ["factors"], "gain": [], "layercenter": [], "pad": [], "slice": ["start"], "tile": [], "flatten": [], "space_to_depth": [], "depth_to_space": []},
    window_of: {"avgpool": ["size", "stride", "divisorSquared"], "maxpool": ["size", "stride"], "l2pool": ["size", "stride"]},
    activation_of: {"elementwise": ["act"], "prelu": [], "halfabs": [], "maxmin": ["pairs"], "groupsort": ["group"], "rabs": [], "crelu": [], "householder": ["order"]},
    weight_of: {"linear": ["map", "side", "[adjoint]"], "residual": ["map", "act", "identity", "factor"], "sandwich": ["map", "act"]},
    join_of: {"sum": ["factors"], "mix": ["[weight]"], "concat": [], "maximum": ["of"]},
}
KEYS = {kind: (facts, keys) for facts, kinds in KINDS.items() for kind, keys in kinds.items()}


def check_network(net):
    """(facts of each layer, (path, classes, features) of the head or None)."""
    entries(net, ["name", "input", "budget", "layers"], "network", ["head"])
    need(isinstance(net["name"], str), "the name is text")
    need(len(net["input"]) in (1, 3) and all(integer(n) for n in net["input"]), "the input must be [features] or [channels, height, width]")
    shapes, body, paths, used = [net["input"]], [], [], set()
    for layer in net["layers"]:
        kind, path = layer["kind"], layer["path"]
        need(kind in KEYS and isinstance(path, str), f"{path}: there is no layer kind {kind}")
        facts_of, keys = KEYS[kind]
        optional = [k[1:-1] for k in keys if k[0] == "["]
        entries(layer, ["path", "kind", "inputs", "output", *(k for k in keys if k[0] != "[")], path, optional)
        paths.append(path)
        inputs, output = [integer(i, 0) for i in layer["inputs"]], [integer(d) for d in layer["output"]]
        need(output and all(i < len(shapes) for i in inputs), f"{path}: wrong inputs")
        need(inputs if facts_of is join_of else len(inputs) == 1, f"{path}: wrong inputs")
        used.update(inputs)
        facts = {"output": shapes[inputs[0]], **facts_of(layer, [shapes[i] for i in inputs], path), "path": path, "inputs": inputs}
        need(facts["output"] == output, f"{path} makes {facts['output']}, not {output}")
        body.append(facts)
        shapes.append(output)
    need(used >= set(range(len(body))), "the value of a layer is not used")
    head = None
    if "head" in net:
        entries(net["head"], ["path", "classes"], "head")
        need(len(shapes[-1]) == 1 and isinstance(net["head"]["path"], str), "the head must read a vector")
        head = (net["head"]["path"], integer(net["head"]["classes"]), shapes[-1][0])
        paths.append(head[0])
    need(len(set(paths)) == len(paths), "two layers have the same path")
    return body, head


# What a value is to the network's input: a squared bound. Every path from the input to it passes through "from"; "own" is the squared bound
# of the map from the nearest such value, "depth" how many there are, "slice" the channels of it that this value is.
ORIGIN = {"squared": Fraction(1), "own": Fraction(1), "from": None, "depth": 0, "slice": None}


def fork(a, b):
    """The last value that both depend on alone."""
    while a is not b:
        if a["depth"] >= b["depth"]:
            a = a["from"]
        else:
            b = b["from"]
    return a


def branch(top, to):
    squared, first = Fraction(1), None
    while to is not top:
        squared, first, to = to["own"] * squared, to["slice"], to["from"]
    return {"squared": squared, "slice": first}


def follow(layer, bound, values):
    inputs = [values[i] for i in layer["inputs"]]
    top = inputs[0]
    for value in inputs[1:]:
        top = fork(top, value)
    own = Fraction(bound([branch(top, v) for v in inputs]) if callable(bound) else bound)
    return {"squared": top["squared"] * own, "own": own, "from": top, "depth": top["depth"] + 1, "slice": layer.get("slice")}


# The derivation for all weights. A rule of dominance: what it is for (None: matrices and kernels), whether T = I, tests of its constants, and
# its one premise: about the same map, or about matrices; and whether that must have T = I.

WINDOWS = {3: Fraction(3), 4: Fraction(8), 7: Fraction(311, 100), 8: Fraction(288, 25), 11: Fraction(289, 100), 12: Fraction(571, 50)}
at_least = lambda least: lambda v, m, all: v >= least
positive = lambda v, m, all: v > 0
is_entry = lambda what, axis: lambda v, m, all: v == m[what][axis]
window = lambda v, m, all: v >= 0 and v**2 <= WINDOWS.get(all["degree"], -1)
PHASES = {"kh": lambda v, m, all: v == m["taps"][0], "kw": lambda v, m, all: v == m["taps"][1]}
FACTOR = {**PHASES, "factor": lambda v, m, all: v == prod(m["taps"])}
BJORCK = {"steps": at_least(1), "start": lambda v, m, all: 0 <= v <= 2}
KERNEL = {**BJORCK, "kernel": lambda v, m, all: m["groups"] == 1 and m["kernel"] == [v, v]}
BLOCKS = {**KERNEL, "stride": lambda v, m, all: m["stride"] == [v, v] and m["dilation"] == [1, 1] and min(m["kernel"]) >= v}
SERIES = {"degree": at_least(1), "squarings": at_least(0), "window": window}
SKEW = {"degree": at_least(1), "norm": window, "steps": at_least(1), "kh": at_least(1), "kw": at_least(1), "factor": lambda v, m, all: v == all["kh"] * all["kw"]}
DOMINANCE = {
    "gershgorin": ("dense", False, {}),
    "gershgorin-lattice": ("conv", False, {}),
    "frobenius": (None, False, {}),
    "schur": (None, False, {}),
    "power-gershgorin": (None, False, {"steps": at_least(2)}),
    "gram-iteration": ("dense", False, {"steps": at_least(1)}),
    "gram-iteration-symbol": ("conv", False, {**PHASES, "steps": at_least(1), "grid": lambda v, m, all: v.denominator == 1 and 1 <= v <= 4096 and all_fit(m["taps"], int(v))}),
    "gram-iteration-circulant": ("conv", False, {"steps": at_least(1)}),
    "gram-iteration-operator": ("conv", False, {"steps": at_least(1)}),
    "gram-iteration-reshaped": ("conv", False, {**FACTOR, "steps": at_least(1)}),
    "orthogonal-cayley": ("dense", True, {}),
    "orthogonal-householder": ("dense", True, {}),
    "orthogonal-bro": ("dense", True, {"eps": positive}),
    "orthogonal-exponential": ("dense", True, SERIES),
    "contraction-cholesky": ("dense", True, {"eps": at_least(0)}),
    "contraction-bjorck": ("dense", True, BJORCK),
    "contraction-whitening": ("dense", True, {"eps": positive, "steps": at_least(0)}),
    "orthogonal-bcop": ("conv", True, KERNEL),
    "orthogonal-strided": ("conv", True, BLOCKS),
    "orthogonal-reshaped": ("conv", False, FACTOR),
    "reshaped-kernel": ("conv", False, FACTOR, "dense", False),
    "grouped": ("conv", False, {"groups": lambda v, m, all: v == m["groups"] > 1}, "same", False),
    "polyphase": ("conv", False, {f"{what}_{'hw'[a]}": is_entry(what, a) for what in ("stride", "dilation") for a in range(2)}, "same", False),
    "torus": ("conv", False, {}, "same", False),
    "dominance-shift": (None, False, {"eps": at_least(0)}, "same", False),
    "dominance-scale": (None, False, {"factor": at_least(1)}, "same", False),
    "sandwich": ("dense", True, {}, "same", True),
    "contraction-fourier": ("operator", True, {}, "dense", True),
    "contraction-skew-exponential": ("operator", True, SKEW),
}


def check_step(step, path, m, unit):
    entries(step, ["rule"], path, ["constants", "premises"])
    rule, premises = step["rule"], step.get("premises", [])
    constants = {k: rational(v) for k, v in step.get("constants", {}).items()}
    if rule in ("dominance-max", "dominance-convex"):
        need(m["kind"] != "operator" and not unit, f"{path}: {rule} is not for this map")
        for p in premises:
            check_step(p, path, m, False)
        names = [] if rule == "dominance-max" else [f"a{n + 1}" for n in range(len(premises))]
        need(premises and set(constants) == set(names), f"{path}: {rule} has other premises or constants")
        need(not names or (min(constants.values()) >= 0 and sum(constants.values()) == 1), f"{path}: weights are >= 0 and add up to 1")
        return
    need(rule in DOMINANCE, f"{path}: there is no rule {rule}")
    of, makes_unit, tests, *inner = DOMINANCE[rule]
    need(m["kind"] == of or (of is None and m["kind"] != "operator"), f"{path}: {rule} does not apply to a {m['kind']} map")
    need(makes_unit or not unit, f"{path}: {rule} does not make T = I")
    need(len(premises) == (1 if inner else 0) and set(constants) == set(tests), f"{path}: {rule} has other premises or constants")
    need(rule != "torus" or m["mode"] == "circular", f"{path}: torus is for circular padding")
    for name, test in tests.items():
        need(test(constants[name], m, constants), f"{path}: {name} = {constants[name]} does not fit {rule}")
    for p in premises:
        check_step(p, path, m if inner[0] == "same" else {**m, "kind": "dense"}, inner[1])


def check_derivation(steps, body):
    need(isinstance(steps, list) and len(steps) == len(body), "one derivation for each layer is needed")
    values = [ORIGIN]
    for step, layer in zip(steps, body):
        path = layer["path"]
        entries(step, ["path", "squared", "rule"], path, ["constants", "premises"])
        need(step["path"] == path and step["rule"] == layer["rule"], f"{path} follows from {layer['rule']}")
        constants = {k: rational(v) for k, v in step.get("constants", {}).items()}
        need(constants == layer.get("constants", {}), f"{path}: {layer['rule']} takes {layer.get('constants', {})}")
        premises = step.get("premises", [])
        need(len(premises) == (1 if "map" in layer else 0), f"{path}: {len(premises)} premises")
        for p in premises:
            check_step(p, path, layer["map"], layer.get("unit", False))
        values.append(follow(layer, layer["bound"], values))
        need(step["squared"] == str(values[-1]["squared"]), f"{path}: the squared bound is {values[-1]['squared']}")
    return values[-1]["squared"]


# Weights. A matrix or kernel is (channels, others, kh, kw, values) seen from one side; its Gram matrix is that of its channels.


def taps_of(m, values):
    """(value, out, in, y, x) of each entry."""
    each, per_group = m["in"] // m["groups"], m["out"] // m["groups"]
    indices = grid_of(range(m["out"]), range(each), range(m["kernel"][0]), range(m["kernel"][1]))
    return [(v, o, o // per_group * each + i, y, x) for v, (o, i, y, x) in zip(values, indices)]


def lattice(m, values):
    """The map as a convolution with stride 1 on the infinite lattice: (shape, values). Phases of the stride are channels."""
    (eh, ew), (kh, kw) = m["e"], m["taps"]
    columns = m["in"] * eh * ew
    found = [Fraction(0)] * (m["out"] * columns * kh * kw)
    for v, o, i, y, x in taps_of(m, values):
        found[((o * columns + (i * eh + y % eh) * ew + x % ew) * kh + y // eh) * kw + x // ew] = v
    return (m["out"], columns, kh, kw), found, values


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


def degree(k, grid):
    """The least divisor of grid that is at least k - 1, and 0 for k = 1: what counts as the degree of the symbol."""
    return 0 if k == 1 else next((d for d in range(k - 1, grid) if grid % d == 0), None)


def all_fit(taps, grid):
    return all(degree(k, grid) is not None for k in taps)


def fits_torus(m, side):
    """Places modulo `side` are read for no others: outputs 0 ... made - 1 read places 0 ... last, of which the image covers first ... end."""
    for a, n in enumerate(m["image"]):
        s, d, p, e, made = m["stride"][a], m["dilation"][a], m["padding"][a], m["e"][a], m["made"][a]
        if m["mode"] == "circular":
            if side * s % n:
                return False
            continue
        last, first, end = made - 1 + d * e // s * (m["taps"][a] - 1), max(0, (p - d * (e - 1)) // s), (n - 1 + p) // s
        if side < made or side <= last - first or side <= end:
            return False
    return True


def symbol_below(shape, values, grid, t, torus):
    """G is at most diag(t), t per output or one for all, at every image size; with `torus`, where it is a part of one of grid x grid places."""
    out, columns, kh, kw = shape
    need(grid <= 4096 and (torus or all_fit((kh, kw), grid)), "the grid does not fit the kernel")
    area = kh * kw
    turns = [turn(k, grid) for k in range(grid)]
    c = 1 if torus else turn(degree(kh, grid), 4 * grid)[0] * turn(degree(kw, grid), 4 * grid)[0] - Fraction(1, 2**100)
    sizes = [sum(abs(v) for v in values[a : a + area]) for a in range(0, len(values), area)]
    t = t * out if len(t) == 1 else t
    even = len(set(t)) == 1
    if any(v < 0 for v in t) or any(s > 0 == t[i // columns] for i, s in enumerate(sizes)):
        return False
    # Each part of an entry errs by 2^-110 of the sum of |K|; (r + e)^2 <= r^2 (1 + 2^-40) + e^2 (1 + 2^40), all divided by t.
    error = 2 * sum(s * s / t[i // columns] for i, s in enumerate(sizes) if s) * Fraction(1, 2**220)
    if not error * 2**41 <= c * c * Fraction(1, 2**41):
        return False
    limits = [v * c * c * (1 - Fraction(1, 2**39)) for v in t]
    for u, v in grid_of(range(grid), range(grid // 2 + 1)):
        points = [turns[((s // kw) * u + (s % kw) * v) % grid] for s in range(area)]
        re = [[sum(values[(o * columns + i) * area + s] * points[s][0] for s in range(area)) for i in range(columns)] for o in range(out)]
        im = [[sum(values[(o * columns + i) * area + s] * points[s][1] for s in range(area)) for i in range(columns)] for o in range(out)]
        if out > columns and even:
            re, im = [list(r) for r in zip(*re)], [list(r) for r in zip(*im)]
        rows = [r + [-x for x in z] for r, z in zip(re, im)] + [z + r for r, z in zip(re, im)]
        if not dominated(rows, [limits[0]] * len(rows) if even else 2 * limits):
            return False
    return True


def check_dominance(node, path, m, shape, values, raw):
    """(side, T) with G at most diag(T), for the lattice kernel `values` of shape (out, in, kh, kw); `raw` is the weight as stored."""
    rule = node.get("rule") if isinstance(node, dict) else None
    out, columns, kh, kw = shape
    if rule == "gershgorin":
        return check_gershgorin(node, path, shape, values)
    if rule == "psd-witness":
        return check_psd(node, path, shape, values)
    if rule == "dominance-convex":
        entries(node, ["rule", "weights", "premises"], path)
        weights = [rational(w) for w in node["weights"]]
        parts = [check_dominance(p, path, m, shape, values, raw) for p in node["premises"]]
        need(len(weights) == len(parts) > 0 and min(weights) >= 0 and sum(weights) == 1, f"{path}: weights must be >= 0 and add up to 1")
        side, first = next((p for p in parts if p[0] == "rows"), parts[0])
        even = [t if s == side else [max(t)] * len(first) for s, t in parts]
        return side, [sum(w * t[i] for w, t in zip(weights, even)) for i in range(len(first))]
    if rule == "gram-iteration-symbol":
        entries(node, ["rule", "grid", "T"], path)
        t, grid = [dyadic(v) for v in node["T"]], integer(node["grid"])
        need(len(t) in (1, out), f"{path}: one T is needed, or one for each output")
        need(symbol_below(shape, values, grid, t, fits_torus(m, grid)), f"{path}: the symbol is above T")
        return "rows", t * out if len(t) == 1 else t
    if rule == "reshaped-kernel":
        entries(node, ["rule", "premise"], path)
        side, t = check_dominance(node["premise"], path, m, (out, columns * kh * kw, 1, 1), values, raw)
        t = [v * kh * kw for v in t]
        return (side, t) if side == "rows" else (side, [max(t)] * columns)
    if rule == "operator-matrix":
        entries(node, ["rule", "premise"], path)
        (h, w), (oh, ow) = m["image"], m["made"]
        circular = m["mode"] == "circular"
        wide = m["in"] * h * w
        matrix = [Fraction(0)] * (m["out"] * oh * ow * wide)
        for v, o, i, ky, kx in taps_of(m, raw):
            for y, x in grid_of(range(oh), range(ow)):
                a, b = (n * s - p + k * d for n, s, p, k, d in zip((y, x), m["stride"], m["padding"], (ky, kx), m["dilation"]))
                a, b = (a % h, b % w) if circular else (a, b)
                if 0 <= a < h and 0 <= b < w:
                    matrix[((o * oh + y) * ow + x) * wide + (i * h + a) * w + b] += v
        side, t = check_dominance(node["premise"], path, m, (m["out"] * oh * ow, wide, 1, 1), matrix, raw)
        channels, n = (m["out"], out) if side == "rows" else (m["in"], columns)
        each = len(t) // channels
        return side, [max(t[c * each : (c + 1) * each]) for c in (k * channels // n for k in range(n))]
    raise Refused(f"{path}: there is no rule {rule} for a weight")


def check_weight(node, path, m, values):
    return check_dominance(node, path, m, *lattice(m, values))


# Operators on images, as they were emitted.


def check_operator(t, path, m):
    form = m["form"]
    keys = {"pixelwise": [], "spectrum": ["image"], "series": ["degree", "kernel", "mode"]}
    need(form["kind"] in keys, f"{path}: there is no form {form['kind']} of an operator")
    entries(form, ["kind", *keys[form["kind"]]], path)
    if form["kind"] == "pixelwise":
        return check_weight(t.dominance, path, m, t("W", m["shape"]))
    return "rows", [(spectrum_norm if form["kind"] == "spectrum" else series_norm)(t, path, m, form)] * m["out"]


def spectrum_norm(t, path, m, form):
    """Of F* Q F, F = M R the two tables of a transform and Q a matrix at each frequency: (|R|^2 |M|^2)^2 times the largest |Q|^2."""
    node, (h, w) = entries(t.dominance, ["rule", "T"], path), pair(form["image"])
    need(h >= m["image"][0] and w >= m["image"][1], f"{path}: the images are too small")
    need(node["rule"] == "spectrum" and len(node["T"]) == 3, f"{path}: its witness is a spectrum")
    bounds, half = [dyadic(v) for v in node["T"]], w // 2 + 1
    shapes = {"R": [w, 2 * half], "M": [2 * h, 2 * h], "W": [h * half, 2 * m["out"], 2 * m["in"]]}
    for (name, shape), bound in zip(shapes.items(), bounds):
        values, (rows, columns) = t(name, shape), shape[-2:]
        for at in range(0, len(values), rows * columns):
            matrix = [values[at + i * columns : at + (i + 1) * columns] for i in range(rows)]
            thin = matrix if rows <= columns else [list(c) for c in zip(*matrix)]
            need(dominated(thin, [bound] * len(thin)), f"{path}: {name} is above its T")
    return (bounds[0] * bounds[1]) ** 2 * bounds[2]


def above(value, bits):
    """The next multiple of 2^-bits above."""
    return Fraction((value.numerator << bits) // value.denominator + 1, 1 << bits)


def series_norm(t, path, m, form):
    """Of 1 + c1 A (1 + c2 A (1 + ...)), A the convolution with a skew kernel: the series of exp has norm 1 on its window, and c nearly 1/m."""
    kernel, degree, n = pair(form["kernel"]), integer(form["degree"]), max(m["out"], m["in"])
    area, k = prod(kernel), t("W", [n, n, *kernel])
    at = lambda o, i, tap: k[(o * n + i) * area + tap]
    skew = all(at(o, i, s) == -at(i, o, area - 1 - s) for o, i, s in grid_of(range(n), range(n), range(area)))
    need(skew and all(v % 2 for v in kernel), f"{path}: the kernel is not the negative of its adjoint")
    conv = {"kind": "conv", "out": n, "in": n, "kernel": kernel, "stride": [1, 1], "padding": [v // 2 for v in kernel]}
    conv = read_map({**conv, "dilation": [1, 1], "groups": 1, "mode": form["mode"]}, path, [n, *m["image"]])
    squared = Fraction(max(check_weight(t.dominance, path, conv, k)[1]))
    need(squared <= WINDOWS.get(degree, -1), f"{path}: the kernel is above the window of the series")
    y, found, exact, total = above(root_up(squared), 8), Fraction(1), Fraction(1), Fraction(1)
    for i, c in enumerate(t("c", [degree])):
        found, exact = found * c * y, exact * y / (i + 1)
        total += abs(found - exact)
    return above(total, 40) ** 2


class Emitted:
    """The tensors of the layer at `path`."""

    def __init__(self, path, dominance, tensors, open_names):
        self.path, self.dominance, self.tensors, self.open = path, dominance, tensors, open_names

    def __call__(self, key, shape, optional=False):
        name = f"{self.path}.{key}"
        if optional and name not in self.tensors:
            return None
        need(name in self.tensors, f"the tensors file lacks {name}")
        self.open.discard(name)
        found, values, _ = self.tensors[name]
        need(found == shape, f"{name} must have shape {shape}")
        return values


def check_weights(weights, body, head, tensors):
    entries(weights, ["arithmetic", "squared", "layers", "tensors"] + (["squaredDistances"] if head else []), "weights")
    need(isinstance(weights["arithmetic"], str) and weights["arithmetic"].startswith("real arithmetic on the emitted f32 tensors"), "unknown arithmetic")
    need(weights["tensors"] == {name: t[2] for name, t in tensors.items()}, "the hashes are not those of the tensors")
    need(len(weights["layers"]) == len(body), "as many layers as the network has are needed")
    open_names = set(tensors)
    values = [ORIGIN]
    for layer, entry in zip(body, weights["layers"]):
        path = layer["path"]
        entries(entry, ["path", "squared"] + (["dominance"] if "map" in layer else []), path, ["own"])
        need(entry["path"] == path, f"{path} is missing")
        own = layer["emitted"](Emitted(path, entry.get("dominance"), tensors, open_names)) if "emitted" in layer else layer["bound"]
        values.append(follow(layer, own, values))
        need(entry.get("own") == (None if callable(own) else str(Fraction(own))), f"{path}: its own squared bound is {own}")
        need(entry["squared"] == str(values[-1]["squared"]), f"{path}: the squared bound is {values[-1]['squared']}")
    total = values[-1]["squared"]
    need(weights["squared"] == str(total), f"the squared bound is {total}")
    if head:
        path, classes, d = head
        tensor = Emitted(path, None, tensors, open_names)
        tensor("b", [classes])
        flat = tensor("W", [classes, d])
        rows = [flat[i * d : (i + 1) * d] for i in range(classes)]
        exact = [str(Fraction(sum((x - y) ** 2 for x, y in zip(rows[i], rows[j])))) for i in range(classes) for j in range(i)]
        need(weights["squaredDistances"] == exact, "the squared distances of the head's rows differ")
    need(not open_names, "no layer uses some of the tensors")
    return total


def hash_of(value):
    return hashlib.sha256(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def verify(certificate, file):
    entries(certificate, ["format", "network", "squared", "derivation", "sha256"], "the certificate", ["weights"])
    need(certificate["format"] == FORMAT, "unknown format")
    need(certificate["sha256"] == hash_of({k: v for k, v in certificate.items() if k != "sha256"}), "the certificate was changed after it was written")
    body, head = check_network(certificate["network"])
    squared = check_derivation(certificate["derivation"], body)
    need(certificate["squared"] == str(squared), f"the squared bound is {squared}")
    budget = rational(certificate["network"]["budget"])
    need(budget >= 0 and squared <= budget**2, "the bound is above the budget")
    need(("weights" in certificate) == (file is not None), "tensors are needed for a certificate of weights, and only for one")
    if file is None:
        return squared, None
    tensors, network = file
    need(network == hash_of({k: certificate[k] for k in ("network", "derivation")}), "the tensors were emitted for another network")
    return squared, check_weights(certificate["weights"], body, head, tensors)


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
    except (OSError, ValueError, RecursionError) as e:
        print(f"lip_verify: {e}", file=sys.stderr)
        return 2
    try:
        squared, emitted = verify(certificate, None if data is None else read_tensors(data))
    except Refused as e:
        print(f"refused: {e}")
        return 3
    # What has not the form of a certificate at all.
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as e:
        print(f"refused: malformed, {type(e).__name__}: {e}")
        return 3
    print(f"accepted: squared bound {squared} for all weights" + ("" if emitted is None else f", {emitted} for these tensors"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
