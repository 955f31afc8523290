"""Reads a dump without the converter: what each source record holds, by Python's json, gzip, zstandard and pyarrow.

For small and middling dumps (all distinct records are held in memory). It judges nothing: a line that is no JSON is
handed on as broken, and the caller looks for it in the rejects file.
"""

import base64
import gzip
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from exact import Num, floats, parse

MISSING = object()
ENDINGS = re.compile(r"\.(jsonl|ndjson|json)(\.(zst|gz))?$|\.parquet$", re.IGNORECASE)

# Top-level keys of each shape.
SHAPES = {
    "pinecone": {"id": "id", "vector": "values", "sparse": "sparse_values", "payload": "metadata"},
    "weaviate": {"id": "id", "vector": "vector", "named": "vectors", "payload": "properties"},
    "qdrant": {"id": "id", "vector": "vector", "payload": "payload"},
    "chroma": {"id": "id", "vector": "embedding", "payload": "metadata", "text": "document"},
}


@dataclass
class Source:
    """One record of the dump."""

    shard: str
    line: int | None
    record: int
    id: str | None = None
    payload: object = MISSING
    text: object = MISSING
    dense: dict = field(default_factory=dict)  # name -> float32 array; None is the unnamed one
    numbers: dict = field(default_factory=dict)  # name -> the numbers as written, where the dump is text
    multi: dict = field(default_factory=dict)
    # Dense vectors of another type than float32: (its name, the values as float32, which all of them are).
    typed: dict = field(default_factory=dict)
    sparse: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)  # the other top-level fields
    loose: str = ""  # parquet or milvus: there, which top-level fields count as "other" is not fixed
    broken: str | None = None


def shards(paths):
    """The files behind the arguments, folders opened, in name order; of a snapshot, its parts in the manifest's order."""
    for path in map(Path, paths):
        manifest = path / "manifest.json"
        if manifest.is_file() and '"vec2lance-snapshot"' in manifest.read_text():
            for collection in json.loads(manifest.read_text())["collections"]:
                yield from (path / part["path"] for part in collection["parts"])
        elif path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and ENDINGS.search(inner.name) and not inner.name.endswith("manifest.json"):
                    yield inner
        else:
            yield path


def open_text(path):
    """The decompressed bytes, told by magic number and not by name."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    if raw[:4] == b"\x28\xb5\x2f\xfd" or (len(raw) > 4 and raw[1:4] == b"\x2a\x4d\x18"):
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw), read_across_frames=True)
        return reader.read()
    return raw


def objects(path):
    """(line, number, parsed object or exception) for each record of a text shard; and the package, for Milvus."""
    data = open_text(path)
    try:
        whole = parse(data.decode("utf-8-sig"))
    except ValueError:
        whole = None
    if isinstance(whole, list):
        return None, [(None, n, o) for n, o in enumerate(whole, 1)]
    if isinstance(whole, dict):
        for key in ("data", "vectors", "points", "objects"):
            if isinstance(whole.get(key), list) and all(isinstance(o, dict) for o in whole[key]):
                return whole, [(None, n, o) for n, o in enumerate(whole[key], 1)]
    out = []
    for line, raw in enumerate(data.split(b"\n"), 1):
        text = raw.removeprefix(b"\xef\xbb\xbf")
        if not text.strip():
            continue
        try:
            value = parse(text.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            value = error
        out.append((line, len(out) + 1, value))
    return None, out


def add_vector(source, name, value):
    """Sorts one vector value into dense, multi or sparse. False if it is none of them."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        source.multi[name] = [floats(row) for row in value]
    elif isinstance(value, list) and value:
        source.dense[name] = floats(value)
        source.numbers[name] = value
    elif isinstance(value, dict) and set(value) == {"indices", "values"}:
        indices = [int(n.text) if isinstance(n, Num) else int(n) for n in value["indices"]]
        source.sparse[name] = (np.array(indices, np.uint32), floats(value["values"]))
    else:
        return False
    return True


def _record(source, obj, keys, entity):
    """Fills a source record from one object of the dump."""
    known = {keys["id"], keys["vector"], keys.get("sparse"), keys.get("named"), keys.get("payload"), keys.get("text")}
    identity = obj.get(keys["id"])
    source.id = identity.text if isinstance(identity, Num) else identity
    for key, default in ((keys["vector"], None), (keys.get("named"), None), (keys.get("sparse"), "values")):
        if key is None or key not in obj:
            continue
        value = obj[key]
        if isinstance(value, dict) and set(value) != {"indices", "values"}:
            for name, inner in value.items():
                add_vector(source, name, inner)
        elif not add_vector(source, default, value):
            source.fields[key] = value
    if entity:
        others = keys.get("others", {})
        for key, kind in others.items():
            if kind not in ("float32", "sparse"):
                if obj.get(key) is not None:
                    source.typed[key] = (kind, typed(kind, obj[key]))
            elif kind == "sparse" and isinstance(obj.get(key), dict) and set(obj[key]) != {"indices", "values"}:
                pairs = obj[key].items()
                source.sparse[key] = (np.array([int(k) for k, _ in pairs], np.uint32), floats([v for _, v in pairs]))
            elif obj.get(key):
                add_vector(source, key, obj[key])
        source.payload = {k: v for k, v in obj.items() if k not in known and k not in others}
        return
    if keys["payload"] in obj:
        source.payload = obj[keys["payload"]]
    if keys.get("text") in obj:
        source.text = obj[keys["text"]]
        if not isinstance(source.text, str):
            source.fields[keys["text"]] = source.text
    source.fields.update({k: v for k, v in obj.items() if k not in known})


VECTORS = {"100": "binary", "BINARY_VECTOR": "binary", "101": "float32", "FLOAT_VECTOR": "float32", "102": "float16", "FLOAT16_VECTOR": "float16",
           "103": "bfloat16", "BFLOAT16_VECTOR": "bfloat16", "104": "sparse", "SPARSE_FLOAT_VECTOR": "sparse", "105": "int8", "INT8_VECTOR": "int8"}


def typed(kind, value):
    """The values of a vector that came as base64, or as numbers, as float32: every type here is narrower."""
    if not isinstance(value, str):
        return floats(value)
    raw = base64.b64decode(value, validate=True)
    if kind == "bfloat16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, {"float16": "<f2", "int8": "i1", "binary": "u1"}[kind]).astype(np.float32)


def _milvus_keys(package, options):
    """Id and vector field: from the options, else from the package's schema (types by name or, since Python 3.11, number)."""
    keys = {"id": options.id_field, "vector": options.vector_field}
    for spec in (package or {}).get("schema", []):
        kind = spec.get("type")
        kind = kind.text if isinstance(kind, Num) else str(kind)
        if spec.get("is_primary") is True:
            keys["id"] = keys["id"] or spec["name"]
        kind = VECTORS.get(kind.rsplit(".", 1)[-1])
        if kind:
            keys.setdefault("others", {})[spec["name"]] = kind
    dense = [name for name, kind in keys.get("others", {}).items() if kind != "sparse"]
    # Of several, each keeps its name; bits are never the main vector.
    if keys["vector"] is None and len(dense) == 1 and keys["others"][dense[0]] != "binary":
        keys["vector"] = dense[0]
    keys["id"] = keys["id"] or "id"
    keys["vector"] = keys["vector"] or ("" if dense else "vector")
    keys.get("others", {}).pop(keys["vector"], None)
    return keys


def _parquet(path, options):
    import pyarrow.parquet as pq

    keys = SHAPES[options.source]
    for number, row in enumerate(pq.read_table(path).to_pylist(), 1):
        source = Source(path.name, None, number, loose="parquet")
        text = row.pop(keys["payload"], None)
        _record(source, row, keys, False)
        source.numbers.clear()
        if text:
            try:
                source.payload = parse(text)
            except ValueError as error:
                source.broken = str(error)
        yield source


def read(paths, options):
    """Every record of the dump, in order. `options` has source, id_field, vector_field."""
    for path in shards(paths):
        if path.open("rb").read(4) == b"PAR1":
            yield from _parquet(path, options)
            continue
        package, items = objects(path)
        milvus = options.source == "milvus"
        keys = _milvus_keys(package, options) if milvus else SHAPES[options.source]
        for line, number, obj in items:
            source = Source(path.name, line, number, loose="milvus" if milvus else "")
            if isinstance(obj, dict):
                _record(source, obj, keys, milvus)
            else:
                source.broken = str(obj) if isinstance(obj, Exception) else "no object"
            yield source


def main_name(sources, wanted):
    """Which named vector is the main one: the wanted one, else `default`, else the first name that the dump shows."""
    first = None
    for source in sources:
        names = list(source.dense)
        if wanted is not None or not names:
            continue
        if None in names or "default" in names:
            return None
        first = first or names[0]
    return wanted if wanted is not None else first


def main_vector(source, main):
    """The record's main vector, or None. An unnamed vector and `default` are the same."""
    if main in (None, "default"):
        return next((source.dense[n] for n in (None, "default") if n in source.dense), None)
    return source.dense.get(main)
