"""What one record of a dump says, and when a value of the dataset says the same.

For the readers and for check_layouts.py. A value is compared in the digits of its source: JSON numbers by their text, numbers of typed
columns by the value of that type.
"""

import datetime
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from exact import Num, parse  # noqa: E402

MISSING = object()


class JsonText:
    """A cell whose text may be JSON: kept as that text, or as the value that it is."""

    def __init__(self, text):
        self.text = text


class OneOf:
    """A value that more than one form keeps whole."""

    def __init__(self, *forms):
        self.forms = forms


@dataclass
class Record:
    id: str
    collection: str | None = None
    namespace: str | None = None
    # Name -> (kind, values). Kinds: float32, float64, float16, bfloat16, int8, uint8, binary (bytes), multi (a list of float32
    # arrays), sparse (indices, float32 values). The unnamed vector is called "".
    vectors: dict = field(default_factory=dict)
    payload: object = MISSING
    text: str | None = None  # None: whatever the dataset says
    # Vectors that nothing in the dump tells from a text: without a column, the first form of the payload holds them.
    optional: tuple = ()


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def agrees(got, want):
    """Whether a value of the dataset (numbers as `Num`) is the dump's."""
    if isinstance(want, OneOf):
        return any(agrees(got, form) for form in want.forms)
    if isinstance(want, JsonText):
        if got == want.text:
            return True
        try:
            return agrees(got, parse(want.text))
        except ValueError:
            return False
    if isinstance(want, dict):
        return isinstance(got, dict) and got.keys() == want.keys() and all(agrees(v, want[k]) for k, v in got.items())
    if isinstance(want, (list, tuple)):
        return isinstance(got, list) and len(got) == len(want) and all(map(agrees, got, want))
    if want is None or isinstance(want, (bool, str)):
        return type(got) is type(want) and got == want
    if isinstance(want, datetime.datetime):
        return isinstance(got, str) and instant(got) == want
    if isinstance(want, datetime.date):
        return got == want.isoformat()
    if not isinstance(got, Num):
        return False
    if isinstance(want, (Num, int)):
        return got.text == (want.text if isinstance(want, Num) else str(want))
    return type(want)(float(got.text)) == want


def where(got, want, path=""):
    """The first place where the two differ, for a message."""
    if isinstance(want, OneOf):
        return where(got, want.forms[0], path)
    if isinstance(got, dict) and isinstance(want, dict):
        for key in sorted({*got, *want}):
            if key not in got or key not in want:
                return f"{path}/{key} is {'missing' if key not in got else 'too much'}"
            if not agrees(got[key], want[key]):
                return where(got[key], want[key], f"{path}/{key}")
    return f"{path or 'payload'}: {got!r} instead of {want.text if isinstance(want, JsonText) else want!r}"[:300]


def float32(values):
    return "float32", np.asarray(values, np.float32)


def sparse(pairs):
    """From an object of index to value, or of `indices` and `values`; indices rise in the dataset."""
    if {"indices", "values"} <= pairs.keys():
        indices, values = pairs["indices"], pairs["values"]
    else:
        indices, values = list(pairs), list(pairs.values())
    both = sorted(zip([int(plain(i)) for i in indices], [float(plain(v)) for v in values]))
    return "sparse", (np.array([i for i, _ in both], np.uint32), np.array([v for _, v in both], np.float32))


def plain(value):
    return value.text if isinstance(value, Num) else value


def numbers(values, kind=np.float32):
    """JSON numbers as an array, by way of double."""
    return np.array([float(plain(v)) for v in values], np.float64).astype(kind)


def named(value):
    """A named vector of JSON: dense, sparse or multi."""
    if isinstance(value, dict):
        return sparse(value)
    if value and isinstance(value[0], list):
        return "multi", [numbers(row) for row in value]
    return "float32", numbers(value)
