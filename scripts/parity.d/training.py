"""Ten AdamW steps of small ViTs in attune and in PyTorch, from the same weights.

Draws images of many sizes and, for each variant of the quickstart model (VARIANTS below: norms,
pools, positions, patterns), initial weights with NumPy; writes both as HDF5 (the dataset by docs'
layout, the weights for train.init_from); runs `attune run configs/quickstart.yaml` on them with
dropout off and the whole training split as one batch; repeats it in PyTorch in double, one image at
a time; and compares the ten losses: relative difference below 1e-5.
"""
import math, pathlib, subprocess, sys

import h5py, numpy as np, torch, torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATCH, D, LAYERS, HEADS, HIDDEN, TABLE, STEPS = 8, 32, 2, 4, 64, 12, 10
LR, WARMUP, DECAY, CLIP = 1e-3, 4, 0.05, 1.0
BOUND = 1e-5
QUICKSTART = {"norm": "pre", "norm_kind": "layer", "position": "factorised_2d", "pool": "mean", "pattern": "full"}
VARIANTS = {
    "quickstart": {},
    "post": {"norm": "post"},
    "res_post": {"norm": "res_post", "pool": "attention"},
    "sandwich": {"norm": "sandwich", "norm_kind": "rms", "pool": "cls"},
    "none": {"norm": "none", "position": "none"},
    "rms": {"norm_kind": "rms", "position": "learned"},
    "post_cls": {"norm": "post", "norm_kind": "rms", "pool": "cls", "position": "learned"},
    "attention_pool": {"pool": "attention", "position": "none"},
    "causal": {"pattern": "causal"},
    "causal_pool": {"pattern": "causal", "norm": "sandwich", "position": "learned", "pool": "attention"},
}


def write_images(path, rng, n=24):
    """Images whose sides are multiples of the patch, some grids larger than the position table."""
    images = [rng.integers(0, 256, (PATCH * rng.integers(1, 15), PATCH * rng.integers(1, 15))).astype("u1")
              for _ in range(n)]
    label = np.arange(n) % 2
    with h5py.File(path, "w") as f:
        f.attrs["schema"], f.attrs["kind"] = "attune.dataset@1", "images"
        f["pixels"] = np.concatenate([i.ravel() for i in images])
        f["offsets"] = np.cumsum([0] + [i.size for i in images])
        f["height"] = np.array([i.shape[0] for i in images], "i4")
        f["width"] = np.array([i.shape[1] for i in images], "i4")
        f["label"] = label.astype("i4")
        f["group"] = np.arange(n, dtype="i4")
        f["split"] = np.array([0] * (n - 8) + [1] * 4 + [2] * 4, "i4")
        f["class_names"] = ["even", "odd"]
    return images[: n - 8], label[: n - 8]


def draw_weights(rng, v):
    norms = ["gain", "bias"] if v["norm_kind"] == "layer" else ["gain"]
    shapes = {"patch.weight": (D, PATCH * PATCH), "patch.bias": (D,), "head.weight": (2, D), "head.bias": (2,)}
    tables = {"factorised_2d": ["rows", "columns"], "learned": ["table"], "none": []}[v["position"]]
    shapes.update({f"position.{t}": (TABLE, D) for t in tables})
    if v["pool"] == "cls":
        shapes["cls"] = (D,)
    if v["pool"] == "attention":
        shapes.update({"pool.weight": (1, D), "pool.bias": (1,)})
    where = {"none": [], "sandwich": ["norm1", "norm2", "norm1_post", "norm2_post"]}.get(v["norm"], ["norm1", "norm2"])
    for i in range(LAYERS):
        b = f"encoder.block{i}."
        for w in "qkvo":
            shapes[b + "attention.w" + w], shapes[b + "attention.b" + w] = (D, D), (D,)
        shapes.update({b + "mlp.w1": (HIDDEN, D), b + "mlp.b1": (HIDDEN,), b + "mlp.w2": (D, HIDDEN), b + "mlp.b2": (D,)})
        shapes.update({f"{b}{n}.{k}": (D,) for n in where for k in norms})
    if v["norm"] not in ("post", "none"):
        shapes.update({f"encoder.norm.{k}": (D,) for k in norms})
    gain = lambda k: 1.0 if k.endswith("gain") else 0.0
    return {k: (gain(k) + rng.normal(size=s) * (0.02 if len(s) == 1 else 1 / math.sqrt(s[-1]))).astype("f4")
            for k, s in shapes.items()}


def table_rows(table, n):
    """Rows 0 … n−1 of a table, read by linear interpolation where there are more than it has."""
    if n <= TABLE:
        return table[:n]
    x = torch.arange(n, dtype=torch.float64) * (TABLE - 1) / (n - 1)
    low = x.floor().long().clamp(max=TABLE - 2)
    t = (x - low).to(table.dtype)[:, None]
    return table[low] * (1 - t) + table[low + 1] * t


def positions(p, v, rows, cols):
    if v["position"] == "none":
        return 0.0
    if v["position"] == "learned":
        return table_rows(p["position.table"], rows * cols)
    return (table_rows(p["position.rows"], rows)[:, None] + table_rows(p["position.columns"], cols)[None]).reshape(-1, D)


def logits(p, v, image):
    rows, cols = image.shape[0] // PATCH, image.shape[1] // PATCH
    x = torch.tensor(image.astype("f4")) / 255
    x = ((x - 0.5) / 0.25).double()
    x = x.view(rows, PATCH, cols, PATCH).permute(0, 2, 1, 3).reshape(rows * cols, -1)
    x = F.linear(x, p["patch.weight"], p["patch.bias"]) + positions(p, v, rows, cols)
    if v["pool"] == "cls":
        x = torch.cat([p["cls"][None], x])

    def norm(x, name):
        if v["norm_kind"] == "rms":
            return F.rms_norm(x, (D,), p[name + ".gain"], eps=1e-5)
        return F.layer_norm(x, (D,), p[name + ".gain"], p[name + ".bias"], eps=1e-5)

    def residual(x, f, name):
        if v["norm"] == "pre":
            return x + f(norm(x, name))
        if v["norm"] == "post":
            return norm(x + f(x), name)
        if v["norm"] == "res_post":
            return x + norm(f(x), name)
        if v["norm"] == "sandwich":
            return x + norm(f(norm(x, name)), name + "_post")
        return x + f(x)

    def attention(x, b):
        heads = lambda x: x.view(len(x), HEADS, -1).transpose(0, 1)
        q, k, val = (heads(F.linear(x, p[f"{b}w{w}"], p[f"{b}b{w}"])) for w in "qkv")
        h = F.scaled_dot_product_attention(q, k, val, is_causal=v["pattern"] == "causal")
        return F.linear(h.transpose(0, 1).reshape(len(x), D), p[b + "wo"], p[b + "bo"])

    def mlp(x, b):
        return F.linear(F.gelu(F.linear(x, p[b + "w1"], p[b + "b1"])), p[b + "w2"], p[b + "b2"])

    for i in range(LAYERS):
        b = f"encoder.block{i}."
        x = residual(x, lambda h: attention(h, b + "attention."), b + "norm1")
        x = residual(x, lambda h: mlp(h, b + "mlp."), b + "norm2")
    if v["norm"] not in ("post", "none"):
        x = norm(x, "encoder.norm")
    if v["pool"] == "cls":
        x = x[0]
    elif v["pool"] == "attention":
        x = F.linear(x, p["pool.weight"], p["pool.bias"])[:, 0].softmax(0) @ x
    else:
        x = x.mean(0)
    return F.linear(x, p["head.weight"], p["head.bias"])


def torch_losses(images, label, weights, v):
    p = {k: torch.tensor(w, dtype=torch.float64, requires_grad=True) for k, w in weights.items()}
    decayed = [w for k, w in p.items() if k.split(".")[-1].startswith("w")]
    plain = [w for k, w in p.items() if not k.split(".")[-1].startswith("w")]
    opt = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}], lr=LR)
    losses = []
    for t in range(STEPS):
        done = (t - WARMUP) / max(1, STEPS - WARMUP)
        rate = LR * (t + 1) / WARMUP if t < WARMUP else LR * 0.5 * (1 + math.cos(math.pi * done))
        for g in opt.param_groups:
            g["lr"] = rate
        opt.zero_grad()
        loss = F.cross_entropy(torch.stack([logits(p, v, i) for i in images]), torch.tensor(label))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(p.values(), CLIP)
        opt.step()
        losses.append(loss.item())
    return losses


def attune_losses(program, folder, images, n, variant, v):
    model = [f"model.{'attention.' if k == 'pattern' else ''}{k}={x}" for k, x in v.items()]
    done = subprocess.run([program, "run", ROOT / "configs/quickstart.yaml", "-q", "-o", folder,
                           f"name={variant}", "seeds=[0]", "data.kind=images", f"data.file={images}",
                           "data.split.scheme=given", f"train.init_from={folder / variant}.weights.h5", f"train.steps={STEPS}",
                           f"train.batch_size={n}", f"schedule.warmup={WARMUP}", f"optim.lr={LR}",
                           f"optim.weight_decay={DECAY}", f"optim.clip_norm={CLIP}", "data.resize.max_tokens=null", *model],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    (run,) = (folder / variant).glob("trials/*.h5")
    with h5py.File(run) as f:
        return f["metrics/train/loss"][:].tolist()


def compare(program, folder, rng, variants):
    """(variant, first loss, last loss, worst relative difference) of each, printed as they come."""
    images, label = write_images(folder / "images.h5", rng)
    if variants:
        print(f"{'model':22}first loss  last loss   worst relative difference")
    rows = []
    for variant in variants:
        v = QUICKSTART | VARIANTS[variant]
        weights = draw_weights(rng, v)
        with h5py.File(folder / f"{variant}.weights.h5", "w") as f:
            for name, value in weights.items():
                f["weights/" + name] = value
        ours = attune_losses(program, folder, folder / "images.h5", len(images), variant, v)
        theirs = torch_losses(images, label, weights, v)
        assert len(ours) == STEPS
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
        rows.append((variant, ours[0], ours[-1], worst))
        print(f"{variant:22}{ours[0]:.8f}  {ours[-1]:.8f}  {worst:.1e}", flush=True)
    return rows
