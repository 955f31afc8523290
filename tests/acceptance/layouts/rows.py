"""Records of a Parquet corpus (that of make_dump.py) with every kind of vector and value, the same on every run.

What the layouts' writers share. It writes nothing and knows no layout.
"""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

# What text in real tables holds and simple writers break on.
ODD = 'quotes " \' "", a \\ and\ttab,\r\nline; \\N is no null {a,b} «ünï»'


@dataclass
class Row:
    """One record: plain values, and vectors of one length."""

    n: int
    id: str
    number: int
    uuid: str
    vector: np.ndarray  # float32
    text: str
    values: dict  # the other fields

    @property
    def small(self):
        return self.vector[:4] / np.float32(3)

    @property
    def bits(self):
        """One bit a value, eight a byte, the first the highest."""
        return np.packbits(self.vector > 0)

    @property
    def int8(self):
        return np.clip(np.round(self.vector.astype(np.float64) * 400), -128, 127).astype(np.int8)

    @property
    def multi(self):
        return [self.vector[k : k + 2] for k in range(0, 2 * (self.n % 3 + 1), 2)]

    @property
    def sparse(self):
        """Index to value: 2 to 5 pairs, indices rising, some above 2^31."""
        count = 2 + self.n % 4
        indices = sorted({int(i) * 7 + self.n for i in np.argsort(-np.abs(self.vector))[: count - 1]} | {2**32 - 1 - self.n})
        return {i: float(np.float32(self.vector[k])) for k, i in enumerate(indices)}


def load(corpus, count, dimension, text=None):
    """The first records; vectors and texts cut to the given length."""
    table = pq.read_table(corpus).slice(0, count)
    matrix = table["vector"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)[:, :dimension]
    out = []
    for n, (row, vector) in enumerate(zip(table.drop_columns(["vector"]).to_pylist(), matrix)):
        words = ODD if n == 3 else row["text"] if text is None else row["text"][:text]
        values = {
            "title": row["title"][:text],
            "section": row["section"],
            "tags": row["tags"],
            "installed_size": None if n % 5 == 2 else row["installed_size"],
            "score": (row["installed_size"] or 0) / 7 + n / 11,
            "essential": n % 4 == 0,
            "homepage": row["homepage"] and row["homepage"][:text] if n % 6 else "",
            "extra": {"sizes": [row["download_size"], 0.1 * n], "nothing": None, "deep": {"a": {"b": n}}},
            "big": 2**53 + 1 + n,
        }
        out.append(Row(n, row["id"], row["num_id"], row["uuid"], np.ascontiguousarray(vector), words, values))
    return out


def decimals(vector):
    """The values as JSON numbers in the fewest digits that give the float32 again."""
    return [json.loads(str(v)) for v in np.asarray(vector, np.float32)]


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pages(rows, size):
    return [rows[k : k + size] for k in range(0, len(rows), size)]
