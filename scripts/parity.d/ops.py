"""Cases of every op but attention: a function a case, (rng, choices, number) -> (arrays, options, outputs).

arrays are the op's inputs by name, options those that are given, and outputs(t, o) the reference: the
op's outputs from its inputs t (torch, reals in double) and all its options o, defaults included.
choices are the words that each option has. Every input that may be left out is left out in some cases.
"""
import numpy as np, torch, torch.nn.functional as F

import attention, maths

CASES = {"attention": attention.case}


def op(function):
    CASES[function.__name__] = function
    return function


def size(rng, most=90):
    return int(rng.integers(1, most))


def normal(rng, *shape, scale=1.0):
    return scale * rng.normal(size=shape)


def pack(rng, least=0):
    """Offsets of a few sequences (None: one, left out), and their number of rows."""
    lengths = rng.integers(least, 30, rng.integers(1, 6))
    if lengths.sum() == 0:
        lengths[0] = 1
    if len(lengths) == 1 and rng.random() < 0.5:
        return None, int(lengths[0])
    return np.r_[0, lengths.cumsum()].astype("i4"), int(lengths.sum())


def with_offsets(arrays, offsets):
    return arrays if offsets is None else dict(arrays, offsets=offsets)


def by_sequence(t, f):
    """f of the rows of each sequence, one behind the other."""
    bounds = t["offsets"].tolist() if "offsets" in t else [0, len(t["x"])]
    return torch.cat([f(slice(a, b)) for a, b in zip(bounds, bounds[1:])])


@op
def linear(rng, choices, number):
    n, d_in, d_out = size(rng), size(rng), size(rng)
    a = {"x": normal(rng, n, d_in), "weight": normal(rng, d_out, d_in)}
    if number % 2:
        a["bias"] = normal(rng, d_out)
    return a, {}, lambda t, o: {"y": t["x"] @ t["weight"].T + t.get("bias", 0)}


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
def gelu(rng, choices, number):
    o = [{}, {"approximate": "none"}, {"approximate": "tanh"}][number % 3]
    return {"x": any_shape(rng)}, o, lambda t, o: {"y": F.gelu(t["x"], approximate=o["approximate"])}


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


@op
def rope(rng, choices, number):
    axes, heads, n = 1 + number % 2, size(rng, 5), size(rng)
    width = 2 * axes * size(rng, 20)
    a, o = {"x": normal(rng, n, heads * width)}, {"n_heads": heads}
    if axes == 2 or number % 3:
        a["positions"] = rng.integers(-2000, 5000, (n, 2)[:axes]).astype("i4")
    if number % 5:
        o["base"] = round(float(10 ** rng.uniform(1, 5)), 2)

    def outputs(t, o):
        x = t["x"].view(n, heads, axes, 2, -1)  # pairs lie along dimension 3
        places = t.get("positions", torch.arange(n)).view(n, 1, axes, 1).double()
        pairs = x.shape[-1]
        angle = places * o["base"] ** (-torch.arange(pairs).double() / pairs)
        p, q, c, s = x[:, :, :, 0], x[:, :, :, 1], angle.cos(), angle.sin()
        return {"y": torch.stack([p * c - q * s, q * c + p * s], 3).reshape(n, -1)}
    return a, o, outputs


def table_rows(table, n):
    """Rows 0 … n-1 of a table, read by linear interpolation where there are more than it has."""
    rows = len(table)
    if n <= rows:
        return table[:n]
    x = torch.arange(n).double() * (rows - 1) / (n - 1)
    low = (x + 1e-9).floor().long().clamp(max=rows - 1)
    t = (x - low)[:, None]
    return table[low] * (1 - t) + table[(low + 1).clamp(max=rows - 1)] * t


@op
def position_1d(rng, choices, number):
    offsets, n = pack(rng)
    d = size(rng, 40)
    a = with_offsets({"x": normal(rng, n, d), "table": normal(rng, size(rng, 40), d)}, offsets)
    return a, {}, lambda t, o: {"y": t["x"] + by_sequence(t, lambda rows: table_rows(t["table"], rows.stop - rows.start))}


@op
def position_2d(rng, choices, number):
    cls = number % 2
    grid = rng.integers(1, 9, (1 if number % 3 == 0 else rng.integers(1, 5), 2)).astype("i4")
    offsets, d = np.r_[0, (grid.prod(1) + cls).cumsum()].astype("i4"), size(rng, 40)
    a = {"x": normal(rng, offsets[-1], d), "rows": normal(rng, size(rng, 12), d), "columns": normal(rng, size(rng, 12), d), "grid": grid}
    if len(grid) > 1:
        a["offsets"] = offsets
    o = {"cls": "true"} if cls else {}

    def outputs(t, o):
        parts = []
        for r, c in t["grid"].tolist():
            if cls:
                parts.append(torch.zeros(1, d))
            parts.append((table_rows(t["rows"], r)[:, None] + table_rows(t["columns"], c)[None]).reshape(-1, d))
        return {"y": t["x"] + torch.cat(parts)}
    return a, o, outputs


@op
def insert_cls(rng, choices, number):
    offsets, n = pack(rng)
    d = size(rng)
    a = with_offsets({"x": normal(rng, n, d), "cls": normal(rng, d)}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: torch.cat([t["cls"][None], t["x"][rows]]))}


@op
def mean_pool(rng, choices, number):
    offsets, n = pack(rng)
    a = with_offsets({"x": normal(rng, n, size(rng))}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["x"][rows].sum(0, keepdim=True) / max(1, rows.stop - rows.start))}


@op
def first_row(rng, choices, number):
    offsets, n = pack(rng, least=1)
    a = with_offsets({"x": normal(rng, n, size(rng))}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["x"][rows][:1])}


@op
def attention_pool(rng, choices, number):
    offsets, n = pack(rng)
    a = with_offsets({"x": normal(rng, n, size(rng)), "scores": normal(rng, *[(n,), (n, 1)][number % 2], scale=2)}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["scores"].view(-1)[rows].softmax(0)[None] @ t["x"][rows])}


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
        wanted = F.one_hot(t["targets"][counts].long(), c).double() * (1 - o["label_smoothing"]) + o["label_smoothing"] / c
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
        mask = torch.stack([maths.kept(o, e, i, d) for e, i in zip(examples, places)])
        return {"y": f(t, mask)}
    return a, o, outputs


@op
def dropout(rng, choices, number):
    return dropout_case(rng, number, ["x"], lambda t, mask: mask * t["x"])


@op
def dropout_residual(rng, choices, number):
    return dropout_case(rng, number, ["x", "branch"], lambda t, mask: t["x"] + mask * t["branch"])
