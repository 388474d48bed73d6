"""Models that put out one sequence for another, in plain torch operations, as models.py has the others:
the transformer of encoder and decoder, and recurrent ones on PyTorch's own GRU.
"""
import numpy as np, torch, torch.nn.functional as F

import maths, models, sequences


class EncoderDecoder(models.Transformer):
    """Of a completed model over tokens of a vocabulary; n_classes tokens are decoded, the last the boundary."""

    def __init__(self, model, vocabulary, n_classes):
        super().__init__(model, vocabulary, n_classes, row_targets=True)
        self.of_encoder = self.a
        self.layers = model.get("n_decoder_layers", 2)

    def shapes(self):
        m, d = self.m, self.d
        shapes = super().shapes() | {"decoder.token.weight": (self.n_classes, d)}
        if m["position"] == "learned":
            shapes["decoder.position.table"] = (m["position_size"], d)
        self.a = self.of_encoder
        for i in range(self.layers):
            b = f"decoder.block{i}."
            shapes |= self.feed_shapes(b + "mlp.") | self.attention_shapes(b + "attention.")
            across = self.attention_shapes(b + "cross_attention.")
            across.pop(b + "cross_attention.table", None)
            shapes |= across
            for n in ("1", "2", "3"):
                if m["norm"] != "none":
                    shapes |= self.norm_shapes(b + "norm" + n)
                if m["norm"] == "sandwich":
                    shapes |= self.norm_shapes(b + "norm" + n + "_post")
                if m["layer_scale"] is not None:
                    shapes[b + "layer_scale" + n] = (d,)
        return shapes | (self.norm_shapes("decoder.norm") if m["norm"] not in ("post", "none") else {})

    def logits(self, p, pack, seed, step):
        m, q = self.m, pack.queries
        self.a = self.of_encoder
        memory, k_offsets = self.encoded(p, pack, seed, step), pack.offsets
        self.a, self.offsets = self.of_encoder | {"pattern": "causal"}, q.offsets
        self.turns = self.places = [torch.arange(s.stop - s.start) for s in q.slices()]
        x = p["decoder.token.weight"][torch.as_tensor(q.rows).long()]
        x = torch.cat([x[s] + self.position(p, q, e, s.stop - s.start, "decoder.position") for e, s in enumerate(q.slices())])
        for i in range(self.layers):
            b = f"decoder.block{i}."
            sublayers = [("attention", lambda h: self.attend(p, h, b + "attention.")),
                         ("cross_attention", lambda h: self.attend(p, h, b + "cross_attention.", memory, k_offsets)),
                         ("mlp", lambda h: self.feed(p, h, b + "mlp."))]
            for n, (name, f) in enumerate(sublayers, 1):
                x = self.residual(p, x, f, f"{b}norm{n}", f"{b}{name}.branch", f"{b}layer_scale{n}")
        if m["norm"] not in ("post", "none"):
            x = self.norm(p, x, "decoder.norm")
        return F.linear(x, p["head.weight"], p["head.bias"])


class Recurrent:
    """model.kind gru: Cho et al. 2014, and with attention Bahdanau et al. 2015."""

    def __init__(self, model, vocabulary, n_classes):
        self.m, self.vocabulary, self.n_classes = model, vocabulary, n_classes
        self.h, self.layers = model["d_hidden"], model["n_layers"]
        self.width = self.h * (2 if model["bidirectional"] else 1)
        self.context = self.width if model["bridge"] == "attention" else 0

    def shapes(self):
        d, h = self.m["d_embed"], self.h

        def unit(path, d_in):
            return {path + ".w_ih": (3 * h, d_in), path + ".w_hh": (3 * h, h), path + ".b_ih": (3 * h,), path + ".b_hh": (3 * h,)}
        shapes = {"token.weight": (self.vocabulary, d), "decoder.token.weight": (self.n_classes, d)}
        for i in range(self.layers):
            for path in [f"gru{i}"] + [f"gru{i}.reverse"] * self.m["bidirectional"]:
                shapes |= unit(path, self.width if i else d)
            shapes |= {f"bridge{i}.weight": (h, self.width), f"bridge{i}.bias": (h,)}
            shapes |= unit(f"decoder.gru{i}", h if i else d + self.context)
        if self.context:
            shapes |= {f"decoder.attention.{k}": s for k, s in (("wq", (h, h)), ("wk", (h, self.width)), ("w", (1, h)))}
        return shapes | {"head.weight": (self.n_classes, h + self.context), "head.bias": (self.n_classes,)}

    def embedded(self, p, pack, path, seed, step):
        lengths = np.diff(pack.offsets)
        x = p[path + ".weight"][torch.as_tensor(pack.rows).long()]
        if self.m["dropout"] == 0:
            return x
        o = dict(p=self.m["dropout"], seed=seed, name=path + ".dropout", step=step)
        return x * maths.kept(o, np.repeat(pack.ids, lengths), np.concatenate([np.arange(n) for n in lengths]), x.shape[1])

    def logits(self, p, pack, seed, step):
        x, y = self.embedded(p, pack, "token", seed, step), self.embedded(p, pack.queries, "decoder.token", seed, step)
        return torch.cat([self.one(p, x[a], y[b]) for a, b in zip(pack.slices(), pack.queries.slices())])

    def one(self, p, memory, asked):
        """The logits of one example."""
        learned = lambda path: [p[f"{path}.{k}"] for k in ("w_ih", "w_hh", "b_ih", "b_hh")]
        states, zero = [], torch.zeros(self.h)
        for i in range(self.layers):
            runs = [sequences.gated(memory, zero, learned(f"gru{i}"))]
            if self.m["bidirectional"]:
                runs.append(sequences.gated(memory, zero, learned(f"gru{i}.reverse"), reverse=True))
            memory, last = torch.cat([y for y, _ in runs], 1), torch.cat([s for _, s in runs])
            states.append(F.linear(last, p[f"bridge{i}.weight"], p[f"bridge{i}.bias"]).tanh())
        rows = []
        for x in asked:
            context = x.new_zeros(0)
            if self.context:
                scores = (memory @ p["decoder.attention.wk"].T + p["decoder.attention.wq"] @ states[-1]).tanh() @ p["decoder.attention.w"][0]
                context = scores.softmax(0) @ memory
            x = torch.cat([x, context])
            for i in range(self.layers):
                x = states[i] = torch.gru_cell(x[None], states[i][None], *learned(f"decoder.gru{i}"))[0]
            rows.append(torch.cat([x, context]))
        return F.linear(torch.stack(rows), p["head.weight"], p["head.bias"])
