"""The list of cases, and what many of them are drawn with.

A case is a function (rng, choices, number) -> (arrays, options, outputs): arrays are the op's inputs
by name, options those that are given, and outputs(t, o) the reference: the op's outputs from its
inputs t (torch) and all its options o, defaults included. It computes in the default type, which is
double, and float to see how well conditioned a case is. choices are the words that each option has.
Every input that may be left out is left out in some cases.
"""
import numpy as np, torch

CASES = {}


def op(function):
    CASES[function.__name__] = function
    return function


def size(rng, most=90):
    return int(rng.integers(1, most))


def normal(rng, *shape, scale=1.0):
    return scale * rng.normal(size=shape)


def pack(rng, number, least=0):
    """Offsets of a few sequences (None: one, left out), and their number of rows."""
    lengths = rng.integers(least, 30, 1 if number % 8 == 5 else rng.integers(1, 6))
    if lengths.sum() == 0:
        lengths[0] = 1
    if number % 8 == 5:
        return None, int(lengths[0])
    return np.r_[0, lengths.cumsum()].astype("i4"), int(lengths.sum())


def with_offsets(arrays, offsets):
    return arrays if offsets is None else dict(arrays, offsets=offsets)


def by_sequence(t, f):
    """f of the rows of each sequence, one behind the other."""
    bounds = t["offsets"].tolist() if "offsets" in t else [0, len(t["x"])]
    return torch.cat([f(slice(a, b)) for a, b in zip(bounds, bounds[1:])])
