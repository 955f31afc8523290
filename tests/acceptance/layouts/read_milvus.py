"""Reads what pymilvus' bulk writers write (Parquet, JSON, JSONL, CSV, npy) and answers of `entities/query`, with the schema beside."""

import base64
import csv
import json

import ml_dtypes
import numpy as np
import pyarrow.parquet as pq

from .read_parquet import typed
from .record import JsonText, Num, OneOf, Record, numbers, parse, sparse

# Names and numbers of Milvus' vector types.
KINDS = {100: "binary", 101: "float32", 102: "float16", 103: "bfloat16", 104: "sparse", 105: "int8",
         "BinaryVector": "binary", "FloatVector": "float32", "Float16Vector": "float16", "BFloat16Vector": "bfloat16", "SparseFloatVector": "sparse",
         "Int8Vector": "int8"}
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "int8": np.int8, "uint8": np.uint8}
JSON, VARCHAR, FLOAT = (23, "JSON"), (21, "VarChar"), (10, "Float")


def schema(folder):
    """Field name -> type; and the collection."""
    for name in ("describe.json", "schema.json"):
        path = next(iter(folder.rglob(name)), None)
        if path:
            value = json.loads(path.read_text())
            value = value.get("data", value)
            return {f["name"]: f["type"] for f in value["fields"]}, value.get("collectionName", "debs")
    raise FileNotFoundError(f"no schema beside {folder}")


def vector(value, kind):
    """A vector as any of the formats gives it: bytes, base64, numbers, pairs."""
    if kind == "sparse":
        return sparse(parse(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        value = base64.b64decode(value, validate=True)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        value = value.tobytes()
    if kind == "binary":
        return kind, np.frombuffer(value, np.uint8) if isinstance(value, bytes) else numbers(value, np.uint8)
    if isinstance(value, bytes):
        return kind, np.frombuffer(value, DTYPES[kind])
    return kind, numbers(value, np.float32 if kind == "bfloat16" else DTYPES[kind]).astype(DTYPES[kind])


def record(row, types, collection):
    vectors, payload = {}, {}
    dynamic = {}
    for name, value in row.items():
        kind = KINDS.get(types.get(name))
        if name == "pk":
            continue
        if kind:
            if value is not None:
                # The main vector stands in the schema first.
                vectors["" if name == "embedding" else name] = vector(value, kind)
        elif name == "$meta":
            dynamic = parse(value) if isinstance(value, str) else value
        elif types.get(name) in JSON and isinstance(value, str):
            payload[name] = JsonText(value)
        else:
            payload[name] = value
    # Dynamic fields may lie flat among the others, as Milvus answers them, or under `$meta`, as the file has them.
    meta = row.get("$meta")
    both = payload if meta is None else OneOf(payload | dynamic, payload | {"$meta": JsonText(meta) if isinstance(meta, str) else meta})
    return Record(row["pk"].text if isinstance(row["pk"], Num) else str(row["pk"]), collection, None, vectors, both, row.get("text"))


def parquet(folder):
    types, collection = schema(folder)
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path, partitioning=None)
        kinds = dict(zip(table.schema.names, table.schema.types))
        for row in table.to_pylist():
            # A file of float32 may keep that type, whatever the schema says.
            raw = {k: (bytes(v) if str(kinds[k]).startswith("list<") and str(kinds[k].value_type) == "uint8" and v is not None else
                       v if KINDS.get(types.get(k)) else typed(v, kinds[k])) for k, v in row.items()}
            made = record(raw, types, collection)
            for name, (kind, values) in made.vectors.items():
                if kind in ("float16", "bfloat16") and str(kinds[name]).endswith("float>"):
                    made.vectors[name] = f"{kind} or float32", values
            yield made


def text(folder):
    types, collection = schema(folder)
    for path in sorted(folder.rglob("*.json*")):
        if path.name in ("describe.json", "schema.json"):
            continue
        data = path.read_text()
        rows = parse(data)["rows"] if path.suffix == ".json" else map(parse, data.splitlines())
        for row in rows:
            yield record(row, types, collection)


def cells(folder):
    types, collection = schema(folder)
    for path in sorted(folder.rglob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                made = {}
                for name, cell in row.items():
                    kind = KINDS.get(types.get(name))
                    if cell == "":
                        # The writer's CSV cannot tell an empty string from null.
                        made[name] = None if kind else OneOf(None, "")
                    elif kind:
                        made[name] = parse(cell)
                    elif name in ("pk", "$meta") or types[name] in VARCHAR:
                        made[name] = cell
                    else:
                        made[name] = OneOf(JsonText(cell), JsonText(cell.lower()))
                yield record(made, types, collection)


def npy(folder):
    types, collection = schema(folder)
    for first in sorted(folder.rglob("pk.npy")):
        columns = {path.stem: np.load(path) for path in first.parent.glob("*.npy")}
        for n in range(len(columns["pk"])):
            row = {}
            for name, column in columns.items():
                value = column[n]
                row[name] = value if value.ndim or isinstance(value, np.float32) else value.item()
            yield record(row, types, collection)


def answers(folder):
    types, collection = schema(folder)
    for line in (folder / "debs.jsonl").read_text().splitlines():
        for row in parse(line)["data"]:
            yield record(row, types, collection)
