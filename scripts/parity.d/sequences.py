"""Cases of ops on the rows of sequences: positions, pools, and attention without pairs."""
import numpy as np, torch

import maths
from cases import by_sequence, normal, op, pack, size, with_offsets


def table_rows(table, n, fractional=False):
    """Rows 0 … n-1 of a table, read by linear interpolation where there are more than it has, or,
    fractional, at the middle of each n-th share of its length."""
    rows = len(table)
    if n <= rows and not fractional:
        return table[:n]
    i = torch.arange(n).double()
    x = (i + 0.5) / n * (rows - 1) if fractional else i * (rows - 1) / (n - 1)
    low = (x + 1e-9).floor().long().clamp(max=rows - 1)
    t = maths.real(x - low)[:, None]
    return table[low] * (1 - t) + table[(low + 1).clamp(max=rows - 1)] * t


def rotated(x, heads, places, base=10000.0):
    """RoPE of x [n, columns] at places [n] or [n, axes]; with two axes half of a head turns by each."""
    n, axes = len(x), places.shape[1] if places.dim() == 2 else 1
    x = x.view(n, heads, axes, 2, -1)  # pairs lie along dimension 3
    pairs = x.shape[-1]
    angle = places.view(n, 1, axes, 1).double() * base ** (-torch.arange(pairs).double() / pairs)
    p, q, c, s = x[:, :, :, 0], x[:, :, :, 1], maths.real(angle.cos()), maths.real(angle.sin())
    return torch.stack([p * c - q * s, q * c + p * s], 3).reshape(n, -1)


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
        return {"y": rotated(t["x"], heads, t.get("positions", torch.arange(n)), o["base"])}
    return a, o, outputs


@op
def position_1d(rng, choices, number):
    offsets, n = pack(rng, number)
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
    fractional = number // 2 % 2 == 1
    if fractional:
        o["fractional"] = "true"

    def outputs(t, o):
        parts = []
        for r, c in t["grid"].tolist():
            if cls:
                parts.append(torch.zeros(1, d))
            rows, columns = table_rows(t["rows"], r, fractional), table_rows(t["columns"], c, fractional)
            parts.append((rows[:, None] + columns[None]).reshape(-1, d))
        return {"y": t["x"] + torch.cat(parts)}
    return a, o, outputs


def sinusoids(n, d, period=0):
    i, t = torch.arange(n).double()[:, None], torch.arange((d + 1) // 2).double()
    angle = (i % period if period else i) / 10000 ** (2 * t / d)
    return maths.real(torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :d])


@op
def sinusoidal(rng, choices, number):
    offsets, n = pack(rng, number)
    d = size(rng, 40)
    o = {"period": int(rng.integers(0, 20))} if number % 2 else {}

    def outputs(t, o):
        return {"y": t["x"] + by_sequence(t, lambda rows: sinusoids(rows.stop - rows.start, d, o["period"]))}
    return with_offsets({"x": normal(rng, n, d)}, offsets), o, outputs


@op
def insert_cls(rng, choices, number):
    offsets, n = pack(rng, number)
    d = size(rng)
    a = with_offsets({"x": normal(rng, n, d), "cls": normal(rng, d)}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: torch.cat([t["cls"][None], t["x"][rows]]))}


@op
def mean_pool(rng, choices, number):
    offsets, n = pack(rng, number)
    a = with_offsets({"x": normal(rng, n, size(rng))}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["x"][rows].sum(0, keepdim=True) / max(1, rows.stop - rows.start))}


@op
def sum_pool(rng, choices, number):
    offsets, n = pack(rng, number)
    a = with_offsets({"x": normal(rng, n, size(rng))}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["x"][rows].sum(0, keepdim=True))}


@op
def repeat_rows(rng, choices, number):
    lengths = rng.integers(0, 30, rng.integers(1, 6))
    lengths[0] += 1
    a = {"x": normal(rng, len(lengths), size(rng)), "offsets": np.r_[0, lengths.cumsum()].astype("i4")}
    return a, {}, lambda t, o: {"y": t["x"].repeat_interleave(t["offsets"].diff().long(), 0)}


@op
def first_row(rng, choices, number):
    offsets, n = pack(rng, number, least=1)
    a = with_offsets({"x": normal(rng, n, size(rng))}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["x"][rows][:1])}


@op
def attention_pool(rng, choices, number):
    offsets, n = pack(rng, number)
    a = with_offsets({"x": normal(rng, n, size(rng)), "scores": normal(rng, *[(n,), (n, 1)][number % 2], scale=2)}, offsets)
    return a, {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["scores"].view(-1)[rows].softmax(0)[None] @ t["x"][rows])}


@op
def concat_rows(rng, choices, number):
    names = [name for i, name in enumerate("abcdefg") if i == 0 or rng.random() < 0.6]
    d = size(rng)
    return {name: normal(rng, size(rng, 20), d) for name in names}, {}, lambda t, o: {"y": torch.cat([t[name] for name in names])}


def gated(x, state, weights, reverse=False):
    """PyTorch's own GRU of one sequence: the states behind its rows, and behind the sequence."""
    if len(x) == 0:
        return x.new_zeros(0, len(state)), state
    rows = x.flip(0) if reverse else x
    y, last = torch.gru(rows[:, None], state[None, None], weights, True, 1, 0.0, False, False, False)
    return (y[:, 0].flip(0) if reverse else y[:, 0]), last[0, 0]


@op
def gru(rng, choices, number):
    offsets, n = pack(rng, number)
    b, d, h = 1 if offsets is None else len(offsets) - 1, size(rng, 40), size(rng, 40)
    scale = h**-0.5  # as wide as states: PyTorch begins with U(±1/√h)
    a = {"x": normal(rng, n, d), "w_ih": normal(rng, 3 * h, d, scale=scale), "w_hh": normal(rng, 3 * h, h, scale=scale)}
    a |= {"b_ih": normal(rng, 3 * h), "b_hh": normal(rng, 3 * h)}
    if number % 3:
        a["h0"] = normal(rng, b, h)
    o = {"reverse": "true"} if number % 2 else {}

    def outputs(t, o):
        weights = [t[k] for k in ("w_ih", "w_hh", "b_ih", "b_hh")]
        bounds = t["offsets"].tolist() if "offsets" in t else [0, n]
        first = t.get("h0", torch.zeros(b, h))
        runs = [gated(t["x"][i:j], first[e], weights, o["reverse"]) for e, (i, j) in enumerate(zip(bounds, bounds[1:]))]
        return {"y": torch.cat([y for y, _ in runs]), "h_n": torch.stack([last for _, last in runs])}
    return with_offsets(a, offsets), o, outputs


def weighted(q, k, v, causal):
    """The mean of v with the weights q k, of one head's features; 0 where these are 0."""
    weights = (q @ k.T).tril() if causal else q @ k.T
    total = weights.sum(-1, keepdim=True)
    return weights @ v / torch.where(total == 0, 1.0, total)


@op
def linear_attention(rng, choices, number):
    causal, shared, width, value = number % 2 == 1, size(rng, 4), size(rng, 30), size(rng, 30)
    heads, q_off, n = shared * size(rng, 4), *pack(rng, number // 2)
    k_off, m = q_off, n
    if not causal and q_off is None:
        m = size(rng)
    elif not causal:
        k_off = np.r_[0, rng.integers(0, 150, len(q_off) - 1).cumsum()].astype("i4")
        m = int(k_off[-1])
    features = lambda rows, columns: np.exp(normal(rng, rows, columns))
    a = {"q": features(n, heads * width), "k": features(m, shared * width), "v": normal(rng, m, shared * value)}
    if q_off is not None:
        a["q_offsets"], a["k_offsets"] = q_off, k_off
    o = {"n_heads": heads} if heads > 1 else {}
    if shared != heads:
        o["n_kv_heads"] = shared
    if causal:
        o["causal"] = "true"

    def one(q, k, v):
        q, k, v = q.split(width, 1), k.split(width, 1), v.split(value, 1)
        return torch.cat([weighted(q[h], k[h * shared // heads], v[h * shared // heads], causal) for h in range(heads)], 1)

    def outputs(t, o):
        of_q, of_k = (t[x].tolist() if x in t else [0, rows] for x, rows in (("q_offsets", n), ("k_offsets", m)))
        bounds = zip(of_q, of_q[1:], of_k, of_k[1:])
        return {"y": torch.cat([one(t["q"][a:b], t["k"][c:d], t["v"][c:d]) for a, b, c, d in bounds])}
    return a, o, outputs


def largest(exponents, axes):
    """Over some axes of three; the gradient goes to where it is."""
    flat = exponents.permute(*[i for i in range(3) if i not in axes], *axes).flatten(-len(axes))
    if flat.shape[-1] > 1:
        best = flat.topk(2, -1).values
        maths.margin.between(best[..., 0] - best[..., 1])
    return exponents.amax(axes, keepdim=True)


def performed(x, directions, heads, shift):
    """Positive features of the rows of one sequence (Choromanski et al. 2021)."""
    m, d = directions.shape
    x = x.view(-1, heads, d) / d**0.25
    exponents = x @ directions.T - x.square().sum(-1, keepdim=True) / 2
    if shift != "none" and len(x):
        exponents = exponents - largest(exponents, (2,) if shift == "row" else (0, 2))
    return (exponents.exp() / m**0.5).flatten(1)


@op
def performer_features(rng, choices, number):
    offsets, n = pack(rng, number)
    heads, d, m = size(rng, 5), size(rng, 30), size(rng, 50)
    a = with_offsets({"x": normal(rng, n, heads * d), "directions": normal(rng, m, d)}, offsets)
    o = {"shift": choices["shift"][number % 3]} if number % 4 else {}
    return a, o, lambda t, o: {"y": by_sequence(t, lambda rows: performed(t["x"][rows], t["directions"], heads, o["shift"]))}


@op
def project_rows(rng, choices, number):
    offsets, n = pack(rng, number)
    longest = n if offsets is None else int(np.diff(offsets).max())
    a = {"x": normal(rng, n, size(rng, 40)), "weight": normal(rng, size(rng, 20), longest + int(rng.integers(0, 9)))}
    return with_offsets(a, offsets), {}, lambda t, o: {"y": by_sequence(t, lambda rows: t["weight"][:, : rows.stop - rows.start] @ t["x"][rows])}
