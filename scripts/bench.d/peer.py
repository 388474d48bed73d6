"""The workloads as a PyTorch user writes them, timed on request: a process that reads a line of JSON and answers with one.

{"do": "build", "variant": …, "data": FILE.npz, "weights": FILE.npz, "fused": …, "compiled": …, "padded": …}
{"do": "time", "seconds": …}       step times in ms
{"do": "losses", "steps": n}       of a fresh model without dropout

With a request as second argument: so many "steps" of one training, and no more.
"""
import json, sys, time

import numpy as np, torch, torch.nn as nn, torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d, heads, p, causal):
        super().__init__()
        self.heads, self.p, self.causal = heads, p, causal
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.p if self.training else 0.0, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, s, pre, causal):
        super().__init__()
        d = s["d"]
        self.pre, self.attention = pre, Attention(d, s["heads"], s["dropout"], causal)
        self.norm1, self.norm2, self.drop = nn.LayerNorm(d), nn.LayerNorm(d), nn.Dropout(s["dropout"])
        self.mlp = nn.Sequential(nn.Linear(d, s["ff"]), nn.GELU(), nn.Linear(s["ff"], d))

    def forward(self, x, mask=None):
        if self.pre:
            x = x + self.drop(self.attention(self.norm1(x), mask))
            return x + self.drop(self.mlp(self.norm2(x)))
        x = self.norm1(x + self.drop(self.attention(x, mask)))
        return self.norm2(x + self.drop(self.mlp(x)))

    def load(self, w, b):
        a, pairs = b + "attention.", {}
        pairs["attention.qkv.weight"] = np.concatenate([w[a + x] for x in ("wq", "wk", "wv")])
        pairs["attention.qkv.bias"] = np.concatenate([w[a + x] for x in ("bq", "bk", "bv")])
        pairs |= {"attention.out.weight": w[a + "wo"], "attention.out.bias": w[a + "bo"]}
        for i, n in enumerate(("1", "2")):
            pairs |= {f"norm{n}.weight": w[f"{b}norm{n}.gain"], f"norm{n}.bias": w[f"{b}norm{n}.bias"]}
            pairs |= {f"mlp.{2 * i}.weight": w[f"{b}mlp.w{n}"], f"mlp.{2 * i}.bias": w[f"{b}mlp.b{n}"]}
        self.load_state_dict({k: torch.as_tensor(v) for k, v in pairs.items()})


class Encoder(nn.Module):
    """W1 to W4; padded: of sequences of other lengths than the longest; one by one, without padding."""

    def __init__(self, workload, s, d, w, padded):
        super().__init__()
        self.lengths, self.padded, self.each = d.get("lengths"), padded, workload == "W3"
        self.embed = nn.Linear(s["patch"] ** 2, s["d"]) if workload == "W4" else nn.Embedding(s["vocabulary"], s["d"])
        self.position = nn.Parameter(torch.zeros(w["position.table"].shape))
        self.blocks = nn.ModuleList([Block(s, workload != "W2", workload == "W3") for _ in range(s["layers"])])
        self.norm = nn.LayerNorm(s["d"]) if workload != "W2" else nn.Identity()
        self.head = nn.Linear(s["d"], s["classes"])
        t = torch.as_tensor
        with torch.no_grad():
            self.embed.weight.copy_(t(w["patch.weight" if workload == "W4" else "token.weight"]))
            if workload == "W4":
                self.embed.bias.copy_(t(w["patch.bias"]))
            self.position.copy_(t(w["position.table"]))
            for i, block in enumerate(self.blocks):
                block.load(w, f"encoder.block{i}.")
            if workload != "W2":
                self.norm.weight.copy_(t(w["encoder.norm.gain"])), self.norm.bias.copy_(t(w["encoder.norm.bias"]))
            self.head.weight.copy_(t(w["head.weight"])), self.head.bias.copy_(t(w["head.bias"]))

    def forward(self, x, mask=None):
        if isinstance(x, list):
            return torch.cat([self(row[None]) for row in x])
        y = self.embed(x) + self.position[: x.shape[1]]
        for block in self.blocks:
            y = block(y, mask)
        y = self.norm(y)
        if self.each:
            return self.head(y)
        if mask is None:
            return self.head(y.mean(1))
        seen = mask[:, 0, 0, :, None].to(y)
        return self.head((y * seen).sum(1) / seen.sum(1))


class GatLayer(nn.Module):
    def __init__(self, w, path, p, concatenated, source, target, n):
        super().__init__()
        parameter = lambda name: nn.Parameter(torch.as_tensor(w[path + name]).clone())
        self.weight, self.att_src, self.att_dst, self.bias = map(parameter, ("weight", "att_src", "att_dst", "bias"))
        self.p, self.concatenated, self.source, self.target, self.n = p, concatenated, source, target, n

    def forward(self, x):
        heads, d = self.att_src.shape
        z = F.linear(F.dropout(x, self.p, self.training), self.weight).view(-1, heads, d)
        score = F.leaky_relu((z * self.att_src).sum(-1)[self.source] + (z * self.att_dst).sum(-1)[self.target], 0.2)
        top = torch.full((self.n, heads), -1e9).scatter_reduce(0, self.target[:, None].expand_as(score), score, "amax")
        e = (score - top[self.target]).exp()
        a = F.dropout(e / torch.zeros(self.n, heads).index_add(0, self.target, e)[self.target], self.p, self.training)
        y = torch.zeros(self.n, heads, d).index_add(0, self.target, z[self.source] * a[..., None])
        return (y.flatten(1) if self.concatenated else y.mean(1)) + self.bias


class Gat(nn.Module):
    def __init__(self, s, d, w):
        super().__init__()
        loops = np.arange(s["nodes"])
        source, target = (torch.as_tensor(np.r_[e, loops]) for e in d["edges"])
        self.first = GatLayer(w, "gat0.", s["dropout"], True, source, target, s["nodes"])
        self.second = GatLayer(w, "gat1.", s["dropout"], False, source, target, s["nodes"])
        self.labelled = int(d["labelled"])

    def forward(self, x):
        return self.second(F.elu(self.first(x)))[: self.labelled]


class Step:
    """One model in training."""

    def __init__(self, workload, s, data, weights, fused=False, compiled=False, padded=True):
        t, mask = torch.as_tensor, None
        net = Gat(s, data, weights) if workload == "W6" else Encoder(workload, s, data, weights, padded)
        x, y = t(data["x"]), t(data["y"]).flatten()
        if workload == "W6":
            y = y[: net.labelled]
        if workload == "W4":
            rows = x.split(data["lengths"].tolist())
            longest = max(len(r) for r in rows)
            x = torch.stack([F.pad(r, (0, 0, 0, longest - len(r))) for r in rows]) if padded else list(rows)
            mask = (torch.arange(longest) < t(data["lengths"])[:, None])[:, None, None] if padded else None
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=fused)
        model = torch.compile(net) if compiled else net
        arguments = (x,) if mask is None else (x, mask)

        def step():
            optimiser.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(*arguments).flatten(0, -2), y)
            loss.backward()
            optimiser.step()
            return loss
        self.run = step


class SelfAttention:
    """W5: attention alone, forward and backward."""

    def __init__(self, n, heads, d_head):
        q, k, v = (torch.randn(1, heads, n, d_head, requires_grad=True) for _ in range(3))
        upstream = torch.randn(1, heads, n, d_head)

        def step():
            for x in (q, k, v):
                x.grad = None
            F.scaled_dot_product_attention(q, k, v).backward(upstream)
        self.run = step


def answer(request, state):
    if request["do"] == "build":
        if request["workload"] == "W5":
            step = SelfAttention(**request["sizes"])
        else:
            data, weights = (dict(np.load(request[f])) for f in ("data", "weights"))
            state["args"] = (request["workload"], request["sizes"], data, weights)
            step = Step(*state["args"], **request["options"])
        for _ in range(3):
            step.run()
        state["steps"][request["as"]] = step
        return {"ok": True}
    if request["do"] == "losses":
        workload, sizes, data, weights = state["args"]
        step = Step(workload, sizes | {"dropout": 0.0}, data, weights, **request["options"])
        return {"losses": [step.run().item() for _ in range(request["steps"])]}
    step, times, end = state["steps"][request["as"]], [], time.perf_counter() + request["seconds"]
    while time.perf_counter() < end or len(times) < 3:
        begin = time.perf_counter()
        step.run()
        times.append(1e3 * (time.perf_counter() - begin))
    return {"ms": times}


def alone(request):
    """A training as a script would run it; tells when its first step was done."""
    data, weights = (dict(np.load(request[f])) for f in ("data", "weights"))
    step = Step(request["workload"], request["sizes"], data, weights, fused=True)
    for i in range(request["steps"]):
        step.run()
        first = time.time() if i == 0 else first
    return {"first_step": first}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    if len(sys.argv) > 2:
        return print(json.dumps(alone(json.loads(sys.argv[2]))))
    state = {"steps": {}}
    for line in sys.stdin:
        try:
            result = answer(json.loads(line), state)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
