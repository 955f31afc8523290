"""JSON whose numbers keep their text, and the float32 nearest to a decimal.

For the other modules of the acceptance test. Not a general JSON library: no writing, no streaming.
"""

import json
from fractions import Fraction

import numpy as np


class Num:
    """A JSON number as it was written. Equal only to the same text: 1, 1.0 and "1" are three things."""

    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Num) and other.text == self.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return self.text


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def parse(text):
    """JSON to Python with every number a `Num`; NaN and Infinity are refused, as JSON does."""
    return json.loads(text, parse_float=Num, parse_int=Num, parse_constant=_no_constant)


def same(a, b):
    """Equality that keeps True and 1 apart (numbers are `Num`, so booleans only equal booleans)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def floats(numbers):
    """A list of `Num` or Python numbers as float32, by way of double."""
    # What is no number makes NaN, which equals no vector of a dataset.
    doubles = [float(n.text) if isinstance(n, Num) else float(n if isinstance(n, (int, float)) else "nan") for n in numbers]
    with np.errstate(over="ignore", under="ignore"):
        return np.array(doubles, dtype=np.float64).astype(np.float32)


def nearest_f32(text):
    """The float32 nearest to the decimal, ties to even: differs from `floats` only where rounding twice does."""
    want = Fraction(text)
    guess = np.float32(float(text))
    around = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    finite = [f for f in around if np.isfinite(f)]
    return min(finite, key=lambda f: (abs(Fraction(float(f)) - want), int(f.view(np.uint32)) & 1))


def bits(array):
    """The bit patterns of a float32 array, so that -0.0 and NaN compare as what they are."""
    return np.ascontiguousarray(array, dtype=np.float32).view(np.uint32)
