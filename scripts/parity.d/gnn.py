"""Graph networks in plain torch operations, as models.py has the transformers."""
import numpy as np, torch, torch.nn.functional as F

import graphs, maths, models

GNN = dict(layer="gat", n_heads=8, d_head=8, slope=0.2, self_loops=True, activation="elu", dropout=0.0, attention_dropout=0.0, norm=False, n_layers=2,
           d_embed=None, head="layer", output_heads=1, pool="mean")


class Graphs(models.Pack):
    """A Pack whose rows are nodes, with edges as attune's files have them: node i hears indices[indptr[i] … indptr[i+1])."""

    def __init__(self, rows, lengths, ids, targets, indptr, indices):
        super().__init__(rows, lengths, ids, targets)
        self.edges = {"indptr": torch.as_tensor(indptr), "indices": torch.as_tensor(indices)}

    def with_loops(self):
        """Every node hears itself, once, whatever loops there were."""
        i, j, n = graphs.receivers(self.edges), self.edges["indices"].long(), self.offsets[-1]
        i, j = torch.cat([i[i != j], torch.arange(n)]), torch.cat([j[i != j], torch.arange(n)])
        order = i.argsort(stable=True)
        return {"indptr": torch.cat([torch.zeros(1, dtype=torch.long), i.bincount(minlength=n).cumsum(0)]), "indices": j[order]}


class Gnn:
    """Of a model's settings over nodes of `width` features, n_classes logits a node (row_targets) or a graph."""

    def __init__(self, model, width, n_classes, row_targets):
        self.m, self.width, self.n_classes, self.row_targets = GNN | model, width, n_classes, row_targets
        self.answers = row_targets and self.m["head"] == "layer"

    def layers(self):
        """(path, columns of what enters, heads, columns of a head, whether it is hidden) of each."""
        m, width = self.m, self.m["d_embed"] or self.width
        name = m["layer"] if m["layer"] in ("gcn", "gin") else "gat"
        for i in range(m["n_layers"]):
            last = self.answers and i + 1 == m["n_layers"]
            yield f"{name}{i}.", width, *((m["output_heads"], self.n_classes) if last else (m["n_heads"], m["d_head"])), not last
            width = m["n_heads"] * m["d_head"]

    def shapes(self):
        m, inner, shapes = self.m, self.m["n_heads"] * self.m["d_head"], {}
        if m["d_embed"]:
            shapes = {"input.weight": (m["d_embed"], self.width), "input.bias": (m["d_embed"],)}
        for path, width, heads, d, hidden in self.layers():
            out = heads * d if hidden else d
            if m["layer"] == "gin":
                shapes |= {path + "self": (1,), path + "w1": (inner, width), path + "b1": (inner,), path + "w2": (out, inner), path + "b2": (out,)}
            else:
                shapes |= {path + "weight": (out if m["layer"] == "gcn" else heads * d, width), path + "bias": (out,)}
            if m["layer"] in ("gat", "gatv2"):
                shapes[path + "att_src"] = (heads, d)
                shapes |= {path + "att_dst": (heads, d)} if m["layer"] == "gat" else {path + "weight_dst": (heads * d, width)}
            if hidden and m["norm"]:
                shapes |= {path + "norm.gain": (inner,), path + "norm.bias": (inner,)}
        if not self.answers:
            shapes |= {"head.weight": (self.n_classes, inner), "head.bias": (self.n_classes,)}
        return shapes

    def logits(self, p, pack, seed, step):
        m = self.m
        self.edges = pack.with_loops() if m["self_loops"] and m["layer"] != "gin" else pack.edges
        self.pack, self.seed, self.step = pack, seed, step
        x = torch.as_tensor(pack.rows).to(torch.get_default_dtype())
        if m["d_embed"]:
            x = F.linear(x, p["input.weight"], p["input.bias"])
        for path, _, heads, d, hidden in self.layers():
            if m["dropout"]:
                lengths = np.diff(pack.offsets)
                o = dict(p=m["dropout"], seed=seed, name=path + "dropout", step=step)
                x = x * maths.kept(o, np.repeat(pack.ids, lengths), np.concatenate([np.arange(n) for n in lengths]), x.shape[1])
            x = self.messages(p, path, x, heads, hidden)
            if hidden:
                x = F.layer_norm(x, (x.shape[1],), p[path + "norm.gain"], p[path + "norm.bias"], eps=1e-5) if m["norm"] else x
                x = F.elu(x) if m["activation"] == "elu" else F.relu(x)
        if self.answers:
            return x
        if not self.row_targets:
            pooled = [x[s].sum(0) if m["pool"] == "sum" else x[s].mean(0) for s in pack.slices()]
            x = torch.stack(pooled)
        return F.linear(x, p["head.weight"], p["head.bias"])

    def messages(self, p, path, x, heads, hidden):
        m, i, j = self.m, graphs.receivers(self.edges), self.edges["indices"].long()
        total = lambda rows: torch.zeros(len(x), rows.shape[1]).index_add(0, i, rows)
        if m["layer"] == "gin":
            return F.linear(F.relu(F.linear(p[path + "self"] * x + total(x[j]), p[path + "w1"], p[path + "b1"])), p[path + "w2"], p[path + "b2"])
        z, degree = F.linear(x, p[path + "weight"]), self.edges["indptr"].diff().to(x)
        if m["layer"] == "gcn":
            return total(z[j] / (degree[i] * degree[j]).sqrt()[:, None]) + p[path + "bias"]
        if m["layer"] == "constant":
            y = total(z[j] / degree[i][:, None])
        else:
            o = dict(n_heads=heads, variant=m["layer"], slope=m["slope"], dropout=m["attention_dropout"], p=m["attention_dropout"], seed=self.seed, step=self.step,
                     name=path + "attention.dropout")
            t = self.edges | dict(offsets=torch.tensor(self.pack.offsets), example=torch.tensor(self.pack.ids), att_src=p[path + "att_src"], att_dst=p.get(path + "att_dst"))
            y = graphs.attended(t, o, z, F.linear(x, p[path + "weight_dst"]) if m["layer"] == "gatv2" else z)
        y = y if hidden else y.view(len(x), heads, -1).mean(1)
        return y + p[path + "bias"]
