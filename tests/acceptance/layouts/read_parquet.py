"""Reads VDF, Pinecone's bulk import, Weaviate's export, plain and LanceDB Parquet by pyarrow."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .record import MISSING, JsonText, OneOf, Record, float32, named, parse, sparse


def typed(value, kind):
    """A cell as its type says: float32 stays so, that its digits are compared as such."""
    if value is None:
        return None
    if pa.types.is_float32(kind):
        return np.float32(value)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return [typed(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {f.name: typed(value[f.name], f.type) for f in kind}
    return value


def rows(path):
    table = pq.read_table(path, partitioning=None)
    kinds = dict(zip(table.schema.names, table.schema.types))
    for row in table.to_pylist():
        yield {name: typed(value, kinds[name]) for name, value in row.items()}


def narrowed(values):
    """Doubles as float32: the main vector is one, whatever it came as."""
    return "float32", np.array(values, np.float64).astype(np.float32)


def vdf(folder):
    meta = json.loads((folder / "VDF_META.json").read_text())
    for index, spaces in meta["indexes"].items():
        for space in spaces:
            for path in sorted((folder / space["data_path"]).rglob("*.parquet")):
                if not path.is_file():
                    continue
                for row in rows(path):
                    payload = {k: v for k, v in row.items() if k not in ("id", "vector")}
                    text = payload.get("document")
                    # The document of a Chroma record may be its text alone.
                    without = {k: v for k, v in payload.items() if k != "document"}
                    yield Record(str(row["id"]), index, space["namespace"] or None, {"": narrowed(row["vector"])}, OneOf(payload, without), text)


def pinecone(folder):
    for path in sorted(folder.rglob("*.parquet")):
        for row in rows(path):
            vectors = {"": float32(row["values"])}
            if row.get("sparse_values"):
                vectors["values"] = sparse(row["sparse_values"])
            payload = parse(row["metadata"]) if row["metadata"] is not None else OneOf(None, MISSING)
            name = path.parent.name
            yield Record(row["id"], path.parent.parent.name, "" if name == "__default__" else name, vectors, payload,
                         payload["text"] if isinstance(payload, dict) else None)


def weaviate(folder):
    for path in sorted(folder.glob("*.parquet")):
        keys = {k.decode(): v.decode() for k, v in (pq.read_schema(path).metadata or {}).items()}
        for row in pq.read_table(path).to_pylist():
            vectors = {} if row["vector"] is None else {"": ("float32", np.frombuffer(row["vector"], "<f4"))}
            for column in ("named_vectors", "multi_vectors"):
                for name, value in parse((row[column] or b"{}").decode()).items():
                    vectors[name] = named(value)
            payload = parse(row["properties"].decode())
            yield Record(row["id"], keys["collection"], keys.get("tenant"), vectors, payload, payload["content"])


def plain(folder):
    for path in sorted(Path(folder).glob("*.parquet")):
        for row in rows(path):
            payload = {k: v for k, v in row.items() if k not in ("key", "emb")}
            without = {k: v for k, v in payload.items() if k != "body"}
            yield Record(str(row["key"]), None, None, {"": float32(row["emb"])}, OneOf(payload, without), row["body"])


def lancedb(folder):
    for row in rows(folder / "debs.parquet"):
        # Without a schema, a list of half floats beside the vector is a vector too.
        vectors = {"": float32(row["vector"]), "small": ("float16", np.array(row["small"], np.float16))}
        payload = {k: v for k, v in row.items() if k not in ("id", "vector", "small")}
        without = {k: v for k, v in payload.items() if k != "text"}
        yield Record(row["id"], "debs", None, vectors, OneOf(payload, without), row["text"])


__all__ = ["JsonText", "lancedb", "pinecone", "plain", "vdf", "weaviate"]
