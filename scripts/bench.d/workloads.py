"""What is timed: sizes, the data and the weights that both sides begin from, and how attune is told of them.

A workload is one batch, which every step sees; so its loss after any number of steps is a number of both
sides. Weights are drawn once, named as attune names them, and read by both.
"""
import math, pathlib

import h5py, numpy as np

# The dimensions of speed's table; `off` in Variant moves each by 10 to 40 %.
SIZES = {
    "W1": dict(batch=32, length=64, d=64, heads=4, ff=256, layers=2, classes=10, vocabulary=64, dropout=0.1),
    "W2": dict(batch=16, length=32, d=64, heads=4, ff=256, layers=24, classes=10, vocabulary=64, dropout=0.0),
    "W3": dict(batch=12, length=64, d=128, heads=4, ff=512, layers=4, classes=65, vocabulary=65, dropout=0.0),
    "W4": dict(batch=16, shortest=4, longest=16, patch=8, d=128, heads=4, ff=512, layers=4, classes=2, dropout=0.1),
    "W6": dict(nodes=2708, edges=5278, features=1433, heads=8, d_head=8, classes=7, dropout=0.6),
}
OFF = {
    "W1": dict(batch=27, length=75, d=76, ff=300, layers=3, vocabulary=80, classes=12),
    "W2": dict(batch=13, length=37, d=76, ff=300, layers=20, vocabulary=80),
    "W3": dict(batch=14, length=75, d=148, ff=600, layers=5),
    "W4": dict(batch=19, longest=19, patch=9, d=148, ff=600, layers=5),
    "W6": dict(nodes=3100, edges=6300, features=1240, d_head=10, classes=9),
}
TITLES = {"W1": "small classifier", "W2": "deep post-LN", "W3": "nanoGPT's CPU recipe", "W4": "ViT, images of every size", "W6": "two-layer GAT, Cora's sizes"}


class Variant:
    """A workload at its own sizes, or with one dimension off."""

    def __init__(self, workload, off=None, dropout=True):
        self.workload, self.off = workload, off
        self.sizes = dict(SIZES[workload]) | ({off: OFF[workload][off]} if off else {})
        if not dropout:
            self.sizes["dropout"] = 0.0

    @property
    def name(self):
        return self.workload.lower() + (f"_{self.off}_{self.sizes[self.off]}" if self.off else "")

    def overrides(self):
        """Keys of attune's command line, over configs/bench."""
        s = self.sizes
        if self.workload == "W6":
            return [f"model.d_head={s['d_head']}", f"model.n_heads={s['heads']}", f"model.dropout={s['dropout']}", f"model.attention_dropout={s['dropout']}"]
        keys = {"d_model": s["d"], "n_layers": s["layers"], "n_heads": s["heads"], "mlp_ratio": s["ff"] / s["d"], "dropout": s["dropout"], "attention.dropout": s["dropout"],
                "position_size": s["longest"] ** 2 if self.workload == "W4" else s["length"]}
        if self.workload == "W4":
            keys["patch"] = s["patch"]
        if self.workload == "W3":
            return [f"model.{k}={v}" for k, v in keys.items()] + [f"data.block={s['length']}", f"train.batch_size={s['batch']}"]
        return [f"model.{k}={v}" for k, v in keys.items()] + [f"train.batch_size={s['batch']}"]


# --- data

def write(path, kind, **columns):
    with h5py.File(path, "w") as f:
        f.attrs["schema"], f.attrs["kind"] = "attune.dataset@1", kind
        for name, value in columns.items():
            f[name] = value


def spread(rng, values, n):
    """n of them at random, each at least once."""
    x = rng.integers(0, values, n)
    x[:values] = np.arange(values)
    return x


def make_data(variant, path):
    """Writes the dataset; what the peer needs of it."""
    rng, s, w = np.random.default_rng(1), variant.sizes, variant.workload
    return {"W1": tokens, "W2": tokens, "W3": text, "W4": images, "W6": graph}[w](rng, s, path)


def tokens(rng, s, path):
    n = s["batch"]
    x, y = spread(rng, s["vocabulary"], n * s["length"]), spread(rng, s["classes"], n)
    write(path, "tokens", tokens=x.astype("i4"), offsets=np.arange(n + 1) * s["length"], label=y.astype("i4"), split=np.zeros(n, "i4"))
    return dict(x=x.reshape(n, -1), y=y)


def text(rng, s, path):
    """As many windows as the batch holds; the second half is validated on."""
    n = s["batch"] + s["length"]
    x = spread(rng, s["vocabulary"], 2 * n)
    write(path, "tokens", tokens=x.astype("i4"), offsets=np.array([0, 2 * n]))
    at = np.arange(s["batch"])[:, None] + np.arange(s["length"])
    return dict(x=x[at], y=x[at + 1])


def images(rng, s, path):
    grids, p = rng.integers(s["shortest"], s["longest"] + 1, (s["batch"], 2)), s["patch"]
    pixels = [rng.integers(0, 256, grid * p).astype("u1") for grid in grids]
    y = np.arange(s["batch"]) % s["classes"]
    write(path, "images", pixels=np.concatenate([i.ravel() for i in pixels]), offsets=np.r_[0, np.cumsum([i.size for i in pixels])], height=grids[:, 0] * p, width=grids[:, 1] * p,
          label=y.astype("i4"), split=np.zeros(len(y), "i4"))
    rows = [((i.astype("f4") / 255 - 0.5) / 0.25).reshape(r, p, c, p).transpose(0, 2, 1, 3).reshape(r * c, -1) for i, (r, c) in zip(pixels, grids)]
    return dict(x=np.concatenate(rows), lengths=grids.prod(1), y=y)


def graph(rng, s, path):
    """Undirected edges at random, both ways, without loops, which the models add; 1.27 % of the features are 1."""
    n, labelled = s["nodes"], 20 * s["classes"]
    pairs = rng.integers(0, n, (2, s["edges"]))
    pairs = pairs[:, pairs[0] != pairs[1]]
    source, target = np.concatenate([pairs, pairs[::-1]], 1)
    order = np.argsort(target, kind="stable")
    source, target = source[order], target[order]
    x = rng.random((n, s["features"])) < 0.0127
    y = np.arange(n) % s["classes"]
    split = np.where(np.arange(n) < labelled, 0, -1)
    write(path, "graphs", indptr=np.r_[0, np.bincount(target, minlength=n).cumsum()], indices=source, label=y.astype("i4"), split=split.astype("i4"))
    with h5py.File(path, "a") as f:
        f["x/data"], f["x/indices"], f["x/indptr"] = np.ones(x.sum(), "f4"), x.nonzero()[1].astype("i4"), np.r_[0, x.sum(1).cumsum()].astype("i4")
        f["x"].attrs["shape"] = x.shape
    return dict(x=x.astype("f4"), y=y, labelled=labelled, edges=np.stack([source, target]))


# --- weights

def shapes(variant):
    """By attune's names."""
    s = variant.sizes
    if variant.workload == "W6":
        columns = s["heads"] * s["d_head"]
        layers = {"gat0.": (s["heads"], s["d_head"], s["features"], columns), "gat1.": (1, s["classes"], columns, s["classes"])}
        return {path + name: shape for path, (h, d, d_in, out) in layers.items() for name, shape in
                {"weight": (h * d, d_in), "att_src": (h, d), "att_dst": (h, d), "bias": (out,)}.items()}
    d, ff = s["d"], s["ff"]
    found = {"patch.weight": (d, s["patch"] ** 2), "patch.bias": (d,)} if variant.workload == "W4" else {"token.weight": (s["vocabulary"], d)}
    found["position.table"] = (s["longest"] ** 2 if variant.workload == "W4" else s["length"], d)
    for i in range(s["layers"]):
        b = f"encoder.block{i}."
        found |= {b + f"attention.w{w}": (d, d) for w in "qkvo"} | {b + f"attention.b{w}": (d,) for w in "qkvo"}
        found |= {b + "mlp.w1": (ff, d), b + "mlp.b1": (ff,), b + "mlp.w2": (d, ff), b + "mlp.b2": (d,)}
        found |= {f"{b}norm{n}.{k}": (d,) for n in (1, 2) for k in ("gain", "bias")}
    if variant.workload != "W2":
        found |= {"encoder.norm.gain": (d,), "encoder.norm.bias": (d,)}
    return found | {"head.weight": (s["classes"], d), "head.bias": (s["classes"],)}


def make_weights(variant, path):
    rng = np.random.default_rng(2)

    def draw(name, shape):
        last = name.split(".")[-1]
        if last == "gain":
            return np.ones(shape, "f4")
        if len(shape) == 1:
            return np.zeros(shape, "f4")
        return (rng.normal(size=shape) * (0.02 if name in ("token.weight", "position.table") else 1 / math.sqrt(shape[-1]))).astype("f4")
    weights = {name: draw(name, shape) for name, shape in shapes(variant).items()}
    with h5py.File(path, "w") as f:
        for name, value in weights.items():
            f["weights/" + name] = value
    return weights
