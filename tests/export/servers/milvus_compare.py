"""Holds exported lines against what pymilvus reads from the same collection, value by value and bit by bit.

usage: milvus_compare.py URL COLLECTION LINES.jsonl [PARTITION] [--but PREFIX]
Keys that begin with PREFIX are left out on both sides. Prints "N records are equal", or the first differences and fails.
"""

import json
import struct
import sys

from pymilvus import DataType, MilvusClient

arguments = sys.argv[1:]
but = None
if "--but" in arguments:
    at = arguments.index("--but")
    but = arguments[at + 1]
    del arguments[at : at + 2]
url, collection, path, *partition = arguments
client = MilvusClient(url)
description = client.describe_collection(collection)
kinds = {f["name"]: (f["type"], f.get("element_type")) for f in description["fields"]}
primary = next(f["name"] for f in description["fields"] if f.get("is_primary"))
single = lambda value: struct.pack("<f", value)
double = lambda value: struct.pack("<d", value)


def same(kind, element, ours, theirs):
    if theirs is None or ours is None:
        return ours is theirs
    if kind in (DataType.FLOAT, DataType.FLOAT_VECTOR) or element == DataType.FLOAT:
        ours, theirs = (list(v) if kind in (DataType.ARRAY, DataType.FLOAT_VECTOR) else [v] for v in (ours, theirs))
        return len(ours) == len(theirs) and all(single(a) == single(b) for a, b in zip(ours, theirs))
    if kind == DataType.DOUBLE:
        return double(ours) == double(theirs)
    if kind == DataType.SPARSE_FLOAT_VECTOR:
        return {int(k): single(v) for k, v in ours.items()} == {int(k): single(v) for k, v in theirs.items()}
    if kind == DataType.ARRAY:
        theirs = list(theirs)
        return [type(v) for v in ours] == [type(v) for v in theirs] and ours == theirs
    return type(ours) is type(theirs) and ours == theirs


def strict(value):
    """1 and 1.0 and True are one in Python."""
    if isinstance(value, dict):
        return {k: strict(v) for k, v in value.items()}
    if isinstance(value, list):
        return [strict(v) for v in value]
    return type(value).__name__, value


def differences(ours, theirs):
    meta = json.loads(ours.pop("$meta", "{}"))
    for name, (kind, element) in kinds.items():
        mine, other = ours.pop(name, "missing"), theirs.pop(name, "missing")
        if kind == DataType.JSON and isinstance(mine, str):
            mine = strict(json.loads(mine))
            other = strict(other)
        if not same(kind, element, mine, other):
            yield f"{name}: {mine!r} is not {other!r}"
    if ours or strict(meta) != strict(theirs):
        yield f"dynamic fields: {meta!r}, and {ours!r} beside it, are not {theirs!r}"


exported = {}
with open(path, encoding="utf-8") as file:
    for line in file:
        row = json.loads(line)
        if row[primary] in exported:
            sys.exit(f"the key {row[primary]!r} comes twice")
        exported[row[primary]] = row
rows = client.query(collection, filter=f'{primary} >= ""' if kinds[primary][0] == DataType.VARCHAR else f"{primary} <= {2**63 - 1}", output_fields=["*"], partition_names=partition or None, limit=10**7)
wanted = lambda key: but is None or not str(key).startswith(but)
theirs = {row[primary]: dict(row) for row in rows if wanted(row[primary])}
exported = {key: row for key, row in exported.items() if wanted(key)}
found = []
for key in set(exported) ^ set(theirs):
    found.append(f"{key!r} is only {'exported' if key in exported else 'in the collection'}")
for key in set(exported) & set(theirs):
    found.extend(f"{key!r}: {difference}" for difference in differences(exported[key], theirs[key]))
if found:
    sys.exit("\n".join([f"{len(found)} differences"] + sorted(found)[:20]))
print(f"{len(theirs)} records are equal")
