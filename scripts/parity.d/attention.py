"""Attention from the five parts of docs/attention.md, head by head over whole score matrices."""
import math

import numpy as np, torch

import maths
from cases import op


# --- scores of one head: q [n, d], k [m, d] -> [n, m]

def unit(x):
    length = x.norm(dim=-1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


SCORES = {
    "scaled_dot": lambda q, k, w: q @ k.T,
    "dot": lambda q, k, w: q @ k.T,
    "cosine": lambda q, k, w: unit(q) @ unit(k).T,
    "additive": lambda q, k, w: torch.tanh(q[:, None] + k[None]) @ w,
}


# --- biases: of sequence e and head h, rows i and columns j counted in the sequence

def slope(h, n):
    m = 2 ** int(math.log2(n))
    return 2.0 ** (-8 * (h + 1) / m) if h < m else 2.0 ** (-4 * (2 * (h - m) + 1) / m)


def alibi(t, o, h, q, k):
    apart = torch.arange(q.stop - q.start)[:, None] - torch.arange(k.stop - k.start)[None]
    return maths.real(-slope(h, o["n_heads"]) * apart.abs().double())


def alibi_2d(t, o, h, q, k):
    apart = (t["q_positions"][q][:, None] - t["k_positions"][k][None]).double()
    somewhere = (t["q_positions"][q][:, :1] >= 0) & (t["k_positions"][k][:, 0] >= 0)
    return maths.real(-slope(h, o["n_heads"]) * torch.where(somewhere, apart.square().sum(-1).sqrt(), 0.0))


def relative(t, o, h, q, k):
    m = t["table"].shape[1] // 2
    i, j = torch.arange(q.stop - q.start)[:, None], torch.arange(k.stop - k.start)[None]
    return t["table"][h][(i - j).clamp(-m, m) + m]


BIASES = {"none": lambda *_: 0.0, "alibi": alibi, "alibi_2d": alibi_2d, "relative": relative,
          "given": lambda t, o, h, q, k: t["bias"][h, q, k]}


# --- patterns: which keys a query sees, [n, m]

def edges(i, j, o, t, q, k):
    seen = torch.zeros(q.stop - q.start, k.stop - k.start, dtype=torch.bool)
    for row in range(q.start, q.stop):
        for edge in range(int(t["indptr"][row]), int(t["indptr"][row + 1])):
            seen[row - q.start, int(t["indices"][edge]) - k.start] = True
    return seen


PATTERNS = {
    "full": lambda i, j, o, *_: (i >= 0) & (j >= 0),
    "causal": lambda i, j, o, *_: j <= i,
    "window": lambda i, j, o, *_: (i - j).abs() <= o["window"],
    "causal_window": lambda i, j, o, *_: (j <= i) & (i - j <= o["window"]),
    "dilated": lambda i, j, o, *_: ((i - j) % o["dilation"] == 0) & ((i - j).abs() <= o["window"] * o["dilation"]),
    "block": lambda i, j, o, *_: i // o["block"] == j // o["block"],
    "edges": edges,
}


# --- selects: which of the keys seen are kept

def top_k(s, seen, k):
    s = torch.where(seen, s, -torch.inf).detach()
    order = s.argsort(dim=-1, descending=True, stable=True)
    if 0 < k < s.shape[-1]:
        ranked = s.gather(-1, order)
        maths.margin.between(ranked[:, k - 1] - ranked[:, k], jump=True)
    return seen & torch.zeros_like(seen).scatter(-1, order[:, :k], True)


def two_stage_top_k(s, seen, k, key_scores, step):
    """key_scores gives the scores of mean keys, without bias; dilated patterns see every step-th key."""
    n, m = s.shape
    size = math.ceil(math.sqrt(m))
    searched = seen.clone()
    for i in range(n):
        keys = seen[i].nonzero()[:, 0].tolist()
        if not keys:
            continue
        residue = list(range(keys[0] % step, m, step))
        blocks = [residue[b : b + size] for b in range(0, len(residue), size)]
        whole = [b for b in blocks if set(b) <= set(keys)]
        best = math.ceil(2 * k / size) + 1
        if len(whole) > best:
            gate = key_scores(i, whole)
            order = gate.argsort(dim=-1, descending=True, stable=True)
            maths.margin.between(gate[order[best - 1]] - gate[order[best]], jump=True)
            for b in order[best:].tolist():
                searched[i, whole[b]] = False
    return top_k(s, searched, k)


def selected(o, s, seen, q, k, w, scale):
    if o["select"] == "all":
        return seen
    if o["select"] == "top_k":
        return top_k(s, seen, o["k"])
    # The mean of unit keys is not a unit vector: a cosine's gate is a dot product.
    score = SCORES["dot" if o["score"] == "cosine" else o["score"]]
    if o["score"] == "cosine":
        q, k = unit(q), unit(k)

    def key_scores(i, blocks):
        return scale.detach() * score(q[i : i + 1], torch.stack([k[b].mean(0) for b in blocks]), w)[0].detach()
    return two_stage_top_k(s, seen, o["k"], key_scores, o["dilation"] if o["pattern"] == "dilated" else 1)


def reference(t, o):
    """{y, lse} of the op's inputs t (torch, double) and options o (all of them)."""
    q_off, k_off = t["q_offsets"].tolist(), t["k_offsets"].tolist()
    h_q, h_kv = o["n_heads"], o["n_kv_heads"] or o["n_heads"]
    cut = lambda x, n: x.split(t["widths"].tolist() if "widths" in t else [x.shape[1] // n] * n, 1)
    q_heads, k_heads, v_heads = cut(t["q"], h_q), cut(t["k"], h_kv), cut(t["v"], h_kv)
    w_heads = None
    if "w" in t:
        w_heads = t["w"].split(t["widths"].tolist()) if "widths" in t else t["w"]
    bias = "given" if "bias" in t else o["bias"]
    y, lse = [], []
    for e, example in enumerate(t["example"].tolist()):
        q, k = slice(q_off[e], q_off[e + 1]), slice(k_off[e], k_off[e + 1])
        i, j = torch.arange(q.stop - q.start)[:, None], torch.arange(k.stop - k.start)[None]
        heads, sums = [], []
        for h in range(h_q):
            Q, K, V = q_heads[h][q], k_heads[h * h_kv // h_q][k], v_heads[h * h_kv // h_q][k]
            w = w_heads[h] if w_heads is not None else None
            scale = o["scale"]
            if scale == "auto":
                scale = 1 / math.sqrt(Q.shape[1]) if o["score"] == "scaled_dot" and "gain" not in t else 1.0
            scale = scale * (t["gain"][h] if "gain" in t else torch.ones(()))
            s = scale * SCORES[o["score"]](Q, K, w) + BIASES[bias](t, o, h, q, k)
            seen = PATTERNS[o["pattern"]](i, j, o, t, q, k).expand(s.shape)
            seen = selected(o, s, seen, Q, K, w, scale) if K.shape[0] else seen
            seen = seen & (s > -torch.inf)  # a bias of -inf is a mask
            z = s / o["temperature"]
            P = maths.normalise(o["normaliser"], z, seen) if K.shape[0] else torch.zeros_like(s)
            if K.shape[0]:
                sums.append(maths.softmax(z, seen)[1])
            else:
                sums.append(torch.full((Q.shape[0],), -torch.inf))
            if o["dropout"] > 0 and Q.shape[0] and K.shape[0]:
                stream = dict(o, p=o["dropout"])
                P = P * maths.kept(stream, example, np.arange(K.shape[0]), Q.shape[0], h).T
            heads.append(P @ V)
        y.append(torch.cat(heads, 1))
        lse.append(torch.stack(sums, 1))
    out = {"y": torch.cat(y)}
    if o["normaliser"] == "softmax":
        out["lse"] = torch.cat(lse)
    return out


# --- cases

def offsets(rng, n, sequences):
    return np.r_[0, np.sort(rng.integers(0, n + 1, sequences - 1)), n].astype("i4")


def draw_edges(rng, q_off, k_off):
    """Each query sees each key of its sequence with probability 0.3."""
    indptr, indices = [0], []
    for e in range(len(q_off) - 1):
        for _ in range(q_off[e], q_off[e + 1]):
            indices += [j for j in range(k_off[e], k_off[e + 1]) if rng.random() < 0.3]
            indptr.append(len(indices))
    return np.array(indptr, "i4"), np.array(indices, "i4")


@op
def attention(rng, choices, number):
    """Options and arrays of one case; the choices of each part come round in turn, at several speeds."""
    pick = lambda part: choices[part][int(rng.integers(len(choices[part])))]
    o = {part: pick(part) for part in ("score", "bias", "pattern", "select", "normaliser")}
    o["score"] = choices["score"][number % len(choices["score"])]
    if number % 4 == 0:  # what the tiled driver takes
        o.update(score="scaled_dot", bias="none", pattern=["full", "causal"][number // 4 % 2], select="all", normaliser="softmax")
    if o["pattern"] == "edges" and o["select"] == "two_stage_top_k":
        o["select"] = "top_k"
    sequences = int(rng.integers(1, 5))
    self_attention = rng.random() < 0.5
    n = int(rng.integers(2, 120 if o["score"] != "additive" else 40))
    m = n if self_attention else int(rng.integers(2, 120))
    heads = int(rng.choice([1, 2, 3, 4, 6]))
    shared = int(rng.choice([h for h in range(1, heads + 1) if heads % h == 0]))
    least = 2 if o["score"] == "cosine" else 1  # of one column it is a sign, whose gradient is rounding alone
    width, value = int(rng.integers(least, 33)), int(rng.integers(1, 33))
    unequal = rng.random() < 0.15
    if unequal:
        widths = rng.integers(least, 24, heads).astype("i4")
        shared, columns = heads, (int(widths.sum()),) * 3
    else:
        columns = heads * width, shared * width, shared * value
    q_off = offsets(rng, n, sequences)
    k_off = q_off if self_attention else offsets(rng, m, sequences)
    a = {"q": rng.normal(size=(n, columns[0])), "k": rng.normal(size=(m, columns[1])), "v": rng.normal(size=(m, columns[2]))}
    if sequences > 1 or rng.random() < 0.5:
        a["q_offsets"], a["k_offsets"] = q_off, k_off
    o["n_heads"] = heads
    if shared != heads or rng.random() < 0.3:
        o["n_kv_heads"] = shared
    if unequal:
        a["widths"] = widths
    if o["score"] == "additive":
        a["w"] = rng.normal(size=columns[0] if unequal else (heads, width))
    elif rng.random() < 0.2:
        a["gain"] = rng.normal(size=heads)
    if o["bias"] == "given":
        a["bias"] = rng.normal(size=(heads, n, m))
        if rng.random() < 0.3:
            a["bias"][rng.random((heads, n, m)) < rng.uniform(0, 1)] = -np.inf
        if rng.random() < 0.5:
            o["bias"] = "none"  # the input is word enough
    if o["bias"] == "relative":
        a["table"] = rng.normal(size=(heads, 2 * int(rng.integers(0, 40)) + 1))
    if o["bias"] == "alibi_2d":
        a["q_positions"], a["k_positions"] = (rng.integers(0, 30, (r, 2)).astype("i4") for r in (n, m))
        a["q_positions"][rng.random(n) < 0.1] = -1  # as a class token, which stands nowhere
    if o["pattern"] == "edges":
        a["indptr"], a["indices"] = draw_edges(rng, q_off, k_off)
    if o["pattern"] in ("window", "causal_window", "dilated"):
        o["window"] = int(rng.integers(0, 20))
    if o["pattern"] == "dilated":
        o["dilation"] = int(rng.integers(1, 6))
    if o["pattern"] == "block":
        o["block"] = int(rng.integers(1, 30))
    if o["select"] != "all":
        o["k"] = int(rng.integers(1, 12))
    if rng.random() < 0.4:
        o["temperature"] = round(float(rng.uniform(0.5, 3)), 3)
    if rng.random() < 0.3:
        o["scale"] = round(float(rng.uniform(0.05, 0.6)), 3)
    if rng.random() < 0.3:
        o.update(dropout=round(float(rng.uniform(0.05, 0.6)), 3), seed=int(rng.integers(1000)), name="encoder.block1.attention", step=int(rng.integers(10**6)))
        if rng.random() < 0.7:
            a["example"] = rng.integers(0, 10**6, sequences if "q_offsets" in a else 1).astype("i4")

    def outputs(t, full):
        one = lambda rows: torch.tensor([0, rows])
        t.setdefault("q_offsets", one(n))
        t.setdefault("k_offsets", one(m))
        t.setdefault("example", torch.arange(len(t["q_offsets"]) - 1))
        return reference(t, full)
    return a, o, outputs
