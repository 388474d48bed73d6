"""The mathematics that several references need, in plain torch operations and NumPy."""
import hashlib

import numpy as np, torch


class Margin:
    """How near a reference came to a choice between two branches: `jump` of one at which its values
    jump (a tie of top-k), `least` of any (the edge of a support, whose gradients alone jump). Float
    may fall on the other side there, so that the drivers draw such a case again."""

    def __init__(self):
        self.least = self.jump = float("inf")

    def between(self, distances, jump=False):
        distances = distances[torch.isfinite(distances)]
        if distances.numel():
            self.least = min(self.least, distances.min().item())
            self.jump = min(self.jump, distances.min().item()) if jump else self.jump


margin = Margin()


def real(constant):
    """What an op computes from integers and options alone (angles, masks, distances), worked out in
    double, in the type that the reference runs in."""
    return torch.as_tensor(constant).to(torch.get_default_dtype())


def stream_key(seed, name):
    return int.from_bytes(hashlib.sha256(f"{seed}/dropout/{name}".encode()).digest()[:8], "little")


def philox(counters, key):
    """docs/random.md"""
    c, k, m = np.array(counters, np.uint64).reshape(-1, 4), [key & 0xFFFFFFFF, key >> 32], np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[:, 0] * np.uint64(0xD2511F53), c[:, 2] * np.uint64(0xCD9E8D57)
        c = np.stack([b >> np.uint64(32) ^ c[:, 1] ^ np.uint64(k[0]), b & m, a >> np.uint64(32) ^ c[:, 3] ^ np.uint64(k[1]), a & m], 1)
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def kept(o, examples, rows, columns, head=0):
    """The masks of rows [n] of examples [n], [n, columns]: 1 / (1 - p) where they keep, else 0; o has
    p, seed, name, step."""
    j, threshold = np.arange(columns), int(np.floor(65536 * o["p"] + 0.5))
    examples, rows = np.broadcast_arrays(examples, rows)
    words, where = np.unique(j // 64 * 8 + j % 16 // 2, return_inverse=True)
    counters = np.zeros((len(rows), len(words), 4), np.uint64)
    counters[..., 0], counters[..., 1], counters[..., 2], counters[..., 3] = head << 20 | words, rows[:, None], examples[:, None], o["step"]
    w = philox(counters, stream_key(o["seed"], o["name"])).reshape(counters.shape)[:, where]
    b, lane = j // 16 % 4, j % 16
    draw = w[:, j, 2 * (b // 2) + lane % 2] >> (16 * (b % 2)).astype(np.uint64) & np.uint64(0xFFFF)
    return real((draw >= threshold) / (1 - threshold / 65536))


def softmax(z, seen):
    """(P, log-sum-exp) by row over the entries seen; rows that see nothing are 0 and -inf."""
    some = seen.any(-1, keepdim=True)
    top = torch.where(seen, z, -torch.inf).amax(-1, keepdim=True).detach()
    e = torch.where(seen, torch.exp(z - torch.where(some, top, 0.0)), 0.0)
    total = e.sum(-1, keepdim=True)
    lse = torch.where(some, torch.where(some, total, 1.0).log() + torch.where(some, top, 0.0), -torch.inf)
    return e / torch.where(some, total, 1.0), lse[..., 0]


def on_support(z, seen, threshold):
    """[z - tau]+ of the support that the sorted prefixes decide, where tau = threshold(z, support)."""
    with torch.no_grad():
        x = torch.where(seen, z, -1e9).sort(-1, descending=True).values
        prefix = torch.ones_like(x).cumsum(-1)
        tau = torch.stack([threshold(x, prefix <= n) for n in range(1, x.shape[-1] + 1)], -1)
        size = ((tau < x) & (x > -1e8)).sum(-1, keepdim=True)
        support = seen & (z > tau.gather(-1, (size - 1).clamp(min=0)))
    y = torch.where(support, z - threshold(z, support)[..., None], 0.0)
    margin.between(torch.where(seen, z - threshold(z, support)[..., None], torch.inf).abs())
    return y


def sparsemax(z, seen):
    return on_support(z, seen, lambda x, s: (torch.where(s, x, 0.0).sum(-1) - 1) / s.sum(-1).clamp(min=1))


def entmax15(z, seen):
    def threshold(x, s):
        n = s.sum(-1).clamp(min=1)
        mean = torch.where(s, x, 0.0).sum(-1) / n
        spread = torch.where(s, x - mean[..., None], 0.0).square().sum(-1)
        return mean - ((1 - spread) / n).clamp(min=torch.finfo(x.dtype).tiny).sqrt()
    return on_support(z / 2, seen, threshold).square()


def normalise(kind, z, seen):
    return softmax(z, seen)[0] if kind == "softmax" else {"sparsemax": sparsemax, "entmax15": entmax15}[kind](z, seen)
