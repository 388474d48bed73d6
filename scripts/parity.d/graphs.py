"""Cases of ops on the edges of graphs."""
import numpy as np, torch

import maths
from cases import normal, op, pack, size, with_offsets


def graph(rng, offsets, n):
    """(indptr, indices): up to 6 edges into each of n nodes, from nodes of its own graph."""
    bounds = np.array([0, n]) if offsets is None else offsets
    first = np.repeat(bounds[:-1], np.diff(bounds))
    last = np.repeat(bounds[1:], np.diff(bounds))
    degrees = rng.integers(0, 7, n)
    indices = np.concatenate([rng.integers(first[i], last[i], degrees[i]) for i in range(n)])
    kind = ["i4", "i8"][int(rng.integers(2))]
    return np.r_[0, degrees.cumsum()].astype(kind), indices.astype(kind)


def receivers(t):
    return torch.arange(len(t["indptr"]) - 1).repeat_interleave(t["indptr"].diff().long())


def edge_mask(t, o, heads, n):
    """What dropout multiplies the weights of edges by, [m, heads]."""
    bounds = t["offsets"].long() if "offsets" in t else torch.tensor([0, n])
    example = t["example"].long() if "example" in t else torch.arange(len(bounds) - 1)
    of = torch.arange(len(bounds) - 1).repeat_interleave(bounds.diff())
    place = torch.arange(n) - bounds[of]
    i, j = receivers(t), t["indices"].long()
    rows = [maths.kept(o, example[of[i]].numpy(), place[j].numpy(), n, head)[torch.arange(len(j)), place[i]] for head in range(heads)]
    return torch.stack(rows, 1)


def attended(t, o, z, z_dst):
    heads, n = o["n_heads"], len(z)
    z, z_dst, i, j = z.view(n, heads, -1), z_dst.view(n, heads, -1), receivers(t), t["indices"].long()
    leaky = lambda x: torch.where(x > 0, x, o["slope"] * x)

    def bent(x):
        maths.margin.between(x.detach().abs())
        return leaky(x)
    if o["variant"] == "gat":
        scores = bent((z * t["att_src"]).sum(-1)[j] + (z * t["att_dst"]).sum(-1)[i])
    else:
        scores = (bent(z[j] + z_dst[i]) * t["att_src"]).sum(-1)
    # Shifts of a softmax that leave its values and gradients alone.
    top = torch.full((n, heads), -torch.inf).scatter_reduce(0, i[:, None].expand_as(scores), scores.detach(), "amax")
    e = (scores - top[i]).exp()
    weights = e / torch.zeros(n, heads).index_add(0, i, e)[i]
    if o["dropout"]:
        weights = weights * edge_mask(t, o, heads, n)
    return torch.zeros_like(z).index_add(0, i, weights[..., None] * z[j]).flatten(1)


def attention_case(rng, number):
    """Arrays of both ops without features, options, sizes (n, heads, d) and whether receivers have features of their own."""
    offsets, n = pack(rng, number)
    heads, d = size(rng, 9), size(rng, 20)
    indptr, indices = graph(rng, offsets, n)
    a = with_offsets({"att_src": normal(rng, heads, d), "indptr": indptr, "indices": indices}, offsets)
    o = {"n_heads": heads} if heads > 1 else {}
    variant = ["gat", "gatv2"][number % 2]
    if number % 4 > 0:
        o["variant"] = variant
    if number % 4 == 0 or variant == "gat" or number % 8 == 1:
        a["att_dst"] = normal(rng, heads, d)
    if number % 5:
        o["slope"] = round(float(rng.uniform(-0.5, 0.9)), 3)
    if number % 3 == 0:
        o |= dict(dropout=round(float(rng.uniform(0.05, 0.9)), 3), seed=int(rng.integers(10**6)), name=f"gat{number}", step=int(rng.integers(10**6)))
        if number % 2:
            a["example"] = rng.integers(0, 10**6, 1 if offsets is None else len(offsets) - 1).astype("i4")
    return a, o, (n, heads, d), variant == "gatv2" and number % 4 == 3


def masked(f):
    """A reference whose options name dropout's probability as maths.kept() does."""
    return lambda t, o: {"y": f(t, o | {"p": o["dropout"]})}


@op
def edge_attention(rng, choices, number):
    a, o, (n, heads, d), apart = attention_case(rng, number)
    a["z"] = normal(rng, n, heads * d)
    if apart:
        a["z_dst"] = normal(rng, n, heads * d)
    if number % 3:
        a["bias"] = normal(rng, heads * d)
    return a, o, masked(lambda t, o: attended(t, o, t["z"], t.get("z_dst", t["z"])) + t.get("bias", 0.0))


@op
def graph_attention(rng, choices, number):
    a, o, (n, heads, d), apart = attention_case(rng, number)
    d_in = size(rng, 40)
    a["x"], a["weight"] = normal(rng, n, d_in), normal(rng, heads * d, d_in) / d_in**0.5
    if apart:
        a["weight_dst"] = normal(rng, heads * d, d_in) / d_in**0.5
    return a, o, masked(lambda t, o: attended(t, o, t["x"] @ t["weight"].T, t["x"] @ t.get("weight_dst", t["weight"]).T))


@op
def graph_aggregate(rng, choices, number):
    n = size(rng)
    indptr, indices = graph(rng, None, n)
    o = {"reduce": choices["reduce"][number % 3]} if number % 4 else {}

    def outputs(t, o):
        i, j = receivers(t), t["indices"].long()
        degree = maths.real(t["indptr"].diff().double())
        root = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), 0.0)
        weights = {"sum": torch.ones(len(i)), "mean": 1 / degree[i], "symmetric": root[i] * root[j]}[o["reduce"]]
        return {"y": torch.zeros_like(t["x"]).index_add(0, i, weights[:, None] * t["x"][j])}
    return {"x": normal(rng, n, size(rng)), "indptr": indptr, "indices": indices}, o, outputs
