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

FORMAT = "lip-lipschitz-certificate-2"


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


# Layers. Each kind is a function (layer, shapes of its inputs) -> facts about it: "output", the "rule" with its "constants" that proves
# its "bound" for all weights (a squared number, or a function of the inputs' values), and "emitted", a function of the tensors that gives
# the same for those.


def read_map(m, path, shape):
    """The linear map that reads `shape`, with the height and width it reads and makes."""
    conv = len(shape) == 3
    entries(m, ["kind", "weight", "out", "in"] + (["kernel", "stride", "padding", "dilation", "groups", "mode"] if conv else []), path)
    need(m["kind"] == ("conv" if conv else "dense") and isinstance(m["weight"], str), f"{path}: the map does not fit the shape")
    need(integer(m["out"]) and m["in"] == shape[0], f"{path} reads {m['in']} channels, but there are {shape[0]}")
    m = {**m, "conv": conv, "image": shape[1:] if conv else [1, 1]}
    if not conv:
        return {**m, "kernel": [1, 1], "e": [1, 1], "taps": [1, 1], "groups": 1, "made": [], "shape": [m["out"], m["in"]]}
    k, s, d, p = pair(m["kernel"]), pair(m["stride"]), pair(m["dilation"]), pair(m["padding"], 0)
    g = integer(m["groups"])
    need(m["in"] % g == 0 and m["out"] % g == 0, f"{path}: the groups do not divide the channels")
    made = [(n + 2 * p[a] - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a, n in enumerate(m["image"])]
    need(all(n >= 1 for n in made), f"{path}: the kernel is larger than the padded image")
    need(m["mode"] in ("zeros", "circular"), f"{path}: unknown mode")
    if m["mode"] == "circular":
        need(all(n % s[a] == 0 and made[a] * s[a] <= n for a, n in enumerate(m["image"])), f"{path}: the circle does not close")
    e = [s[a] // gcd(s[a], d[a]) for a in range(2)]
    return {**m, "e": e, "taps": [-(-k[a] // e[a]) for a in range(2)], "made": made, "shape": [m["out"], m["in"] // g, *k]}


SLOPES = {"relu": (0, 1), "tanh": (0, 1), "sigmoid": (0, Fraction(1, 4)), "abs": (-1, 1)}


def steepest(*slopes):
    return max(abs(Fraction(v)) for v in slopes) ** 2


def halves(channels, path):
    need(channels % 2 == 0, f"{path}: {channels} channels have no halves")
    return channels // 2


def reflected(v):
    half = len(v) // 2
    return between(1, 2 * max(v[i] ** 2 + v[half + i] ** 2 for i in range(half)))


ACT_KEYS = {"leaky_relu": "slope", "groupsort": "group", "maxmin": "pairs", "prelu": "weight", "householder": "weight", "householder2": "weight"}


def read_activation(act, path, channels):
    """(slopes or None, facts)."""
    name = act.get("function")
    entries(act, ["function"] + ([ACT_KEYS[name]] if name in ACT_KEYS else []), path)
    need("weight" not in act or isinstance(act["weight"], str), f"{path}: a weight is named")
    if name == "maxmin":
        need(act["pairs"] == "adjacent" or (act["pairs"] == "halves" and halves(channels, path)), f"{path}: unknown pairs")
        return None, {"rule": "sort", "constants": {"group": 2}, "bound": 1}
    if name == "groupsort":
        need(channels % integer(act["group"]) == 0, f"{path}: groups do not divide the channels")
        return None, {"rule": "sort", "constants": {"group": act["group"]}, "bound": 1}
    if name in ("prelu", "halfabs"):
        facts = {"rule": "channelwise", "constants": {"low": -1, "high": 1}, "bound": 1}
        return None, {**facts, "emitted": lambda t: steepest(1, *t("a", [channels]))} if name == "prelu" else facts
    if name == "rabs":
        halves(channels, path)
        return None, {"rule": "rotate-halves", "bound": 1, "emitted": lambda t: near_one(2 * t("m", [1])[0] ** 2, path)}
    if name == "crelu":
        return None, {"rule": "concatenated-relu", "bound": 1, "channels": 2 * channels}
    if name in ("householder", "householder2"):
        pairs, order = halves(channels, path), 1 if name == "householder" else 2

        def emitted(t):
            need(order == 1, f"{path}: rounded sectors of order 2 are not continuous")
            return reflected(t("v", [2, pairs]))

        return None, {"rule": "householder-activation", "constants": {"order": order}, "bound": 1, "emitted": emitted}
    need(name == "leaky_relu" or name in SLOPES, f"{path}: there is no activation {name}")
    a = rational(act["slope"]) if name == "leaky_relu" else None
    low, high = SLOPES[name] if a is None else sorted([a, Fraction(1)])
    facts = {"rule": "elementwise", "constants": {"low": low, "high": high}, "bound": steepest(low, high)}
    if a is not None:
        facts["emitted"] = lambda t: steepest(1, near(t("a", [1]), [a])[0])
    return (low, high), facts


def read_inside(act, path, channels):
    slopes, _ = read_activation(act, path, channels)
    need(slopes and 0 <= slopes[0] and slopes[1] <= 1, f"{path}: the activation inside must have slope in [0, 1]")
    return slopes


def near_one(value, path):
    need(abs(value - 1) <= Fraction(1, 2**21), f"{path}: its multiplier is not the layer's")
    return value


def near(values, exact, share=Fraction(1, 2**23)):
    need(all(abs(v - e) <= abs(e) * share for v, e in zip(values, exact)), "an emitted number is not its layer's")
    return values


def same(shapes, path):
    need(shapes and all(s == shapes[0] for s in shapes), f"{path} joins values of different shapes")
    return shapes[0]


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


def side_by_side(branches):
    """Functions of disjoint parts of one value act side by side: the bound is the largest."""
    slices = sorted(b["slice"] for b in branches if b["slice"])
    if len(slices) == len(branches) and all(p[1] <= n[0] for p, n in zip(slices, slices[1:])):
        return max(b["squared"] for b in branches)
    return added(branches)


def pooling(layer, shape):
    """(output, how many windows share an entry)."""
    k, s = pair(layer["size"]), pair(layer["stride"])
    plane = shape[1:] if len(shape) == 3 else [1, *shape]
    made = [(n - k[a]) // s[a] + 1 for a, n in enumerate(plane)]
    return [shape[0], *made] if len(shape) == 3 else made[1:], prod(-(-k[a] // s[a]) for a in range(2))


WINDOWS = {3: Fraction(3), 4: Fraction(8), 7: Fraction(311, 100), 8: Fraction(288, 25), 11: Fraction(289, 100), 12: Fraction(571, 50)}
METHODS = {"cayley": [], "bro": ["eps"], "lot": ["eps", "steps"], "skew_exponential": ["degree", "norm", "steps", "padding"], "sandwich": ["part"]}


def read_method(method, path):
    """(family, constants)."""
    family = method.get("family")
    need(family in METHODS, f"{path}: there is no contraction {family}")
    entries(method, ["family", *METHODS[family]], path)
    if family == "sandwich":
        need(method["part"] in ("product", "second"), f"{path}: unknown part")
        return family, {}
    constants = {k: rational(method[k]) for k in ("eps", "norm") if k in method}
    need(constants.get("eps", 1) > 0, f"{path}: eps must be positive")
    if "steps" in method:
        constants["steps"] = integer(method["steps"], 0 if family == "lot" else 1)
    if family == "skew_exponential":
        constants["degree"] = integer(method["degree"])
        need(method["padding"] in ("zeros", "circular"), f"{path}: unknown padding")
        window = WINDOWS.get(method["degree"], -1)
        need(constants["norm"] >= 0 and constants["norm"] ** 2 <= window, f"{path}: the norm is outside the window of its degree")
    return family, constants


def read_kernel(layer, shape, path):
    """Of an operator: the size of its kernel on images, None for vectors."""
    need(layer["in"] == shape[0] and isinstance(layer["weight"], str), f"{path} reads {layer['in']} channels")
    need(("kernel" in layer) == (len(shape) == 3), f"{path}: a kernel is for images")
    return pair(layer["kernel"]) if "kernel" in layer else None


def between(h, c):
    return max(h**2, (h - c) ** 2)


def facts_of(layer, shapes, path):
    kind, shape = layer["kind"], shapes[0]
    isometry = lambda rule, output: {"output": output, "rule": rule, "bound": 1}
    if kind in ("center", "scale"):
        numbers = [rational(v) for v in layer["offset" if kind == "center" else "divisor"]]
        need(len(numbers) in (1, shape[0]), f"{path}: one number, or one for each channel")
        if kind == "center":
            return {**isometry("translate", shape), "emitted": lambda t: near(t("c", [len(numbers)]), numbers) and 1}
        need(all(numbers), f"{path} divides by 0")
        factors = [1 / v for v in numbers]
        return {
            "output": shape,
            "rule": "divide",
            "constants": {"least": min(abs(v) for v in numbers)},
            "bound": steepest(*factors),
            "emitted": lambda t: steepest(*near(t("m", [len(factors)]), factors, Fraction(1, 2**21))),
        }
    if kind in ("batchcenter", "translate"):
        rule = "batch-center" if kind == "batchcenter" else kind
        return {**isometry(rule, shape), "emitted": lambda t: t("c", [shape[0]]) and 1}
    if kind == "pad":
        need(integer(layer["to"]) >= shape[0], f"{path} pads to fewer channels")
        return isometry("zero-pad", [layer["to"], *shape[1:]])
    if kind == "slice":
        start, end = integer(layer["start"], 0), layer["start"] + integer(layer["length"])
        need(end <= shape[0], f"{path} takes channels that are not there")
        return {**isometry("channel-truncate", [layer["length"], *shape[1:]]), "slice": (start, end)}
    if kind == "flatten":
        return isometry("reindex", [prod(shape)])
    if kind in ("space_to_depth", "depth_to_space"):
        need(len(shape) == 3, f"{path} needs an image")
        (a, b), (c, h, w) = pair(layer["block"]), shape
        down = kind == "space_to_depth"
        need(h % a == 0 == w % b if down else c % (a * b) == 0, f"{path}: the blocks do not divide the image")
        return isometry("reindex", [c * a * b, h // a, w // b] if down else [c // (a * b), h * a, w * b])
    if kind == "activation":
        facts = read_activation(layer["act"], path, shape[0])[1]
        return {**facts, "output": [facts.pop("channels", shape[0]), *shape[1:]]}
    if kind == "tile":
        n = integer(layer["times"])
        return {**isometry("copies", [n * shape[0], *shape[1:]]), "constants": {"n": n}, "emitted": lambda t: near_one(t("m", [1])[0] ** 2 * n, path)}
    if kind == "gain":
        need(isinstance(layer["angle"], str), f"{path}: the angle is named")
        return {**isometry("bounded-gain", shape), "emitted": lambda t: steepest(*t("m", [shape[0]]))}
    if kind == "layercenter":
        return {**isometry("layer-center", shape), "emitted": lambda t: between(1, near_one(t("m", [1])[0] * prod(shape), path))}
    if kind in ("maxpool", "l2pool"):
        output, overlap = pooling(layer, shape)
        return {"output": output, "rule": kind[:-4] + "-pool", "constants": {"overlap": overlap}, "bound": overlap}
    if kind == "avgpool":
        (output, overlap), count, divisor = pooling(layer, shape), prod(layer["size"]), rational(layer["divisorSquared"])
        need(divisor > 0, f"{path} divides by 0")

        def pooled(t):
            m = t("m", [1])[0] ** 2
            near_one(m * divisor, path)
            return m * count * overlap

        rule = "block-average" if layer["size"] == layer["stride"] and divisor == count else "average-pool"
        constants = {"overlap": overlap, "divisorSquared": divisor}
        return {"output": output, "rule": rule, "constants": constants, "bound": count * overlap / divisor, "emitted": pooled}
    if kind == "contraction":
        family, constants = read_method(layer["method"], path)
        kernel, out = read_kernel(layer, shape, path), integer(layer["out"])
        need((kernel is None) == (family == "sandwich"), f"{path} does not fit {shape}")

        def operator_norm(t):
            t("b", [out], True)
            if kernel is None or (family == "cayley" and kernel == [1, 1]):
                return max(per_pixel(t, path, out, layer["in"]))
            if family == "skew_exponential":
                return series_norm(t, path, [max(out, layer["in"]), *shape[1:]], kernel, layer["method"])
            # All but Cayley's act on the image with zeros around it, and what lies there is cut off.
            size = [n + (0 if family == "cayley" else (k - 1) // 2 * 2) for n, k in zip(shape[1:], kernel)]
            return spectrum_norm(t, path, size, 2 * out, 2 * layer["in"])

        output = [out, *shape[1:]]
        return {"output": output, "rule": "contraction", "constants": constants, "bound": 1, "emitted": operator_norm, "dominated": True}
    if kind == "sandwich":
        kernel, out = read_kernel(layer, shape, path), integer(layer["out"])
        low, high = read_inside(layer["act"], path, out)
        need(isinstance(layer["psi"], str), f"{path}: psi is named")

        def sandwiched(t):
            t("b", [out], True)
            both = out + layer["in"]
            if kernel in (None, [1, 1]):
                bound = per_pixel(t, path, out, both)
            else:
                bound = [spectrum_norm(t, path, shape[1:], 2 * out, 2 * both)] * out
            need(all(d >= 0 and e >= 0 and d * e * b <= 2 for d, e, b in zip(t("d", [out]), t("e", [out]), bound)), f"{path}: d e T is above 2")
            return 1

        return {"output": [out, *shape[1:]], "rule": "sandwich", "constants": {"low": low, "high": high}, "bound": 1, "emitted": sandwiched, "dominated": True}
    if kind == "linear":
        adjoint = layer.get("adjoint", False)
        need(layer["side"] in ("in", "out") and ("adjoint" not in layer or adjoint is True), f"{path}: unknown side")
        m = read_map(layer["map"], path, layer["output"] if adjoint else shape)
        made = [m["out"], *m["made"]]
        need(not adjoint or made == shape, f"{path}: the adjoint does not read {shape}")

        def norm(t):
            t("b", [m["in" if adjoint else "out"]], True)
            return max(check_dominance(t.dominance, path, m, *lattice(m, t("W", m["shape"])))[1])

        return {"output": layer["output"] if adjoint else made, "rule": "linear-adjoint" if adjoint else "linear", "map": m, "bound": 1, "emitted": norm}
    if kind == "residual":
        m = read_map(layer["map"], path, shape)
        slopes = read_inside(layer["act"], path, m["out"])
        h, c = rational(layer["identity"]), rational(layer["factor"])

        def branch(tensor):
            tensor("b", [m["out"]], True)
            given = tensor("h", [1], True)
            need(given or h == 1, f"{path}: h was not emitted")
            t = tensor("t", [m["out"]])
            side, bound = check_dominance(tensor.dominance, path, m, *lattice(m, tensor("W", m["shape"])))
            bound = bound if side == "rows" else [max(bound)] * m["out"]
            need(all(v >= 0 for v in t), f"{path}: t must not be negative")
            top = max(v * b for v, b in zip(t, bound))
            return between(near(given, [h])[0] if given else 1, top if c >= 0 else -top)

        constants = {"low": slopes[0], "high": slopes[1], "h": h, "c": c}
        return {"output": shape, "rule": "residual", "constants": constants, "map": m, "bound": between(h, c), "emitted": branch}
    if kind == "sum":
        factors = [rational(v) for v in layer["factors"]]
        need(len(factors) == len(shapes), f"{path} has {len(factors)} factors")
        constants = {f"a{n + 1}": f for n, f in enumerate(factors)}
        emitted = lambda t: weighted(near(t("m", [len(factors)]), factors))
        return {"output": same(shapes, path), "rule": "sum", "constants": constants, "bound": weighted(factors), "emitted": emitted}
    if kind == "mix":
        need(len(shapes) == 2, f"{path} mixes two values")
        need(("weight" in layer) != ("trained" in layer), f"{path} mixes by one weight")
        w = rational(layer["weight"]) if "weight" in layer else None
        need(w is None or 0 <= w <= 1, f"{path}: a weight lies in [0, 1]")
        need(w is not None or isinstance(layer["trained"], str), f"{path}: the weight is named")
        largest = lambda values: max(v["squared"] for v in values)

        def mixed(t):
            found = t("w", [1])
            need(0 <= found[0] <= 1 and (w is None or near(found, [w])), f"{path}: the weight is not between 0 and 1")
            return largest

        return {"output": same(shapes, path), "rule": "mix", "constants": {} if w is None else {"w": w}, "bound": largest, "emitted": mixed}
    if kind == "concat":
        same([s[1:] for s in shapes], path)
        return {"output": [sum(s[0] for s in shapes), *shape[1:]], "rule": "concat", "bound": side_by_side}
    need(kind == "maximum" and layer["of"] in ("largest", "smallest"), f"{path}: there is no layer kind {kind}")
    return {"output": same(shapes, path), "rule": "maximum", "bound": added}


# The entries of each kind; those in brackets may be missing.
KEYS = {
    "center": ["offset"],
    "batchcenter": ["mean"],
    "translate": ["by"],
    "scale": ["divisor"],
    "pad": ["to"],
    "slice": ["start", "length"],
    "flatten": [],
    "space_to_depth": ["block"],
    "depth_to_space": ["block"],
    "activation": ["act"],
    "tile": ["times"],
    "gain": ["angle"],
    "layercenter": [],
    "contraction": ["method", "out", "in", "weight", "[kernel]"],
    "sandwich": ["out", "in", "weight", "psi", "act", "[kernel]"],
    "avgpool": ["size", "stride", "divisorSquared"],
    "maxpool": ["size", "stride"],
    "l2pool": ["size", "stride"],
    "linear": ["map", "side", "[adjoint]"],
    "residual": ["map", "act", "identity", "factor"],
    "sum": ["factors"],
    "mix": ["[weight]", "[trained]"],
    "concat": [],
    "maximum": ["of"],
    "head": ["classes"],
}
SEVERAL = ("sum", "mix", "concat", "maximum")


def check_network(net):
    """(facts of each layer but the head, (classes, features) of the head or None)."""
    entries(net, ["name", "input", "budget", "layers"], "network")
    need(isinstance(net["name"], str), "the name is text")
    entries(net["input"], ["shape"], "input", ["range"])
    if "range" in net["input"]:
        low, high = (rational(v) for v in net["input"]["range"])
        need(low <= high, "the range of the input is empty")
    shape = net["input"]["shape"]
    need(len(shape) in (1, 3) and all(integer(n) for n in shape), "the input must be [features] or [channels, height, width]")
    shapes, body, paths, used = [shape], [], set(), set()
    for n, layer in enumerate(net["layers"]):
        kind, path = layer["kind"], layer["path"]
        need(kind in KEYS, f"{path}: there is no layer kind {kind}")
        optional = [k[1:-1] for k in KEYS[kind] if k[0] == "["]
        entries(layer, ["path", "kind", "inputs", "output", *(k for k in KEYS[kind] if k[0] != "[")], path, optional)
        need(isinstance(path, str) and path not in paths, f"two layers are called {path}")
        paths.add(path)
        inputs = [integer(i, 0) for i in layer["inputs"]]
        need(all(i < len(shapes) for i in inputs) and (inputs if kind in SEVERAL else len(inputs) == 1), f"{path}: wrong inputs")
        used.update(inputs)
        if kind == "head":
            need(n == len(net["layers"]) - 1 and inputs == [n] and len(shapes[n]) == 1, "the head must be last and read a vector")
            need(layer["output"] == [integer(layer["classes"])], "the head makes its classes")
            need(used >= set(range(n)), "the value of a layer is not used")
            return body, (layer["classes"], shapes[n][0])
        facts = {**facts_of(layer, [shapes[i] for i in inputs], path), "path": path, "inputs": inputs}
        need(all(integer(d) for d in layer["output"]) and facts["output"] == layer["output"], f"{path} makes {facts['output']}, not {layer['output']}")
        body.append(facts)
        shapes.append(layer["output"])
    need(used >= set(range(len(body))), "the value of a layer is not used")
    return body, None


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


# The derivation for all weights. A rule of dominance: (for convolutions?, number of premises, tests of its constants).

at_least = lambda least: lambda v, m, all: v >= least
is_entry = lambda what, axis: lambda v, m, all: v == m[what][axis]
PHASES = {"kh": lambda v, m, all: v == m["taps"][0], "kw": lambda v, m, all: v == m["taps"][1]}
FACTOR = {**PHASES, "factor": lambda v, m, all: v == prod(m["taps"])}
BJORCK = {"steps": at_least(1), "start": lambda v, m, all: 0 <= v <= 2}
KERNEL = {**BJORCK, "kernel": lambda v, m, all: m["groups"] == 1 and m["kernel"] == [v, v]}
SERIES = {"degree": at_least(1), "squarings": at_least(0), "window": lambda v, m, all: v >= 0 and v**2 <= WINDOWS.get(all["degree"], -1)}
DOMINANCE = {
    "gershgorin": (False, 0, {}),
    "gershgorin-lattice": (True, 0, {}),
    "frobenius": (None, 0, {}),
    "schur": (None, 0, {}),
    "gram-iteration": (False, 0, {"steps": at_least(1)}),
    "gram-iteration-symbol": (True, 0, {**PHASES, "steps": at_least(1), "grid": lambda v, m, all: v >= max(m["taps"])}),
    "gram-iteration-operator": (True, 0, {"steps": at_least(1)}),
    "gram-iteration-reshaped": (True, 0, {**FACTOR, "steps": at_least(1)}),
    "orthogonal-cayley": (False, 0, {}),
    "orthogonal-reshaped": (True, 0, FACTOR),
    "orthogonal-householder": (False, 0, {}),
    "orthogonal-bro": (False, 0, {"eps": lambda v, m, all: v > 0}),
    "orthogonal-exponential": (False, 0, SERIES),
    "contraction-cholesky": (False, 0, {"eps": at_least(0)}),
    "contraction-bjorck": (False, 0, BJORCK),
    "orthogonal-bcop": (True, 0, KERNEL),
    "orthogonal-strided": (True, 0, {**KERNEL, "stride": lambda v, m, all: m["stride"] == [v, v] and m["dilation"] == [1, 1] and min(m["kernel"]) >= v}),
    "reshaped-kernel": (True, 1, FACTOR),
    "power-gershgorin": (None, 0, {"steps": at_least(2)}),
    "grouped": (True, 1, {"groups": lambda v, m, all: v == m["groups"] > 1}),
    "polyphase": (True, 1, {f"{what}_{'hw'[a]}": is_entry(what, a) for what in ("stride", "dilation") for a in range(2)}),
    "torus": (True, 1, {}),
    "dominance-shift": (None, 1, {"eps": at_least(0)}),
    "dominance-scale": (None, 1, {"factor": at_least(1)}),
}


def check_all_weights_dominance(step, path, m):
    entries(step, ["rule"], path, ["constants", "premises"])
    rule, premises = step["rule"], step.get("premises", [])
    constants = {k: rational(v) for k, v in step.get("constants", {}).items()}
    inner = {**m, "conv": False} if rule == "reshaped-kernel" else m
    for p in premises:
        check_all_weights_dominance(p, path, inner)
    if rule in ("dominance-max", "dominance-convex"):
        names = [] if rule == "dominance-max" else [f"a{n + 1}" for n in range(len(premises))]
        need(premises and set(constants) == set(names), f"{path}: {rule} has other premises or constants")
        need(not names or (min(constants.values()) >= 0 and sum(constants.values()) == 1), f"{path}: weights are >= 0 and add up to 1")
        return
    need(rule in DOMINANCE, f"{path}: there is no rule {rule}")
    conv, count, tests = DOMINANCE[rule]
    need(conv is None or conv == m["conv"], f"{path}: {rule} does not apply to a {m['kind']} map")
    need(len(premises) == count and set(constants) == set(tests), f"{path}: {rule} has other premises or constants")
    need(rule != "torus" or m["mode"] == "circular", f"{path}: torus is for circular padding")
    for name, test in tests.items():
        need(test(constants[name], m, constants), f"{path}: {name} = {constants[name]} does not fit {rule}")


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
            check_all_weights_dominance(p, path, layer["map"])
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


def symbol_below(shape, values, grid, bound, circle):
    """The squared norm of the convolution is at most bound, at every image size; with `circle`, on one of grid x grid pixels."""
    out, columns, kh, kw = shape
    need(grid <= 4096 and (circle or max(kh, kw) <= grid), "the grid does not fit the kernel")
    area = kh * kw
    turns = [turn(k, grid) for k in range(grid)]
    c = 1 if circle else turn(kh - 1, 4 * grid)[0] * turn(kw - 1, 4 * grid)[0] - Fraction(1, 2**100)
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


def check_dominance(node, path, m, shape, values, raw):
    """(side, T) with G at most diag(T), for the lattice kernel `values` of shape (out, in, kh, kw); `raw` is the weight as stored."""
    rule = node.get("rule") if isinstance(node, dict) else None
    out, columns, kh, kw = shape
    if rule in ("gershgorin", "gershgorin-lattice"):
        need(rule == "gershgorin-lattice" or kh == kw == 1, f"{path}: gershgorin is for matrices")
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
        need(len(node["T"]) == 1, f"{path}: one T is needed")
        bound, grid = dyadic(node["T"][0]), integer(node["grid"])
        circle = m and m.get("mode") == "circular" and all(n == grid * s for n, s in zip(m["image"], m["stride"]))
        need(symbol_below(shape, values, grid, bound, circle), f"{path}: the symbol is above T")
        return "rows", [bound] * out
    if rule == "reshaped-kernel":
        entries(node, ["rule", "premise"], path)
        side, t = check_dominance(node["premise"], path, m, (out, columns * kh * kw, 1, 1), values, raw)
        t = [v * kh * kw for v in t]
        return (side, t) if side == "rows" else (side, [max(t)] * columns)
    if rule == "operator-matrix":
        entries(node, ["rule", "premise"], path)
        (h, w), (oh, ow) = m["image"], m["made"]
        circular = m["mode"] == "circular"
        need(not circular or all(d * (k - 1) < n for d, k, n in zip(m["dilation"], m["kernel"], (h, w))), f"{path}: the kernel meets itself")
        wide = m["in"] * h * w
        matrix = [Fraction(0)] * (m["out"] * oh * ow * wide)
        for v, o, i, ky, kx in taps_of(m, raw):
            for y, x in grid_of(range(oh), range(ow)):
                a, b = (n * s - p + k * d for n, s, p, k, d in zip((y, x), m["stride"], m["padding"], (ky, kx), m["dilation"]))
                a, b = (a % h, b % w) if circular else (a, b)
                if 0 <= a < h and 0 <= b < w:
                    matrix[((o * oh + y) * ow + x) * wide + (i * h + a) * w + b] = v
        side, t = check_dominance(node["premise"], path, m, (m["out"] * oh * ow, wide, 1, 1), matrix, raw)
        channels, n = (m["out"], out) if side == "rows" else (m["in"], columns)
        each = len(t) // channels
        return side, [max(t[c * each : (c + 1) * each]) for c in (k * channels // n for k in range(n))]
    raise Refused(f"{path}: there is no rule {rule} for a weight")


# Operators on images, as they were emitted.


def per_pixel(t, path, out, columns):
    """T on the rows of one matrix for vectors, or for every pixel."""
    values = t("W", [out, columns])
    side, bound = check_dominance(t.dominance, path, None, (out, columns, 1, 1), values, values)
    return bound if side == "rows" else [max(bound)] * out


def spectrum_norm(t, path, size, rows, columns):
    """Of F* Q F, F = M R the two tables of a transform and Q a matrix at each frequency: (|R|^2 |M|^2)^2 times the largest |Q|^2."""
    (h, w), node = size, entries(t.dominance, ["rule", "T"], path)
    need(node["rule"] == "spectrum" and len(node["T"]) == 3, f"{path}: its witness is a spectrum")
    bounds, half = [dyadic(v) for v in node["T"]], w // 2 + 1
    shapes = {"R": [w, 2 * half], "M": [2 * h, 2 * h], "W": [h * half, rows, columns]}
    for (name, shape), bound in zip(shapes.items(), bounds):
        values, (n, m) = t(name, shape), shape[-2:]
        for at in range(0, len(values), n * m):
            matrix = [values[at + i * m : at + (i + 1) * m] for i in range(n)]
            thin = matrix if n <= m else [list(c) for c in zip(*matrix)]
            need(dominated(thin, [bound] * len(thin)), f"{path}: {name} is above its T")
    return (bounds[0] * bounds[1]) ** 2 * bounds[2]


def above(value, bits):
    """The next multiple of 2^-bits above."""
    return Fraction((value.numerator << bits) // value.denominator + 1, 1 << bits)


def series_norm(t, path, shape, kernel, method):
    """Of 1 + c1 A (1 + c2 A (1 + ...)), A the convolution with a skew kernel: the series of exp has norm 1 on its window, and c nearly 1/m."""
    n, area = shape[0], prod(kernel)
    k = t("W", [n, n, *kernel])
    at = lambda o, i, tap: k[(o * n + i) * area + tap]
    skew = all(at(o, i, s) == -at(i, o, area - 1 - s) for o, i, s in grid_of(range(n), range(n), range(area)))
    need(skew and all(v % 2 for v in kernel), f"{path}: the kernel is not the negative of its adjoint")
    m = {"kind": "conv", "weight": "W", "out": n, "in": n, "kernel": kernel, "stride": [1, 1], "padding": [v // 2 for v in kernel]}
    m = read_map({**m, "dilation": [1, 1], "groups": 1, "mode": method["padding"]}, path, shape)
    squared = Fraction(max(check_dominance(t.dominance, path, m, *lattice(m, k))[1]))
    need(squared <= WINDOWS[method["degree"]], f"{path}: the kernel is above the window of the series")
    y, found, exact, total = above(root_up(squared), 8), Fraction(1), Fraction(1), Fraction(1)
    for i, c in enumerate(t("c", [method["degree"]])):
        found, exact = found * c * y, exact * y / (i + 1)
        total += abs(found - exact)
    return above(total, 40) ** 2


class Emitted:
    """The tensors that one layer's entry names; each may be asked for once."""

    def __init__(self, entry, path, tensors, open_names):
        self.refs, self.path, self.tensors, self.open = dict(entry.get("tensors", {})), path, tensors, open_names
        self.dominance = entry.get("dominance")

    def __call__(self, key, shape, optional=False):
        if optional and key not in self.refs:
            return None
        need(key in self.refs, f"{self.path} lacks the tensor {key}")
        ref = entries(self.refs.pop(key), ["name", "shape", "sha256"], self.path)
        need(ref["name"] in self.open, f"{ref['name']} is missing or used twice")
        self.open.remove(ref["name"])
        found, values, digest = self.tensors[ref["name"]]
        need(found == shape == ref["shape"] and digest == ref["sha256"], f"{ref['name']} is not the certified tensor")
        return values


def check_weights(weights, body, head, tensors):
    entries(weights, ["arithmetic", "squared", "layers"] + (["head"] if head else []), "weights")
    need(isinstance(weights["arithmetic"], str) and weights["arithmetic"].startswith("real arithmetic on the emitted f32 tensors"), "unknown arithmetic")
    need(len(weights["layers"]) == len(body), "as many layers as the network has are needed")
    open_names = set(tensors)
    values = [ORIGIN]
    for layer, entry in zip(body, weights["layers"]):
        path = layer["path"]
        entries(entry, ["path", "squared"] + (["dominance"] if layer.get("dominated", "map" in layer) else []), path, ["own", "tensors"])
        need(entry["path"] == path, f"{path} is missing")
        tensor = Emitted(entry, path, tensors, open_names)
        own = layer["emitted"](tensor) if "emitted" in layer else layer["bound"]
        need(not tensor.refs, f"{path} has a tensor that its kind has not")
        values.append(follow(layer, own, values))
        need(entry.get("own") == (None if callable(own) else str(Fraction(own))), f"{path}: its own squared bound is {own}")
        need(entry["squared"] == str(values[-1]["squared"]), f"{path}: the squared bound is {values[-1]['squared']}")
    total = values[-1]["squared"]
    need(weights["squared"] == str(total), f"the squared bound is {total}")
    if head:
        classes, d = head
        entries(weights["head"], ["tensors", "squaredDistances"], "head")
        tensor = Emitted(weights["head"], "head", tensors, open_names)
        tensor("b", [classes])
        flat = tensor("W", [classes, d])
        need(not tensor.refs, "the head has the tensors W and b")
        rows = [flat[i * d : (i + 1) * d] for i in range(classes)]
        exact = [str(Fraction(sum((x - y) ** 2 for x, y in zip(rows[i], rows[j])))) for i in range(classes) for j in range(i)]
        need(weights["head"]["squaredDistances"] == exact, "the squared distances of the head's rows differ")
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
