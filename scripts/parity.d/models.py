"""The transformers of a config in plain torch operations: names and shapes of their weights, and the
logits of a pack of examples, whose rows lie one behind the other as in attune.

A model is the map that stands under `model` in a run's YAML, without what has its default.
"""
import math

import numpy as np, torch, torch.nn.functional as F

import attention as pairs, maths, sequences

MODEL = dict(d_model=64, n_layers=2, n_heads=4, mlp_ratio=4.0, norm="pre", norm_kind="layer", dropout=0.0, layer_scale=None,
             position="learned", position_size=256, period=None, pool="mean", tie_embedding=False)
ATTENTION = dict(kind="exact", head_widths=[], n_kv_heads=0, values="per_head", qk_norm="none", output_norm="none", head_gain=dict(head=0, gain=1.0),
                 score="scaled_dot", scale="auto", gain=10.0, bias="none", max_distance=16, pattern="full", window=0, dilation=2, block=1,
                 select="all", k=1, normaliser="softmax", temperature=1.0, dropout=0.0, n_features=64, max_length=None)
POOLS = {"decoder": "last"}
POSITIONS = {"vit": dict(position="factorised_2d", position_size=32)}


def completed(model):
    """All of a model's settings."""
    kind = model["kind"]
    start = {"pattern": "causal"} if kind == "decoder" else {}
    whole = MODEL | {"pool": POOLS.get(kind, "mean")} | POSITIONS.get(kind, {}) | model
    return whole | {"attention": ATTENTION | start | model.get("attention", {})}


class Pack:
    """Rows of several examples: tokens [n], or values [n, width] with the grid of each example; its
    examples' ids; a target a row, or an example; and, where a second sequence is decoded, the Pack of its
    tokens, whose rows have the targets."""

    def __init__(self, rows, lengths, ids, targets, grids=None, queries=None):
        self.rows, self.ids, self.targets, self.grids, self.queries = rows, list(ids), torch.as_tensor(targets), grids, queries
        self.offsets = np.r_[0, np.cumsum(lengths)].tolist()

    def slices(self):
        return [slice(a, b) for a, b in zip(self.offsets, self.offsets[1:])]


class Transformer:
    """Of a completed model over rows of a width (a vocabulary for tokens), n_classes logits; row_targets: a row each."""

    def __init__(self, model, width, n_classes, row_targets=False):
        self.m, self.a, self.width, self.n_classes, self.row_targets = model, model["attention"], width, n_classes, row_targets
        self.d, self.heads = model["d_model"], model["n_heads"]
        self.kv_heads = self.a["n_kv_heads"] or self.heads
        self.widths = self.a["head_widths"] or [self.d // self.heads] * self.heads
        self.different = len(set(self.widths)) > 1
        self.hidden = max(1, round(model["mlp_ratio"] * self.d))

    # --- names and shapes

    def norm_shapes(self, name):
        return {f"{name}.{k}": (self.d,) for k in (["gain", "bias"] if self.m["norm_kind"] == "layer" else ["gain"])}

    def feed_shapes(self, path):
        return {path + "w1": (self.hidden, self.d), path + "b1": (self.hidden,), path + "w2": (self.d, self.hidden), path + "b2": (self.d,)}

    def attention_shapes(self, path):
        a, columns, first = self.a, sum(self.widths), self.widths[0]
        keys = columns if self.different else first * self.kv_heads
        values = first if a["values"] == "shared" else keys
        shapes = {}
        for w, n in zip("qkv", (columns, keys, values)):
            shapes |= {f"{path}w{w}": (n, self.d), f"{path}b{w}": (n,)}
        shapes |= {path + "wo": (self.d, columns), path + "bo": (self.d,)}
        if a["qk_norm"] != "none":
            shapes |= {path + "q_norm.gain": (columns,), path + "k_norm.gain": (keys,)}
        if a["output_norm"] != "none":
            shapes[path + "output_norm.gain"] = (columns,)
        if a["kind"] == "performer":
            shapes[path + "directions"] = (a["n_features"], first)
        if a["kind"] == "linformer":
            shapes |= {path + f"project_{x}": (a["k"], a["max_length"]) for x in "kv"}
        if a["kind"] in ("linear", "performer"):
            return shapes
        if a["scale"] == "learned":
            shapes[path + "scale"] = (self.heads,)
        if a["score"] == "cosine" and a["gain"] == "learned":
            shapes[path + "gain"] = (self.heads,)
        if a["score"] == "additive":
            shapes[path + "w"] = (columns,) if self.different else (self.heads, first)
        if a["bias"] == "relative":
            shapes[path + "table"] = (self.heads, 2 * a["max_distance"] + 1)
        return shapes

    def shapes(self):
        m, d = self.m, self.d
        embedding = {"token.weight": (self.width, d)} if m["kind"] != "vit" else {"patch.weight": (d, self.width), "patch.bias": (d,)}
        tables = {"learned": ["table"], "factorised_2d": ["rows", "columns"], "fractional_2d": ["rows", "columns"]}
        shapes = embedding | {f"position.{t}": (m["position_size"], d) for t in tables.get(m["position"], [])}
        if not self.row_targets and m["pool"] == "cls":
            shapes["cls"] = (d,)
        if not self.row_targets and m["pool"] == "attention":
            shapes |= {"pool.weight": (1, d), "pool.bias": (1,)}
        if not self.row_targets and m["pool"] == "pma":
            shapes |= {"pool.seeds": (1, d)} | self.feed_shapes("pool.feed.") | self.feed_shapes("pool.mlp.")
            shapes |= {f"pool.attention.{k}{w}": (d, d) if k == "w" else (d,) for k in "wb" for w in "qkvo"}
            shapes |= {f"pool.norm{i}.{k}": (d,) for i in (1, 2) for k in ("gain", "bias")}
        for i in range(m["n_layers"]):
            b = f"encoder.block{i}."
            shapes |= self.attention_shapes(b + "attention.")
            shapes |= self.feed_shapes(b + "mlp.")
            for n in {"none": [], "sandwich": ["norm1", "norm2", "norm1_post", "norm2_post"]}.get(m["norm"], ["norm1", "norm2"]):
                shapes |= self.norm_shapes(b + n)
            if m["layer_scale"] is not None:
                shapes |= {b + "layer_scale1": (d,), b + "layer_scale2": (d,)}
        if m["norm"] not in ("post", "none"):
            shapes |= self.norm_shapes("encoder.norm")
        if not m["tie_embedding"]:
            shapes |= {"head.weight": (self.n_classes, d), "head.bias": (self.n_classes,)}
        return shapes

    # --- logits

    def logits(self, p, pack, seed, step):
        """Of weights p by name, with the dropout of a step."""
        x = self.encoded(p, pack, seed, step)
        x = x if self.row_targets else torch.stack([self.pooled(p, x[a:b]) for a, b in zip(self.offsets, self.offsets[1:])])
        return F.linear(x, p["token.weight"]) if self.m["tie_embedding"] else F.linear(x, p["head.weight"], p["head.bias"])

    def encoded(self, p, pack, seed, step):
        """The rows behind the encoder."""
        m, slices, places, turns = self.m, pack.slices(), [], []
        if m["kind"] == "vit":
            x = F.linear(torch.as_tensor(pack.rows).to(p["patch.weight"]), p["patch.weight"], p["patch.bias"])
        else:
            x = p["token.weight"][torch.as_tensor(pack.rows).long()]
        x = torch.cat([x[s] + self.position(p, pack, e, s.stop - s.start) for e, s in enumerate(slices)])
        for e, s in enumerate(slices):
            i = torch.arange(s.stop - s.start)
            places.append(i if pack.grids is None else torch.stack([i // pack.grids[e][1], i % pack.grids[e][1]], 1))
            turns.append(places[-1] if m["position"] == "rope_2d" else i)
        self.offsets, self.ids, self.seed, self.step = pack.offsets, pack.ids, seed, step
        if not self.row_targets and m["pool"] == "cls":  # a row in front that stands nowhere, and turns by nothing
            x = torch.cat([torch.cat([p["cls"][None], x[s]]) for s in slices])
            self.offsets = [o + e for e, o in enumerate(pack.offsets)]
            turns = [torch.cat([torch.zeros_like(i[:1]), i]) for i in turns]
            places = [torch.cat([torch.full_like(i[:1], -1), i]) for i in places]
        self.places, self.turns = places, turns
        for i in range(m["n_layers"]):
            b = f"encoder.block{i}."
            x = self.residual(p, x, lambda h: self.attend(p, h, b + "attention."), b + "norm1", b + "attention.branch", b + "layer_scale1")
            x = self.residual(p, x, lambda h: self.feed(p, h, b + "mlp."), b + "norm2", b + "mlp.branch", b + "layer_scale2")
        return x if m["norm"] in ("post", "none") else self.norm(p, x, "encoder.norm")

    def position(self, p, pack, e, n, path="position"):
        kind = self.m["position"]
        if kind == "learned":
            return sequences.table_rows(p[path + ".table"], n)
        if kind in ("sinusoidal", "periodic"):
            return sequences.sinusoids(n, self.d, self.m["period"] if kind == "periodic" else 0)
        if kind not in ("factorised_2d", "fractional_2d"):
            return 0.0
        rows, columns = (sequences.table_rows(p["position." + t], int(size), kind == "fractional_2d") for t, size in zip(("rows", "columns"), pack.grids[e]))
        return (rows[:, None] + columns[None]).reshape(-1, self.d)

    def norm(self, p, x, name):
        if self.m["norm_kind"] == "rms":
            return F.rms_norm(x, (self.d,), p[name + ".gain"], eps=1e-5)
        return F.layer_norm(x, (self.d,), p[name + ".gain"], p[name + ".bias"], eps=1e-5)

    def residual(self, p, x, f, norm, stream, scale):
        placement = self.m["norm"]

        def branch(y):
            y = y * p[scale] if self.m["layer_scale"] is not None else y
            return y * self.kept(stream) if self.m["dropout"] > 0 else y
        if placement == "pre":
            return x + branch(f(self.norm(p, x, norm)))
        if placement == "post":
            return self.norm(p, x + branch(f(x)), norm)
        if placement == "res_post":
            return x + branch(self.norm(p, f(x), norm))
        if placement == "sandwich":
            return x + branch(self.norm(p, f(self.norm(p, x, norm)), norm + "_post"))
        return x + branch(f(x))

    def kept(self, stream):
        o = dict(p=self.m["dropout"], seed=self.seed, name=stream, step=self.step)
        lengths = np.diff(self.offsets)
        return maths.kept(o, np.repeat(self.ids, lengths), np.concatenate([np.arange(n) for n in lengths]), self.d)

    def feed(self, p, x, b):
        return F.linear(F.gelu(F.linear(x, p[b + "w1"], p[b + "b1"])), p[b + "w2"], p[b + "b2"])

    def pooled(self, p, x):
        if self.m["pool"] == "pma":
            return self.pooled_by_seed(p, x)
        if self.m["pool"] == "attention":
            return F.linear(x, p["pool.weight"], p["pool.bias"])[:, 0].softmax(0) @ x
        return {"mean": lambda: x.mean(0), "cls": lambda: x[0], "last": lambda: x[-1]}[self.m["pool"]]()

    def pooled_by_seed(self, p, x):
        """Lee et al. 2019: a learned row that attends to the others."""
        normed = lambda x, name: F.layer_norm(x, (self.d,), p[name + ".gain"], p[name + ".bias"], eps=1e-5)
        z, seed, path = self.feed(p, x, "pool.feed."), p["pool.seeds"], "pool.attention."
        q, k, v = (F.linear(rows, p[f"{path}w{w}"], p[f"{path}b{w}"]).view(len(rows), self.heads, -1).transpose(0, 1) for w, rows in (("q", seed), ("k", z), ("v", z)))
        heard = F.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(1, self.d)
        h = normed(seed + F.linear(heard, p[path + "wo"], p[path + "bo"]), "pool.norm1")
        return normed(h + self.feed(p, h, "pool.mlp."), "pool.norm2")[0]

    # --- attention

    def by_head(self, x, heads, f):
        widths = self.widths if self.different else [x.shape[1] // heads] * heads
        return torch.cat([f(h, part) for h, part in enumerate(x.split(widths, 1))], 1)

    def head_normed(self, x, heads, kind, gain):
        def one(_, x):
            x = x - x.mean(-1, keepdim=True) if kind == "layer" else x
            return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return self.by_head(x, heads, one) * gain

    def attend(self, p, x, path, memory=None, k_offsets=None):
        """Of x with itself; of a memory of rows bounded by k_offsets, where places count for nothing."""
        a, across = self.a, memory is not None
        memory, k_offsets = (memory, k_offsets) if across else (x, self.offsets)
        q, k, v = (F.linear(rows, p[f"{path}w{w}"], p[f"{path}b{w}"]) for w, rows in (("q", x), ("k", memory), ("v", memory)))
        if a["qk_norm"] != "none":
            q = self.head_normed(q, self.heads, a["qk_norm"], p[path + "q_norm.gain"])
            k = self.head_normed(k, self.kv_heads, a["qk_norm"], p[path + "k_norm.gain"])
        if self.m["position"] in ("rope", "rope_2d") and not across:
            turns = torch.cat(self.turns)
            q, k = sequences.rotated(q, self.heads, turns), sequences.rotated(k, self.kv_heads, turns)
        if a["values"] == "shared":
            v = v.repeat(1, self.kv_heads)
        kinds = {"exact": self.exact, "linformer": self.linformer, "linear": self.without_pairs, "performer": self.without_pairs}
        y = kinds[a["kind"]](p, path, q, k, v, k_offsets, across)
        loud = a["head_gain"]
        y = self.by_head(y, self.heads, lambda h, part: part * loud["gain"] if h == loud["head"] else part)
        if a["output_norm"] != "none":
            y = self.head_normed(y, self.heads, a["output_norm"], p[path + "output_norm.gain"])
        return F.linear(y, p[path + "wo"], p[path + "bo"])

    def exact(self, p, path, q, k, v, k_offsets, across):
        a = self.a | (dict(bias="none", pattern="full") if across else {})
        o, places = ("bias", "pattern", "window", "dilation", "block", "select", "k"), {}
        if a["bias"] == "alibi_2d":
            places = dict(q_positions=torch.cat(self.places), k_positions=torch.cat(self.places))
        if a["bias"] == "relative":
            places["table"] = p[path + "table"]
        return self.paired(p, path, q, k, v, k_offsets, places, {key: a[key] for key in o})

    def linformer(self, p, path, q, k, v, k_offsets, across):
        mixed = lambda x, e: torch.cat([e[:, : b - a] @ x[a:b] for a, b in zip(k_offsets, k_offsets[1:])])
        offsets = [e * self.a["k"] for e in range(len(self.offsets))]
        rest = dict(bias="none", pattern="full", window=0, dilation=1, block=1, select="all", k=1)
        return self.paired(p, path, q, mixed(k, p[path + "project_k"]), mixed(v, p[path + "project_v"]), offsets, {}, rest)

    def paired(self, p, path, q, k, v, k_offsets, t, o):
        a = self.a
        scale = {"auto": "auto", "learned": "auto", "shared": math.exp(-0.5 * np.mean(np.log(self.widths)))}.get(a["scale"], a["scale"])
        t = t | dict(q=q, k=k, v=v, q_offsets=torch.tensor(self.offsets), k_offsets=torch.tensor(k_offsets), example=torch.tensor(self.ids))
        if a["score"] == "cosine" and a["gain"] != "learned":
            scale = a["gain"]
        for key in ("scale", "gain"):
            if path + key in p:
                t["gain"] = p[path + key]
        if a["score"] == "additive":
            t["w"] = p[path + "w"]
        if self.different:
            t["widths"] = torch.tensor(self.widths)
        o = o | {key: a[key] for key in ("score", "normaliser", "temperature", "dropout")}
        o |= dict(n_heads=self.heads, n_kv_heads=self.kv_heads, scale=scale, seed=self.seed, name=path + "dropout", step=self.step)
        return pairs.reference(t, o)["y"]

    def without_pairs(self, p, path, q, k, v, k_offsets, across):
        causal, shared = self.a["pattern"] == "causal" and not across, self.kv_heads

        def features(x, heads, shift):
            if self.a["kind"] == "linear":
                return torch.where(x > 0, x + 1, x.clamp(max=0).exp())
            return sequences.performed(x, p[path + "directions"], heads, shift)

        def one(q, k, v):
            q, k = features(q, self.heads, "row").chunk(self.heads, 1), features(k, shared, "none" if causal else "sequence").chunk(shared, 1)
            v = v.chunk(shared, 1)
            return torch.cat([sequences.weighted(q[h], k[h * shared // self.heads], v[h * shared // self.heads], causal) for h in range(self.heads)], 1)
        bounds = zip(self.offsets, self.offsets[1:], k_offsets, k_offsets[1:])
        return torch.cat([one(q[a:b], k[c:d], v[c:d]) for a, b, c, d in bounds])
