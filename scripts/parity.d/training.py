"""Ten AdamW steps of small models in attune and in PyTorch, from the same weights.

Draws data (images of many sizes, labelled sequences of tokens, a text, pairs of sequences, graphs), settings of a model and its
weights (NumPy, written for train.init_from); runs them in attune with the whole training split as one
batch; repeats them in PyTorch in double (models.py), and compares the ten losses: relative difference
below 1e-5. Settings are drawn again where a choice comes near a tie, and where PyTorch's own float32
is further than a quarter of this from its float64.
"""
import json, math, subprocess, sys

import h5py, numpy as np, torch, torch.nn.functional as F

import gnn, graphs, maths, models, seq2seq

STEPS, LR, WARMUP, DECAY, CLIP, SEED = 10, 1e-3, 4, 0.05, 1.0, 0
BOUND = 1e-5
OWN = BOUND / 4
NEAR = 3e-6  # of the choices of top_k, at which the loss jumps
RUNS = 16  # settings of each model
MODELS = ("vit", "encoder", "decoder", "encoder_decoder", "gru", "gnn")
PATCH, VOCABULARY, ANSWERS, CLASSES, BLOCK = 4, 11, 7, 3, 14


# --- data

def write(path, kind, **columns):
    with h5py.File(path, "w") as f:
        f.attrs["schema"], f.attrs["kind"] = "attune.dataset@1", kind
        for name, value in columns.items():
            f[name] = value


def given_split(n):
    return np.array([0] * (n - 8) + [1] * 4 + [2] * 4, "i4")


def vit(rng, path, n=20):
    """Images whose sides are multiples of the patch, some grids larger than the position tables."""
    grids = rng.integers(1, 7, (n, 2))
    images = [rng.integers(0, 256, grid * PATCH).astype("u1") for grid in grids]
    label = np.arange(n) % CLASSES
    write(path, "images", pixels=np.concatenate([i.ravel() for i in images]), offsets=np.cumsum([0] + [i.size for i in images]),
          height=grids[:, 0] * PATCH, width=grids[:, 1] * PATCH, label=label.astype("i4"), split=given_split(n), class_names=["a", "b", "c"])
    images, grids = images[: n - 8], grids[: n - 8]
    patches = [((i.astype("f4") / 255 - 0.5) / 0.25).reshape(r, PATCH, c, PATCH).transpose(0, 2, 1, 3).reshape(r * c, -1) for i, (r, c) in zip(images, grids)]
    data = dict(kind="images", file=str(path), split={"scheme": "given"}, resize={"max_tokens": None})
    return data, models.Pack(np.concatenate(patches), grids.prod(1), range(n - 8), label[: n - 8], grids.tolist()), PATCH**2, CLASSES


def encoder(rng, path, n=20):
    lengths = rng.integers(1, 22, n)
    tokens, label = rng.integers(0, VOCABULARY, lengths.sum()), np.arange(n) % CLASSES
    tokens[-1] = VOCABULARY - 1
    write(path, "tokens", tokens=tokens.astype("i4"), offsets=np.r_[0, lengths.cumsum()], label=label.astype("i4"), split=given_split(n), class_names=["a", "b", "c"])
    data = dict(kind="tokens", file=str(path), split={"scheme": "given"})
    lengths, label = lengths[: n - 8], label[: n - 8]
    return data, models.Pack(tokens[: lengths.sum()], lengths, range(n - 8), label), VOCABULARY, CLASSES


def decoder(rng, path):
    """A text, of which each window of BLOCK tokens is an example, and the next token a row's target."""
    text = rng.integers(0, VOCABULARY, 48)
    text[-1] = VOCABULARY - 1
    write(path, "tokens", tokens=text.astype("i4"), offsets=np.array([0, len(text)]))
    data = dict(kind="text", file=str(path), block=BLOCK, val=1 / 3)
    starts = np.arange(32 - BLOCK)
    at = (starts[:, None] + np.arange(BLOCK)).ravel()
    return data, models.Pack(text[at], [BLOCK] * len(starts), starts, text[at + 1]), VOCABULARY, VOCABULARY


def pairs(rng, path, n=20):
    """Sequences of two vocabularies; behind the answers' tokens stands their boundary."""
    lengths, answers = rng.integers(1, 15, n), rng.integers(1, 12, n)
    tokens, answer = rng.integers(0, VOCABULARY, lengths.sum()), rng.integers(0, ANSWERS, answers.sum())
    tokens[-1], answer[-1] = VOCABULARY - 1, ANSWERS - 1
    at = np.r_[0, answers.cumsum()]
    write(path, "pairs", tokens=tokens.astype("i4"), offsets=np.r_[0, lengths.cumsum()], answer_tokens=answer.astype("i4"), answer_offsets=at, split=given_split(n))
    data, end, said = dict(kind="pairs", file=str(path), split={"scheme": "given"}), [ANSWERS], [answer[i:j] for i, j in zip(at, at[1:])][: n - 8]
    targets = np.concatenate([np.r_[y, end] for y in said])
    queries = models.Pack(np.concatenate([np.r_[end, y] for y in said]), answers[: n - 8] + 1, range(n - 8), targets)
    lengths = lengths[: n - 8]
    return data, models.Pack(tokens[: lengths.sum()], lengths, range(n - 8), targets, queries=queries), VOCABULARY, ANSWERS + 1


def labelled_graphs(rng, path, n=16):
    """Graphs of dense or of sparse features, of which the nodes are labelled or the graphs; some nodes hear nobody, some
    themselves, some others twice. Some nodes, or the last graphs, are not trained on."""
    lengths, d, nodes, sparse = rng.integers(1, 15, n), int(rng.integers(3, 12)), rng.integers(2) == 1, rng.integers(2) == 1
    at = np.r_[0, lengths.cumsum()]
    indptr, indices = graphs.graph(rng, at, at[-1])
    x = (rng.normal(size=(at[-1], d)) * (rng.random((at[-1], d)) < 0.4 if sparse else 1)).astype("f4")
    label = rng.integers(0, CLASSES, at[-1] if nodes else n)
    label[:CLASSES] = np.arange(CLASSES)
    split = rng.choice([-1, 0, 0, 1, 2], at[-1]) if nodes else given_split(n)
    split[:CLASSES] = 0
    write(path, "graphs", graph_offsets=at, indptr=indptr, indices=indices, label=label.astype("i4"), split=split.astype("i4"), class_names=["a", "b", "c"])
    with h5py.File(path, "a") as f:
        f.attrs["task"] = "node" if nodes else "graph"
        if sparse:
            f["x/data"], f["x/indices"], f["x/indptr"] = x[x != 0], x.nonzero()[1], np.r_[0, (x != 0).sum(1).cumsum()]
            f["x"].attrs["shape"] = x.shape
        else:
            f["x"] = x
    trained = [g for g in range(n) if (split[at[g]:at[g + 1]] == 0).any()] if nodes else list(range(n - 8))
    rows = np.concatenate([np.arange(at[g], at[g + 1]) for g in trained])
    place = np.full(at[-1], -1)
    place[rows] = np.arange(len(rows))
    heard = [place[indices[indptr[i]:indptr[i + 1]]] for i in rows]
    targets = np.where(split[rows] == 0, label[rows], F.cross_entropy.__defaults__[2]) if nodes else label[trained]
    data = dict(kind="graph", file=str(path), split={"scheme": "given"})
    return data, gnn.Graphs(x[rows], lengths[trained], trained, targets, np.r_[0, np.cumsum([len(h) for h in heard])], np.concatenate(heard)), d, CLASSES


DATA = {"vit": vit, "encoder": encoder, "decoder": decoder, "encoder_decoder": pairs, "gru": pairs, "gnn": labelled_graphs}


# --- settings

def draw_attention(rng, kind, number):
    pick = lambda *words: words[int(rng.integers(len(words)))]
    # A linformer mixes all keys, the later ones too, so that a decoder must not.
    a = {"kind": ["exact", "exact", "linear", "exact", "performer", "exact", "linformer" if kind in ("vit", "encoder") else "exact", "exact"][number % 8]}
    causal = kind == "decoder"
    if a["kind"] == "performer":
        a["n_features"] = int(rng.integers(4, 20))
    if a["kind"] == "linformer":
        a.update(k=int(rng.integers(2, 9)), max_length=60)
    if a["kind"] != "linformer":
        a["pattern"] = "causal" if causal else "full"
    if a["kind"] in ("exact", "linformer"):
        a["score"] = pick("scaled_dot", "dot", "cosine", "additive")
        a["normaliser"] = pick("softmax", "softmax", "sparsemax", "entmax15")
        if a["score"] in ("scaled_dot", "dot"):
            a["scale"] = pick("auto", "learned", 0.2)
        if a["score"] == "cosine":
            a["gain"] = pick("learned", 4.5)
        a["temperature"] = pick(1.0, 1.7)
        a["dropout"] = pick(0.0, 0.0, 0.2)
    if a["kind"] == "exact":
        a["bias"] = pick("none", "alibi", "relative", *(["alibi_2d"] if kind == "vit" else []))
        if a["bias"] == "relative":
            a["max_distance"] = int(rng.integers(0, 10))
        if not causal:
            a["pattern"] = pick("full", "window", "causal_window", "dilated", "block", "causal")
        elif rng.random() < 0.3:
            a["pattern"] = "causal_window"
        if a["pattern"] in ("window", "causal_window", "dilated"):
            a["window"] = int(rng.integers(1, 6))
        if a["pattern"] == "block":
            a["block"] = int(rng.integers(2, 9))
        a["select"] = pick("all", "all", "top_k", "two_stage_top_k")
        if a["select"] != "all":
            a["k"] = int(rng.integers(1, 6))
    heads = pick("equal", "equal", "grouped", "shared", "different") if a["kind"] in ("exact", "linformer") else pick("equal", "grouped", "shared")
    if heads == "grouped":
        a["n_kv_heads"] = pick(1, 2)
    if heads == "shared":
        a["values"] = "shared"
    if heads == "different":
        a["head_widths"] = [4, 8, 8, 14]
        if a.get("score") == "scaled_dot":
            a["scale"] = pick("auto", "shared", "learned")
    a["qk_norm"], a["output_norm"] = pick("none", "none", "rms", "layer"), pick("none", "none", "rms", "layer")
    if rng.random() < 0.2:
        a["head_gain"] = {"head": 2, "gain": 3.0}
    return a


def draw_model(rng, kind, number):
    """Settings of a model. Norms, positions and kinds of attention come round in turn, so that a
    whole run has each; the rest is drawn."""
    pick = lambda *words: words[int(rng.integers(len(words)))]
    if kind == "gru":
        return dict(kind=kind, d_embed=int(rng.integers(3, 30)), d_hidden=int(rng.integers(3, 30)), n_layers=1 + number // 4 % 2, bidirectional=number // 2 % 2 == 1,
                    bridge=["fixed", "attention"][number % 2], dropout=pick(0.0, 0.0, 0.2))
    if kind == "gnn":
        layer = ["gat", "gatv2", "gat", "gcn", "gin", "gat", "gatv2", "constant"][number % 8]
        m = dict(kind=kind, layer=layer, n_layers=1 + number // 2 % 3, n_heads=int(rng.integers(1, 5)), d_head=int(rng.integers(1, 9)), activation=pick("elu", "relu"),
                 output_heads=pick(1, 3), head=pick("layer", "layer", "linear"), pool=pick("mean", "sum"), d_embed=pick(None, None, 6), norm=pick(False, True),
                 dropout=pick(0.0, 0.6), self_loops=layer == "gcn" or pick(True, True, False))
        return m | (dict(slope=pick(0.2, 0.05), attention_dropout=pick(0.0, 0.6)) if layer in ("gat", "gatv2") else {})
    m = dict(kind=kind, d_model=32, n_layers=2, n_heads=4, mlp_ratio=2.0, norm=["pre", "post", "res_post", "sandwich", "none"][number % 5],
             norm_kind=pick("layer", "rms"), attention=draw_attention(rng, kind, number), position_size=40 if kind == "encoder_decoder" else 6)
    flat = ["learned", "sinusoidal", "rope", "none", "periodic"]
    m["position"] = (["factorised_2d", "rope_2d", "fractional_2d", *flat] if kind == "vit" else flat)[number % (8 if kind == "vit" else 5)]
    if m["attention"].get("head_widths") and m["position"] in ("rope", "rope_2d"):
        m["position"] = "learned"
    if m["position"] == "periodic":
        m["period"] = int(rng.integers(1, 9))
    if kind == "vit":
        m["patch"] = PATCH
    if kind == "decoder":
        m["tie_embedding"] = pick(True, False)
    elif kind == "encoder_decoder":
        m["n_decoder_layers"] = int(rng.integers(1, 3))
    elif m["attention"].get("pattern") in ("causal", "causal_window"):
        m["pool"] = pick("mean", "attention", "last", "pma")
    else:
        m["pool"] = pick("mean", "attention", "cls", "last", "pma")
    m["dropout"] = pick(0.0, 0.0, 0.1)
    if rng.random() < 0.25:
        m["layer_scale"] = 0.3
    return m


def draw_weights(rng, shapes):
    def one(name, shape):
        last = name.split(".")[-1]
        around = {"gain": 1.0, "scale": 0.4, "layer_scale1": 0.3, "layer_scale2": 0.3, "layer_scale3": 0.3}.get(last, 0.0)
        return around + rng.normal(size=shape) * (1.0 if last == "directions" else 0.05 if len(shape) == 1 else 1 / math.sqrt(shape[-1]))
    return {k: one(k, s).astype("f4") for k, s in shapes.items()}


# --- ten steps

def decays(name):
    """Weights of linear maps and of scores do, and the linformer's mixtures."""
    last = name.split(".")[-1]
    return not name.endswith("token.weight") and last.startswith(("w", "project_", "att_"))


def rate(t):
    return LR * (t + 1) / WARMUP if t < WARMUP else LR * 0.5 * (1 + math.cos(math.pi * (t - WARMUP) / (STEPS - WARMUP)))


def torch_losses(net, pack, weights, loss, real):
    torch.set_default_dtype(real)
    p = {k: torch.tensor(w, dtype=real, requires_grad=not k.endswith(".directions")) for k, w in weights.items()}
    learned = {k: w for k, w in p.items() if w.requires_grad}
    opt = torch.optim.AdamW([{"params": [w for k, w in learned.items() if decays(k)], "weight_decay": DECAY},
                             {"params": [w for k, w in learned.items() if not decays(k)], "weight_decay": 0.0}], lr=LR)
    losses = []
    for t in range(STEPS):
        for g in opt.param_groups:
            g["lr"] = rate(t)
        opt.zero_grad()
        value = F.cross_entropy(net.logits(p, pack, SEED, t), pack.targets, label_smoothing=loss["label_smoothing"])
        value.backward()
        torch.nn.utils.clip_grad_norm_(learned.values(), CLIP)
        opt.step()
        losses.append(value.item())
    return np.array(losses)


def attune_losses(program, folder, name, data, model, loss, n):
    study = dict(schema="attune/experiment@1", name=name, kind="train", data=data, model=model, loss=loss, seeds=[SEED], metrics=["val/loss"],
                 optim=dict(kind="adamw", lr=LR, weight_decay=DECAY, clip_norm=CLIP), schedule=dict(kind="cosine", warmup=WARMUP),
                 train=dict(steps=STEPS, batch_size=n, init_from=str(folder / f"{name}.weights.h5")))
    source = folder / f"{name}.yaml"
    source.write_text(json.dumps(study, indent=1))  # JSON is YAML
    done = subprocess.run([program, "run", source, "-q", "-o", folder], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip() + "\n"
    (run,) = (folder / name).glob("trials/*.h5")
    with h5py.File(run) as f:
        return f["metrics/train/loss"][:]


def apart(a, b):
    return float(np.abs(a / b - 1).max()) if a.shape == b.shape and np.isfinite(a).all() else float("inf")


def network(model, pack, width, classes):
    if model["kind"] == "gnn":
        return gnn.Gnn(model, width, classes, row_targets=len(pack.targets) != len(pack.ids))
    if model["kind"] == "gru":
        return seq2seq.Recurrent(model, width, classes)
    if model["kind"] == "encoder_decoder":
        return seq2seq.EncoderDecoder(models.completed(model), width, classes)
    return models.Transformer(models.completed(model), width, classes, row_targets=model["kind"] == "decoder")


class Compared:
    """What has come of the runs of one model."""

    def __init__(self, name):
        self.name, self.n, self.ties, self.ill, self.worst, self.own, self.settings, self.wrong = name, 0, 0, 0, 0.0, 0.0, "", []


def in_words(model):
    """What of it differs from run to run, as keys of the command line."""
    flat = {k: v for k, v in model.items() if k not in ("kind", "d_model", "n_layers", "n_heads", "mlp_ratio", "patch", "attention", "position_size")}
    return " ".join(f"{k}={v}" for k, v in (flat | {f"attention.{k}": v for k, v in model.get("attention", {}).items()}).items())


def compare(program, folder, kind, rng, runs):
    found = Compared(kind)
    for number in range(runs):
        while True:
            name = f"{kind}{number}"
            data, pack, width, classes = DATA[kind](rng, folder / f"{name}.h5")
            model = draw_model(rng, kind, number)
            loss = {"label_smoothing": [0.0, 0.1][number % 2]}
            net = network(model, pack, width, classes)
            weights = draw_weights(rng, net.shapes())
            maths.margin.jump = float("inf")
            theirs = torch_losses(net, pack, weights, loss, torch.float64)
            if maths.margin.jump <= NEAR:
                found.ties += 1
                continue
            own = apart(torch_losses(net, pack, weights, loss, torch.float32), theirs)
            if own <= OWN:
                break
            found.ill += 1
        with h5py.File(folder / f"{name}.weights.h5", "w") as f:
            for k, v in weights.items():
                f["weights/" + k] = v
        found.n, found.own = found.n + 1, max(found.own, own)
        ours = attune_losses(program, folder, name, data, model, loss, len(pack.ids))
        if isinstance(ours, str):
            found.wrong.append(f"{kind} {in_words(model)}: {ours}")
            continue
        worst = apart(ours, theirs)
        if worst > found.worst:
            found.worst, found.settings = worst, in_words(model)
        if not worst <= BOUND:
            found.wrong.append(f"{kind} run {number}, {in_words(model)}: losses differ by {worst:.1e}")
    if found.ties + found.ill > runs:
        found.wrong.append(f"{kind}: {found.ties} draws near ties and {found.ill} ill-conditioned ones for {runs} runs")
    return found
