"""Cases of ops on rows that know nothing of each other, and of losses."""
import numpy as np, torch, torch.nn.functional as F

import attention, maths
from cases import normal, op, size


@op
def linear(rng, choices, number):
    n, d_in, d_out = size(rng), size(rng), size(rng)
    a = {"x": normal(rng, n, d_in), "weight": normal(rng, d_out, d_in)}
    if number % 2:
        a["bias"] = normal(rng, d_out)
    return a, {}, lambda t, o: {"y": t["x"] @ t["weight"].T + t.get("bias", 0)}


@op
def add_bias(rng, choices, number):
    n, d = size(rng), size(rng)
    return {"x": normal(rng, n, d), "bias": normal(rng, d)}, {}, lambda t, o: {"y": t["x"] + t["bias"]}


@op
def add(rng, choices, number):
    shape = size(rng), size(rng)
    return {"a": normal(rng, *shape), "b": normal(rng, *shape)}, {}, lambda t, o: {"y": t["a"] + t["b"]}


def any_shape(rng):
    return normal(rng, *rng.integers(1, 12, rng.integers(0, 5)), scale=4)


@op
def relu(rng, choices, number):
    return {"x": any_shape(rng)}, {}, lambda t, o: {"y": t["x"].clamp(min=0)}


@op
def silu(rng, choices, number):
    return {"x": any_shape(rng)}, {}, lambda t, o: {"y": t["x"] * torch.sigmoid(t["x"])}


@op
def elu(rng, choices, number):
    return {"x": any_shape(rng)}, {}, lambda t, o: {"y": torch.where(t["x"] > 0, t["x"], torch.expm1(t["x"].clamp(max=0)))}


@op
def tanh(rng, choices, number):
    return {"x": any_shape(rng)}, {}, lambda t, o: {"y": torch.tanh(t["x"])}


@op
def elu_plus_one(rng, choices, number):
    return {"x": any_shape(rng)}, {}, lambda t, o: {"y": torch.where(t["x"] > 0, t["x"] + 1, t["x"].clamp(max=0).exp())}


@op
def gelu(rng, choices, number):
    o = [{}, {"approximate": "none"}, {"approximate": "tanh"}][number % 3]
    return {"x": any_shape(rng)}, o, lambda t, o: {"y": F.gelu(t["x"], approximate=o["approximate"])}


@op
def feed_forward(rng, choices, number):
    n, d_in, d_hidden, d_out = size(rng, 300), size(rng, 90), size(rng, 300), size(rng, 90)
    a = {"x": normal(rng, n, d_in), "w1": normal(rng, d_hidden, d_in, scale=d_in**-0.5), "w2": normal(rng, d_out, d_hidden, scale=d_hidden**-0.5)}
    if number % 4:
        a["b1"] = normal(rng, d_hidden)
    if number % 5:
        a["b2"] = normal(rng, d_out)
    o = [{}, {"approximate": "none"}, {"approximate": "tanh"}][number % 3]
    return a, o, lambda t, o: {"y": F.linear(F.gelu(F.linear(t["x"], t["w1"], t.get("b1")), approximate=o["approximate"]), t["w2"], t.get("b2"))}


def row_normaliser(kind):
    def case(rng, choices, number):
        n, c = size(rng, 40), size(rng, 150)
        a, o = {"x": normal(rng, n, c, scale=2)}, {}
        if number % 2:
            a["lengths"] = rng.integers(0, c + 1, n).astype("i4")
        if number % 3:
            o["temperature"] = round(float(rng.uniform(0.4, 4)), 3)

        def outputs(t, o):
            lengths = t.get("lengths", torch.full((n,), c))
            return {"y": maths.normalise(kind, t["x"] / o["temperature"], torch.arange(c)[None] < lengths[:, None])}
        return a, o, outputs
    case.__name__ = kind
    return op(case)


for kind in ("softmax", "sparsemax", "entmax15"):
    row_normaliser(kind)


def norm_case(rng, number, f):
    n, d = size(rng), int(rng.integers(2, 150))
    a, o = {"x": normal(rng, n, d), "gain": normal(rng, d)}, {}
    if number % 2:
        a["bias"] = normal(rng, d)
    if number % 3:
        o["eps"] = float(f"{10 ** rng.uniform(-6, -1):.2g}")
    return a, o, lambda t, o: {"y": f(t["x"], o["eps"]) * t["gain"] + t.get("bias", 0)}


@op
def layer_norm(rng, choices, number):
    return norm_case(rng, number, lambda x, eps: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt())


@op
def rms_norm(rng, choices, number):
    return norm_case(rng, number, lambda x, eps: x / (x.square().mean(-1, keepdim=True) + eps).sqrt())


@op
def embedding(rng, choices, number):
    rows = size(rng)
    ids = rng.integers(0, rows, size(rng)).astype(["i4", "i8"][number % 2])
    return {"weight": normal(rng, rows, size(rng)), "ids": ids}, {}, lambda t, o: {"y": t["weight"][t["ids"]]}


def head_widths(rng, number):
    """(number of heads, widths or None where they are equal, columns)"""
    heads = size(rng, 7)
    if number % 2:
        widths = rng.integers(2, 30, heads).astype("i4")
        return heads, widths, int(widths.sum())
    return heads, None, heads * int(rng.integers(2, 30))


def heads_of(x, heads, t):
    return x.split(t["widths"].tolist() if "widths" in t else [x.shape[-1] // heads] * heads, -1)


@op
def head_norm(rng, choices, number):
    heads, widths, columns = head_widths(rng, number)
    a = {"x": normal(rng, size(rng, 40), columns)}
    o = {"n_heads": heads, "kind": choices["kind"][number % 3]}
    if widths is not None:
        a["widths"] = widths
    if number // 2 % 2:
        a["gain"] = normal(rng, columns)
    if number % 5:
        o["eps"] = float(f"{10 ** rng.uniform(-6, -1):.2g}")

    def one(x, o):
        if o["kind"] == "unit":
            return attention.unit(x)
        x = x - x.mean(-1, keepdim=True) if o["kind"] == "layer" else x
        return x / (x.square().mean(-1, keepdim=True) + o["eps"]).sqrt()
    return a, o, lambda t, o: {"y": torch.cat([one(x, o) for x in heads_of(t["x"], heads, t)], 1) * t.get("gain", 1)}


@op
def scale_heads(rng, choices, number):
    heads, widths, columns = head_widths(rng, number)
    a = {"x": normal(rng, size(rng, 40), columns), "gain": normal(rng, heads)}
    if widths is not None:
        a["widths"] = widths
    return a, {}, lambda t, o: {"y": torch.cat([g * x for g, x in zip(t["gain"], heads_of(t["x"], heads, t))], 1)}


@op
def repeat_columns(rng, choices, number):
    o = {"times": size(rng, 9)} if number % 5 else {}
    return {"x": normal(rng, size(rng, 40), size(rng, 40))}, o, lambda t, o: {"y": t["x"].repeat(1, o["times"])}


@op
def concat_columns(rng, choices, number):
    n = size(rng, 40)
    return {"a": normal(rng, n, size(rng, 40)), "b": normal(rng, n, size(rng, 40))}, {}, lambda t, o: {"y": torch.cat([t["a"], t["b"]], 1)}


@op
def mean_heads(rng, choices, number):
    o = {"n_heads": size(rng, 9)} if number % 5 else {}
    n, d = size(rng, 40), size(rng, 40)
    return {"x": normal(rng, n, o.get("n_heads", 1) * d)}, o, lambda t, o: {"y": t["x"].view(n, o["n_heads"], d).mean(1)}


@op
def cross_entropy(rng, choices, number):
    n, c = size(rng, 60), size(rng)
    a, o = {"logits": normal(rng, n, c, scale=3)}, {}
    ignored = -100
    if number % 3 == 0:
        ignored = o["ignore_index"] = int(rng.integers(-5, c))
    if number % 2:
        o["label_smoothing"] = round(float(rng.uniform(0, 1)), 3)
    a["targets"] = np.where(rng.random(n) < [0.2, 1.0][number % 20 == 7], ignored, rng.integers(0, c, n)).astype("i4")

    def outputs(t, o):
        counts = t["targets"] != o["ignore_index"]
        logp = t["logits"][counts] - t["logits"][counts].logsumexp(-1, keepdim=True)
        wanted = maths.real(F.one_hot(t["targets"][counts].long(), c)) * (1 - o["label_smoothing"]) + o["label_smoothing"] / c
        return {"loss": -(wanted * logp).sum() / max(1, int(counts.sum()))}
    return a, o, outputs


@op
def mse(rng, choices, number):
    shape = size(rng), size(rng)
    a = {"pred": normal(rng, *shape), "target": normal(rng, *shape)}
    return a, {}, lambda t, o: {"loss": (t["pred"] - t["target"]).square().mean()}


@op
def binary_cross_entropy(rng, choices, number):
    n = size(rng)
    logits, targets = [((n,), (n,)), ((n, 1), (n,)), ((n, 1), (n, 1)), ((n, 7), (n, 7))][number % 4]
    hard = rng.integers(0, 2, targets).astype("f8")
    a = {"logits": normal(rng, *logits, scale=4), "targets": hard if number % 3 else rng.uniform(size=targets)}
    return a, {}, lambda t, o: {"loss": F.binary_cross_entropy_with_logits(t["logits"], t["targets"].view(t["logits"].shape))}


def dropout_case(rng, number, names, f):
    n, d = size(rng, 40), size(rng, 150)
    a = {name: normal(rng, n, d) for name in names}
    o = dict(p=round(float(rng.uniform(0.05, 0.9)), 3), seed=int(rng.integers(10**6)), name=f"encoder.block{number}", step=int(rng.integers(10**6)))
    if number % 3:
        a["example"] = rng.integers(0, 4, n).astype("i4") * 1001
    if number % 3 == 2:
        a["token"] = rng.integers(0, 5000, n).astype("i4")
    if number % 7 == 6:
        o["p"] = 0.0

    def outputs(t, o):
        examples = t["example"].tolist() if "example" in t else [0] * n
        places = t["token"].tolist() if "token" in t else [examples[:i].count(e) for i, e in enumerate(examples)]
        return {"y": f(t, maths.kept(o, examples, places, d))}
    return a, o, outputs


@op
def dropout(rng, choices, number):
    return dropout_case(rng, number, ["x"], lambda t, mask: mask * t["x"])


@op
def dropout_residual(rng, choices, number):
    return dropout_case(rng, number, ["x", "branch"], lambda t, mask: t["x"] + mask * t["branch"])
