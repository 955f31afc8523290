"""Metadata there and back, by other libraries: random payloads are written as dumps, converted by the program, and made again of what
pylance reads, once from `x_source_payload` and once from the columns as `formats/METADATA.md` says. Every digit must come back.

    python tests/acceptance/check_metadata_back.py target/release/vec2lance

It shares nothing with the program's own tests but that page.
"""

import json
import math
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lance  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from exact import Num, parse, same  # noqa: E402
from verify_tool import Program, Table  # noqa: E402

VALUES = 10_000
OURS = {"source", "original_id", "namespace", "vector_type", "_types", "_columns", "_renamed"}
TEXTS = ["title", "text_content", "version", "context", "uri", "author", "created_at", "updated_at", "status", "source_file", "source_url"]
KEYS = [*TEXTS, "tags", "contributors", "position", "text", "content", "description", "document", *OURS, "payload:", "payload:_types", "payload:payload:x",
        "", " ", "a.b", "a/b", "~", "ключ", "鍵", "مفتاح", "😀", '"', "\\", "\0", "\n", "n", "link", "day", "labels", "date", "geo"]
NUMBERS = ["0", "-0", "-0.0", "0.0", "1", "1.0", "1e0", "1E5", "1e+05", "1e400", "-1e-400", "9007199254740993", "9223372036854775807", "-9223372036854775808",
           "18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "0.1", "0.10", "3.141592653589793238462643383279"]
MAP = """text_fields = ["content", "text"]
[map]
link = "source_url"
labels = "tags"
day = "custom:date"
n = "custom:_types"
k1 = "title"
k2 = "position"
k3 = "custom:date"
"""


class Made:
    """Random JSON, the same in every run."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def number(self):
        kind = self.dice.randrange(4)
        if kind == 0:
            return Num(self.dice.choice(NUMBERS))
        if kind == 1:
            return Num(str(self.dice.randrange(-(2**63), 2**64)))
        if kind == 2:
            value = np.frombuffer(self.dice.randbytes(8), np.float64)[0]
            return Num(repr(float(value)) if math.isfinite(value) else "0.5")
        return Num(f"{self.dice.randrange(10**6)}.{self.dice.randrange(10**9):09d}e{self.dice.randrange(-30, 30)}")

    def string(self):
        chars = ["a", "B", " ", "é", "日", "😀", "\0", "\x1f", "\n", '"', "\\", "/", "\x7f", "\u2028", "null", "1.0", "[]"]
        return "".join(self.dice.choice(chars) for _ in range(self.dice.randrange(7)))

    def value(self, depth=3):
        kind = self.dice.randrange(10 if depth else 5)
        if kind < 2:
            return self.dice.choice([None, True, False, "", "null", "1", "2024-02-29", "1.2.3", "Document 3", Num("7"), ["a", "b"], [], {}])
        if kind == 2:
            return self.number()
        if kind < 5:
            return self.string()
        if kind < 7:
            return [self.value(depth - 1) for _ in range(self.dice.randrange(4))]
        if kind < 9:
            return {self.string(): self.value(depth - 1) for _ in range(self.dice.randrange(4))}
        return {"lat": self.number(), "lon": self.number()}

    def payload(self):
        keys = [self.dice.choice(KEYS) if self.dice.randrange(4) else f"k{self.dice.randrange(9)}" for _ in range(self.dice.randrange(5, 14))]
        return {key: self.value() for key in keys}

    def written(self, value):
        """JSON text: characters escaped or not, white space here and there."""
        space = self.dice.choice(["", "", "", " ", "\t"])
        if isinstance(value, Num):
            return value.text + space
        if isinstance(value, list):
            return f"[{','.join(map(self.written, value))}{space}]"
        if isinstance(value, dict):
            return f"{{{space}{','.join(f'{self.written(k)}:{space}{self.written(v)}' for k, v in value.items())}}}"
        return json.dumps(value, ensure_ascii=self.dice.random() < 0.5) + space


def back(row):
    """The payload of a row, without `x_source_payload`."""
    pairs = {p["key"]: p["value"] for p in row["custom_metadata"]}
    if len(pairs) != len(row["custom_metadata"]):
        raise ValueError("a key stands twice")
    types, columns, renamed = (json.loads(pairs.get(k, "{}")) for k in ("_types", "_columns", "_renamed"))
    out = []
    for key in [k for k in pairs if k not in OURS] + [k for k, kind in types.items() if kind == "null"]:
        own = renamed.get(key, key.removeprefix("payload:"))
        if own is not None:
            out.append((own, None if types.get(key) == "null" else parse(pairs[key]) if key in types else pairs[key]))
    for column in [*TEXTS, "tags", "contributors", "position"]:
        value = row[column]
        made_up = column == "text_content" or (column == "title" and value == f"Document {row['x_original_id']}")
        if value is None or (made_up and column not in columns):
            continue
        own = columns.get(column, column)
        if own is not None:
            out.append((own, Num(str(value)) if column == "position" else value))
    if len(dict(out)) != len(out):
        raise ValueError(f"a field came back twice: {[k for k, _ in out]}")
    return dict(out)


def compare(table, program, case, dump, wanted, *flags, verbatim=True):
    """Converts, and holds both ways back against the payloads by id."""
    out = program.scratch / f"{case.replace(' ', '-')}.lance"
    answer = program.convert(dump, out, "--index", "none", "--verify", *flags)
    wrong, values = [], 0
    if answer.status == 0:
        columns = [*TEXTS, "tags", "contributors", "position", "custom_metadata", "x_original_id", "x_source_payload"]
        rows = lance.dataset(str(out)).to_table(columns=columns, filter="record_type = 'document'").to_pylist()
        if len(rows) != len(wanted):
            wrong.append(f"{len(rows)} rows, expected {len(wanted)}")
        for row in rows:
            payload = wanted[row["x_original_id"]]
            values += len(payload)
            if verbatim and not same(parse(row["x_source_payload"]), payload):
                wrong.append(f"id {row['x_original_id']}: x_source_payload is {row['x_source_payload'][:80]}")
            try:
                made = back(row)
            except ValueError as error:
                made = error
            if not same(made, payload):
                differ = [k for k in {*made, *payload} if k not in made or k not in payload or not same(made[k], payload[k])] if isinstance(made, dict) else made
                wrong.append(f"id {row['x_original_id']}: {differ!r} did not come back")
    else:
        wrong.append(answer.said())
    table.row(case, answer.status, f"{values} values of {len(wanted)} records came back", wrong[:5])


def text_dumps(table, program):
    made = Made(7)
    payloads = {}
    while sum(map(len, payloads.values())) < VALUES:
        payloads[str(len(payloads))] = made.payload()
    shapes = {
        "qdrant": ('{{"id":{id},"vector":[1,2],"payload":{payload}}}', payloads),
        "pinecone": ('{{"id":"{id}","values":[1,2],"metadata":{payload}}}', payloads),
        "weaviate": ('{{"id":"{id}","properties":{payload},"vector":[1,2]}}', payloads),
        "chroma": ('{{"id":"{id}","embedding":[1,2],"metadata":{payload},"document":"d"}}', payloads),
    }
    (program.scratch / "map.toml").write_text(MAP)
    for name, (shape, all_of_it) in shapes.items():
        dump = program.scratch / f"{name}.jsonl"
        dump.write_text("".join(shape.format(id=i, payload=made.written(p)) + "\n" for i, p in all_of_it.items()), encoding="utf-8")
        compare(table, program, f"{name} lines", dump, all_of_it, "--from", name)
        compare(table, program, f"{name} lines mapped", dump, all_of_it, "--from", name, "--map", program.scratch / "map.toml")
    dump = program.scratch / "milvus.jsonl"
    entities = {i: {k: v for k, v in p.items() if k not in ("pk", "emb")} for i, p in payloads.items()}
    dump.write_text("".join(f'{{"pk":{i},"emb":[1,2],{made.written(p).strip()[1:]}\n' for i, p in entities.items() if p), encoding="utf-8")
    compare(table, program, "milvus entities", dump, {i: p for i, p in entities.items() if p}, "--from", "milvus", "--id-field", "pk", "--vector-field", "emb")


def parquet_dumps(table, program):
    """Payloads as JSON text in a column, and native columns whose JSON text is known."""
    made = Made(11)
    payloads = {str(i): made.payload() for i in range(300)}
    vectors = pa.array([[1.0, 2.0]] * len(payloads), pa.list_(pa.float32()))
    text = pa.array([made.written(p) for p in payloads.values()])
    dump = program.scratch / "text.parquet"
    pq.write_table(pa.table({"id": list(payloads), "values": vectors, "metadata": text}), dump)
    compare(table, program, "parquet JSON text", dump, payloads, "--from", "pinecone")
    dump = program.scratch / "typed.parquet"
    typed = {
        "big": (pa.array([2**63 - 1, None, -(2**63)], pa.int64()), [Num(str(2**63 - 1)), None, Num(str(-(2**63)))]),
        "huge": (pa.array([2**64 - 1, 0, None], pa.uint64()), [Num(str(2**64 - 1)), Num("0"), None]),
        "float": (pa.array([0.1, math.nan, -0.0], pa.float64()), [Num("0.1"), "NaN", Num("-0.0")]),
        "half": (pa.array(np.array([1.5, 2, -0.25], np.float16)), [Num("1.5"), Num("2.0"), Num("-0.25")]),
        "yes": (pa.array([True, None, False]), [True, None, False]),
        "words": (pa.array(["", None, "null"]), ["", None, "null"]),
        "list": (pa.array([[1, None], [], None], pa.list_(pa.int64())), [[Num("1"), None], [], None]),
        "geo": (pa.array([{"lat": 1.0, "lon": None}, None, {"lat": 0.5, "lon": 2.0}]), [{"lat": Num("1.0"), "lon": None}, None, {"lat": Num("0.5"), "lon": Num("2.0")}]),
        "kind": (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        "nothing": (pa.nulls(3), [None, None, None]),
        "tags": (pa.array([["a"], [], None], pa.list_(pa.string())), [["a"], [], None]),
        "position": (pa.array([1, 2, None], pa.int32()), [Num("1"), Num("2"), None]),
    }
    columns = {"pk": [1, 2, 3], "emb": pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32()))} | {k: a for k, (a, _) in typed.items()}
    pq.write_table(pa.table(columns), dump)
    wanted = {str(i + 1): {k: v[i] for k, (_, v) in typed.items()} for i in range(3)}
    compare(table, program, "parquet columns", dump, wanted, "--from", "milvus", "--id-field", "pk", "--vector-field", "emb")


def main():
    table = Table()
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(sys.argv[1], scratch)
        table.group("text, both ways back", text_dumps, program)
        table.group("Parquet, both ways back", parquet_dumps, program)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
