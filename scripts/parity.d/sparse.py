"""Cases of ops on sparse rows: the same of the dense ones."""
import numpy as np, torch

import maths
from cases import normal, op, size


def rows(rng, least=0):
    """indptr, columns and their number: rows without entries and columns that stand twice are among them."""
    lengths = rng.integers(least, 12, rng.integers(1, 20))
    lengths[0] += 1
    d = size(rng)
    return np.r_[0, lengths.cumsum()].astype("i4"), rng.integers(0, d, lengths.sum()).astype("i4"), d


def dense(t, d):
    row = torch.repeat_interleave(torch.arange(len(t["indptr"]) - 1), t["indptr"].diff().long())
    return torch.zeros(len(t["indptr"]) - 1, d).index_put((row, t["indices"].long()), t["values"], accumulate=True)


@op
def sparse_linear(rng, choices, number):
    indptr, indices, d_in = rows(rng)
    d_out = size(rng)
    a = {"values": normal(rng, len(indices)), "indptr": indptr, "indices": indices, "weight": normal(rng, d_out, d_in)}
    if number % 2:
        a["bias"] = normal(rng, d_out)
    return a, {}, lambda t, o: {"y": dense(t, d_in) @ t["weight"].T + t.get("bias", 0)}


@op
def sparse_dropout(rng, choices, number):
    indptr, indices, d = rows(rng)
    n = len(indptr) - 1
    a = {"values": normal(rng, len(indices)), "indptr": indptr, "indices": indices}
    o = dict(p=round(float(rng.uniform(0.05, 0.9)), 3), seed=int(rng.integers(10**6)), name=f"gat{number}", step=int(rng.integers(10**6)))
    if number % 3:
        a["example"] = rng.integers(0, 4, n).astype("i4") * 1001
    if number % 3 == 2:
        a["token"] = rng.integers(0, 5000, n).astype("i4")
    if number % 7 == 6:
        o["p"] = 0.0

    def outputs(t, o):
        examples = t["example"].tolist() if "example" in t else [0] * n
        places = t["token"].tolist() if "token" in t else [examples[:i].count(e) for i, e in enumerate(examples)]
        row = torch.repeat_interleave(torch.arange(n), t["indptr"].diff().long())
        return {"y": maths.kept(o, examples, places, d)[row, t["indices"].long()] * t["values"]}
    return a, o, outputs
