"""Writes a dump of any size and shape from a Parquet corpus, for measuring and for larger acceptance runs.

    python tests/acceptance/make_dump.py --corpus corpus.parquet --shape qdrant --out points.jsonl.zst --rows 100000 --shards 4

The corpus has id, num_id, uuid, name, version, section, priority, architecture, homepage, installed_size, download_size, tags,
title, text and vector (float32). More rows than it has are made of its records again under new ids, each vector moved a
little. It makes good dumps only; bad input lies in fixtures/.
"""

import argparse
import contextlib
import gzip
import json
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHAPES = ("pinecone", "weaviate", "qdrant", "chroma", "milvus", "milvus-package")
STEP = 2000
# Of the Milvus package.
SCHEMA = (("pk", "VARCHAR"), ("embedding", "FLOAT_VECTOR"), ("title", "VARCHAR"), ("text", "VARCHAR"), ("section", "VARCHAR"),
          ("installed_size", "INT64"), ("homepage", "VARCHAR"), ("tags", "ARRAY"), ("essential", "BOOL"), ("score", "DOUBLE"),
          ("extra", "JSON"))


def payload(shape, row):
    """The record's fields; Pinecone and Chroma hold no nulls, so there a field without a value is left out."""
    fields = all_fields(shape, row)
    return {k: v for k, v in fields.items() if v is not None} if shape in ("pinecone", "chroma") else fields


def all_fields(shape, row):
    """The fields as that database's users have them: strings, integers, doubles, booleans, lists, objects."""
    score = (row["installed_size"] or 0) / 7 + row["num_id"] / 11
    extra = {"maintainer": f"{row['section']} team", "priority": row["priority"]}
    common = {"title": row["title"], "text": row["text"], "section": row["section"], "homepage": row["homepage"]}
    if shape == "pinecone":
        return common | {"package": row["name"], "version": row["version"], "tags": row["tags"], "essential": row["priority"] == "required",
                         "architecture": row["architecture"], "installed_size": row["installed_size"] and float(row["installed_size"])}
    if shape == "weaviate":
        return {"title": row["title"], "content": row["text"], "author": extra["maintainer"], "category": row["section"],
                "url": row["homepage"], "tags": row["tags"], "packageName": row["name"], "packageVersion": row["version"],
                "installedSize": row["installed_size"], "essential": row["priority"] == "required"}
    if shape == "qdrant":
        sizes = {"installed": row["installed_size"], "download": row["download_size"]}
        return common | {"name": row["name"], "version": row["version"], "tags": row["tags"], "size": sizes, "score": score,
                         "essential": row["priority"] == "required", "num_id": row["num_id"]}
    if shape == "chroma":
        return {"name": row["name"], "version": row["version"], "section": row["section"], "tags": ",".join(row["tags"]),
                "score": score, "essential": row["priority"] == "required", "title": row["title"], "installed_size": row["installed_size"]}
    return common | {"installed_size": row["installed_size"], "tags": row["tags"], "essential": row["priority"] == "required",
                     "score": score, "extra": extra, "name": row["name"], "version": row["version"]}


def line(shape, row, numbers):
    """One record as JSON text; `numbers` is the vector's text."""
    fields = json.dumps(payload(shape, row), ensure_ascii=False, separators=(",", ":"))
    if shape == "pinecone":
        return f'{{"id":"{row["id"]}","values":[{numbers}],"metadata":{fields}}}'
    if shape == "weaviate":
        return f'{{"id":"{row["uuid"]}","vector":[{numbers}],"properties":{fields}}}'
    if shape == "qdrant":
        return f'{{"id":"{row["num_id"]}","vector":[{numbers}],"payload":{fields}}}'
    if shape == "chroma":
        document = json.dumps(row["text"], ensure_ascii=False)
        return f'{{"id":"{row["id"]}","embedding":[{numbers}],"metadata":{fields},"document":{document}}}'
    return f'{{"pk":"{row["id"]}","embedding":[{numbers}],{fields[1:]}'


def number_texts(vectors, floats):
    """The text of each vector. Long: the float32 widened to double, as Python writes it. Short: the fewest digits."""
    if floats == "long":
        return [json.dumps(v, separators=(",", ":"))[1:-1] for v in vectors.astype(np.float64).tolist()]
    width = vectors.shape[1]
    texts = pa.array(vectors.ravel()).cast(pa.string()).to_pylist()
    return [",".join(texts[i : i + width]) for i in range(0, len(texts), width)]


def records(corpus, rows):
    """(row, vector) in steps, the corpus over and over under new ids."""
    table = pq.read_table(corpus)
    matrix = table["vector"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
    table = table.drop_columns(["vector"])
    for begin in range(0, rows, STEP):
        places = np.arange(begin, min(begin + STEP, rows))
        again, inside = places // table.num_rows, places % table.num_rows
        vectors = matrix[inside].copy()
        noise = np.random.default_rng(begin).normal(scale=0.02, size=vectors.shape)
        vectors[again > 0] = (vectors + noise)[again > 0].astype(np.float32)
        taken = table.take(pa.array(inside)).to_pylist()
        for row, times in zip(taken, again.tolist()):
            if times:
                row["id"] += f"-r{times}"
                row["num_id"] += times * 100_000_000
                row["uuid"] = str(uuid.uuid5(uuid.UUID(row["uuid"]), str(times)))
        yield taken, vectors


@contextlib.contextmanager
def writer(path):
    """Text to a plain, gzip or Zstandard file, by its ending."""
    if path.suffix == ".zst":
        import zstandard

        with path.open("wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as out:
            yield lambda text: out.write(text.encode())
    elif path.suffix == ".gz":
        with gzip.open(path, "wb", compresslevel=4) as out:
            yield lambda text: out.write(text.encode())
    else:
        with path.open("wb") as out:
            yield lambda text: out.write(text.encode())


def names(out, shards):
    """The shards' paths: out itself, or out with -000, -001 … before the endings."""
    if shards == 1:
        return [out]
    stem, _, endings = out.name.partition(".")
    return [out.with_name(f"{stem}-{n:03}.{endings}") for n in range(shards)]


def write_parquet(options, paths):
    """Pinecone's bulk-import columns."""
    schema = pa.schema([("id", pa.string()), ("values", pa.list_(pa.float32())), ("metadata", pa.string())])
    with contextlib.ExitStack() as stack:
        outs = [stack.enter_context(pq.ParquetWriter(path, schema, compression="zstd")) for path in paths]
        for step, (rows, vectors) in enumerate(records(options.corpus, options.rows)):
            width = vectors.shape[1]
            values = pa.ListArray.from_arrays(pa.array(np.arange(0, vectors.size + 1, width, dtype=np.int32)), pa.array(vectors.ravel()))
            texts = [json.dumps(payload("pinecone", row), ensure_ascii=False, separators=(",", ":")) for row in rows]
            columns = [pa.array([row["id"] for row in rows]), values, pa.array(texts)]
            outs[step % len(outs)].write_table(pa.Table.from_arrays(columns, schema=schema))


def write_text(options, paths):
    package = options.shape == "milvus-package"
    with contextlib.ExitStack() as stack:
        outs = [stack.enter_context(writer(path)) for path in paths]
        count = 0
        for rows, vectors in records(options.corpus, options.rows):
            if package and count == 0:
                width = {"dimension": int(vectors.shape[1])}
                schema = [{"name": n, "type": f"DataType.{t}", "is_primary": n == "pk"} for n, t in SCHEMA]
                schema[1] |= width
                outs[0](f'{{"schema": {json.dumps(schema)}, "data": [\n')
            for row, numbers in zip(rows, number_texts(vectors, options.floats)):
                text = line(options.shape, row, numbers)
                if package:
                    outs[0]((",\n" if count else "") + text)
                else:
                    outs[count * len(outs) // options.rows](text + "\n")
                count += 1
        if package:
            outs[0](f'\n], "collection_name": "{paths[0].name.split(".")[0]}", "total_entities": {count}}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpus", required=True, type=Path)
    parser.add_argument("--shape", required=True, choices=SHAPES)
    parser.add_argument("--out", required=True, type=Path, help="*.jsonl, *.json, with .zst or .gz; *.parquet (pinecone)")
    parser.add_argument("--rows", type=int, help="default: as many as the corpus has")
    parser.add_argument("--shards", type=int, default=1, help="files, numbered before the ending")
    parser.add_argument("--floats", choices=["long", "short"], default="long", help="digits of the numbers (default long)")
    options = parser.parse_args()
    options.rows = options.rows or pq.read_metadata(options.corpus).num_rows
    if options.shape == "milvus-package" and options.shards > 1:
        parser.error("a Milvus package is one file")
    paths = names(options.out, options.shards)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.out.suffix == ".parquet":
        if options.shape != "pinecone":
            parser.error("only Pinecone has a Parquet shape")
        write_parquet(options, paths)
    else:
        write_text(options, paths)
    size = sum(path.stat().st_size for path in paths)
    print(json.dumps({"rows": options.rows, "files": [str(path) for path in paths], "bytes": size}))


if __name__ == "__main__":
    main()
