#!/usr/bin/env python3
"""Writes tests/reference/ops.h5: ten ops with inputs, outputs and gradients made by PyTorch in double.

usage: tests/reference/record_ops.py      (needs numpy, h5py and torch)

A group a case: attributes op and options; /in holds what `attune op` is given in float32 (integers
as they are), /out what it must give. tests/process/op_reference_test.cpp runs them.
"""
import pathlib, sys

import h5py, numpy as np, torch, torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts/parity.d"))
import attention, maths  # noqa: E402

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(13)
N = lambda *shape: rng.normal(size=shape)
I = lambda *values: np.array(values, "i4")
ATTENTION = dict(n_kv_heads=0, score="scaled_dot", scale="auto", bias="none", pattern="full", select="all",
                 normaliser="softmax", temperature=1.0, dropout=0.0)


def attend(**given):
    def outputs(t):
        t.setdefault("example", torch.arange(len(t["q_offsets"]) - 1))
        return attention.reference(t, ATTENTION | given)
    return outputs


def turn(t):
    """rope of one head of width 8 at rows and columns, by complex numbers."""
    x, p = t["x"], t["positions"].double()
    halves = [torch.complex(x[:, a : a + 2], x[:, a + 2 : a + 4]) * torch.polar(torch.ones(1).double(), p[:, i : i + 1] * 100.0 ** (-torch.arange(2) / 2))
              for i, a in enumerate((0, 4))]
    return {"y": torch.cat([part for h in halves for part in (h.real, h.imag)], 1)}


def loss(t):
    return {"loss": F.cross_entropy(t["logits"], t["targets"].long(), label_smoothing=0.1, ignore_index=-1)}


def masked(t):
    o = dict(p=0.3, seed=5, name="encoder.block0", step=17)
    return {"y": t["x"] * maths.kept(o, [8, 8, 3], [0, 1, 0], 20)}


packed = dict(q_offsets=I(0, 3, 3, 7), k_offsets=I(0, 4, 5, 9))
CASES = [
    ("linear", {}, dict(x=N(4, 5), weight=N(3, 5), bias=N(3)), lambda t: {"y": F.linear(t["x"], t["weight"], t["bias"])}),
    ("gelu", dict(approximate="tanh"), dict(x=3 * N(3, 9)), lambda t: {"y": F.gelu(t["x"], approximate="tanh")}),
    ("layer_norm", dict(eps=0.01), dict(x=N(4, 7), gain=N(7), bias=N(7)), lambda t: {"y": F.layer_norm(t["x"], (7,), t["gain"], t["bias"], 0.01)}),
    ("rms_norm", {}, dict(x=N(4, 7), gain=N(7)), lambda t: {"y": F.rms_norm(t["x"], (7,), t["gain"], 1e-5)}),
    ("sparsemax", dict(temperature=2.0), dict(x=3 * N(5, 6), lengths=I(6, 3, 1, 0, 5)),
     lambda t: {"y": maths.sparsemax(t["x"] / 2, torch.arange(6) < t["lengths"][:, None])}),
    ("rope", dict(base=100.0), dict(x=N(3, 8), positions=np.array([[0, 3], [7, 1], [-2, 250]], "i4")), turn),
    ("attention", dict(n_heads=4, n_kv_heads=2, pattern="causal"), dict(q=N(7, 12), k=N(9, 6), v=N(9, 4), **packed),
     attend(n_heads=4, n_kv_heads=2, pattern="causal")),
    ("attention", dict(n_heads=2, bias="alibi", select="top_k", k=2, normaliser="entmax15"), dict(q=N(7, 6), k=N(9, 6), v=N(9, 4), **packed),
     attend(n_heads=2, bias="alibi", select="top_k", k=2, normaliser="entmax15")),
    ("cross_entropy", dict(label_smoothing=0.1, ignore_index=-1), dict(logits=2 * N(5, 4), targets=I(0, 3, -1, 2, 2)), loss),
    ("dropout", dict(p=0.3, seed=5, name="encoder.block0", step=17), dict(x=N(3, 20), example=I(8, 8, 3)), masked),
]


def main():
    with h5py.File(HERE / "ops.h5", "w", libver="latest") as f:
        for number, (op, options, arrays, outputs) in enumerate(CASES):
            arrays = {k: v if v.dtype.kind == "i" else v.astype("f4") for k, v in arrays.items()}
            t = {k: torch.tensor(v) if v.dtype.kind == "i" else torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in arrays.items()}
            y = outputs(dict(t))
            case = f.create_group(f"{number}_{op}")
            case.attrs["op"], case.attrs["options"] = op, [f"{k}={v}" for k, v in options.items()] or [""]
            total = 0
            for name, value in y.items():
                case["out/" + name] = value.detach().numpy()
                if name == "lse":
                    continue  # its gradient is left out, and 0
                g = rng.normal(size=tuple(value.shape)).astype("f4")
                case["in/grad_" + name] = g
                total = total + (value * torch.tensor(g).double()).sum()
            total.backward()
            for name, value in arrays.items():
                case["in/" + name] = value
                if value.dtype.kind != "i":
                    case["out/grad_" + name] = t[name].grad.numpy()


main()
