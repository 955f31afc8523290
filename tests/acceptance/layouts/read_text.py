"""Reads raw REST answers, plain JSONL and psql's COPY by Python's json and csv."""

import csv
import gzip
import io
import re

import numpy as np

from .record import MISSING, JsonText, Num, OneOf, Record, named, numbers, parse, sparse


def lines(path):
    return [parse(line) for line in path.read_text().split("\n") if line]


def word(value):
    return value.text if isinstance(value, Num) else value


def chroma(folder):
    path = folder / "debs.jsonl"
    answers = lines(path) if path.exists() else [parse(p.read_text()) for p in sorted((folder / "debs").glob("*.json"))]
    for answer in answers:
        for n, key in enumerate(answer["ids"]):
            meta, text = answer["metadatas"][n], answer["documents"][n]
            yield Record(key, "debs", None, {"": ("float32", numbers(answer["embeddings"][n]))}, meta, text)


def points(answers):
    for point in answers:
        vectors = {name: named(value) for name, value in point["vector"].items()}
        payload = point["payload"]
        yield Record(word(point["id"]), None, None, vectors, payload, payload and payload.get("text"))


def qdrant_pages(folder):
    return points(p for answer in lines(folder / "debs.jsonl") for p in answer["result"]["points"])


def qdrant_points(path):
    return points(lines(path / "debs.jsonl" if path.is_dir() else path))


def pinecone(folder):
    for answer in lines(folder / "debs.jsonl"):
        for one in answer["vectors"].values():
            vectors = {"": ("float32", numbers(one["values"]))}
            if "sparseValues" in one:
                vectors["values"] = sparse(one["sparseValues"])
            payload = one.get("metadata", MISSING)
            yield Record(one["id"], "debs", answer["namespace"], vectors, payload, payload is not MISSING and payload["text"] or None)


def documents(folder):
    for answer in lines(folder / "debs.jsonl"):
        for one in answer["documents"].values():
            vectors = {"": ("float32", numbers(one["dense_vector"]))}
            if "sparse_vector" in one:
                vectors["sparse_vector"] = sparse(one["sparse_vector"])
            payload = {k: v for k, v in one.items() if k not in ("_id", "dense_vector", "sparse_vector")}
            space = answer["namespace"]
            yield Record(one["_id"], "debs", "" if space == "__default__" else space, vectors, payload, one["text"])


def weaviate(folder):
    for path in sorted(folder.glob("*.jsonl")):
        for answer in lines(path):
            for one in answer["objects"]:
                vectors = {name: named(value) for name, value in one.get("vectors", {}).items()}
                if "vector" in one:
                    vectors[""] = named(one["vector"])
                yield Record(one["id"], one["class"], one.get("tenant"), vectors, one["properties"], one["properties"]["content"])


def plain(folder):
    for one in lines(folder / "debs.jsonl"):
        rest = {k: v for k, v in one.items() if k not in ("key", "emb", "body", "info")}
        # The named metadata is the payload; what stands beside it is kept, there or in x_source_fields.
        payload = OneOf(one["info"], one["info"] | rest, one["info"] | rest | {"body": one["body"]})
        yield Record(one["key"], "debs", None, {"": ("float32", numbers(one["emb"]))}, payload, one["body"])


def usual(folder):
    for one in lines(folder / "debs.jsonl"):
        payload = {k: v for k, v in one.items() if k not in ("id", "embedding")}
        without = {k: v for k, v in payload.items() if k != "text"}
        yield Record(word(one["id"]), "debs", None, {"": ("float32", numbers(one["embedding"]))}, OneOf(payload, without), one["text"])


def data_pipes(folder):
    for one in lines(folder / "debs.jsonl"):
        yield Record(one["id"], "debs", None, {"": ("float32", numbers(one["embedding"]))}, one["metadata"], one["text_chunk"])


COLUMNS = ("id", "title", "body", "emb", "half", "words", "flags", "meta", "tags", "installed_size", "score", "essential", "seen")


def csv_rows(text):
    """Rows of COPY's CSV: an unquoted empty cell is null, a quoted one is not; Python's csv cannot tell them apart."""
    row, at = [], 0
    cell = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)')
    while at < len(text):
        found = cell.match(text, at)
        quoted, bare, end = found.groups()
        row.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        at = found.end()
        if end == "\n":
            yield row
            row = []


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def text_rows(text):
    for line in text.split("\n")[:-1]:
        cells = line.split("\t")
        yield [None if c == "\\N" else re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), c) for c in cells]


def pgvector(folder):
    path = next(iter(folder.iterdir()))
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    if path.suffix == ".tsv":
        rows = list(text_rows(text))
    else:
        rows = list(csv_rows(text))
        # The other reading of the same file, which loses only null against empty.
        assert [[c or "" for c in r] for r in rows] == list(csv.reader(io.StringIO(text, newline="")))
    # Without a header, a column's name is its number, from 1.
    names = dict(zip(COLUMNS, COLUMNS if rows[0][0] == "id" else map(str, range(1, 100))))
    if rows[0][0] == "id":
        rows.pop(0)
    for cells in rows:
        row = dict(zip(COLUMNS, cells, strict=True))
        vectors = {"": ("float32", numbers(parse(row["emb"])))}
        # Text does not say that it is half a float: as float32 it is exact too.
        vectors |= {} if row["half"] is None else {names["half"]: ("float32 or float16", numbers(parse(row["half"])))}
        if row["words"]:
            pairs, dimensions = row["words"].removeprefix("{").split("}/")
            # pgvector counts from 1, the dataset from 0.
            vectors[names["words"]] = sparse({int(k) - 1: v for k, v in (p.split(":") for p in pairs.split(","))})
        bits = names["flags"]
        vectors[bits] = ("binary", np.packbits([int(b) for b in row["flags"]]))
        beside = {names[k]: c if c is None or k in ("title", "body") else OneOf(JsonText(c), JsonText(array(c)))
                  for k, c in row.items() if k not in ("id", "emb", "half", "words", "flags")}
        if row["words"]:
            # The number of dimensions, which a sparse column does not hold, stands in the payload.
            beside[names["words"] + ".dimensions"] = int(dimensions)
        # A text column may leave the payload for text_content.
        without = {k: v for k, v in beside.items() if k != names["body"]}
        forms = [beside | {bits: row["flags"]}, without | {bits: row["flags"]}]
        yield Record(row["id"], "debs", None, vectors, OneOf(OneOf(*forms), beside, without), row["body"], (bits,))


def array(text):
    """PostgreSQL's `{a,"b c"}` as JSON text; other text as it is."""
    if not re.fullmatch(r"\{.*\}", text, re.S) or text.startswith('{"') and '":' in text:
        return text
    items = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)', text)
    import json

    return json.dumps([re.sub(r"\\(.)", r"\1", quoted) if quoted or not bare else bare for quoted, bare in items], ensure_ascii=False)
