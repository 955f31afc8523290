"""The peers, each as its user would write it for speed; one run of one peer a process, with the environment of requirements.txt.

    python peers.py duckdb points.jsonl out.lance --dims 768 --other lang

Prints one line of JSON. `seconds` begins after the imports, so that nobody pays for Python's start. Each makes a dataset of four
columns: id, vector, title and one more. It makes no index (but `index`) and checks nothing (see check.py).
"""

import argparse
import json
import os
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

BLOCK = 16 << 20
ROWS = 8192
PACKAGES = ("pylance", "duckdb", "polars", "pyarrow", "numpy", "zstandard", "contextframe")


def fixed(column, dims):
    """A list column as one of fixed size, without a copy."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(column.flatten(), dims)


def done(begin, out, **more):
    """The seconds since, and those that a flush of all that was written takes on top: ours does one before it publishes."""
    seconds = time.perf_counter() - begin
    for path in Path(out).rglob("*"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return {"seconds": seconds, "flush": time.perf_counter() - begin - seconds, **more}


def use_duckdb(options):
    import duckdb
    import lance

    begin = time.perf_counter()
    # The fastest of the ways tried: con.sql (execute copies the rows once more, as DuckDB itself warns), the fixed size asked of
    # the reader instead of a cast, batches instead of a table. Giving up the order of the lines gains nothing.
    columns = f"{{id: 'BIGINT', vector: 'FLOAT[{options.dims}]', payload: 'STRUCT(title VARCHAR, {options.other} VARCHAR)'}}"
    query = (f"SELECT id, vector, payload.title AS title, payload.{options.other} AS {options.other}"
             f" FROM read_json(?, format = 'newline_delimited', columns = {columns})")
    lance.write_dataset(duckdb.connect().sql(query, params=[options.dump]).to_arrow_reader(ROWS), options.out)
    return done(begin, options.out)


def use_polars(options):
    import lance
    import polars as pl

    begin = time.perf_counter()
    schema = {"id": pl.Int64, "vector": pl.Array(pl.Float32, options.dims),
              "payload": pl.Struct({"title": pl.String, options.other: pl.String})}
    frame = pl.read_ndjson(options.dump, schema=schema).unnest("payload")
    lance.write_dataset(frame.to_arrow(), options.out)
    return done(begin, options.out)


def use_pyarrow(options):
    import lance
    import pyarrow as pa
    import pyarrow.json as pj

    begin = time.perf_counter()
    payload = pa.struct({"title": pa.string(), options.other: pa.string()})
    explicit = pa.schema({"id": pa.int64(), "vector": pa.list_(pa.float32()), "payload": payload})
    parse = pj.ParseOptions(explicit_schema=explicit, unexpected_field_behavior="ignore")
    reader = pj.open_json(options.dump, read_options=pj.ReadOptions(block_size=BLOCK), parse_options=parse)
    schema = pa.schema({"id": pa.int64(), "vector": pa.list_(pa.float32(), options.dims), "title": pa.string(), options.other: pa.string()})

    def batches():
        for batch in reader:
            fields = batch.column("payload").flatten()
            yield pa.record_batch([batch.column("id"), fixed(batch.column("vector"), options.dims), *fields], schema=schema)

    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), options.out)
    return done(begin, options.out)


def use_contextframe(options):
    """The way that ContextFrame has: a record made of each line, and add_many; the id goes where a vector's place can be looked up."""
    import numpy as np
    from contextframe.frame import FrameDataset, FrameRecord

    begin = time.perf_counter()
    dataset = FrameDataset.create(options.out, embed_dim=options.dims)
    records, count = [], 0
    with open(options.dump, "rb") as lines:
        for line in lines:
            if count == options.limit:
                break
            point = json.loads(line)
            fields = point["payload"]
            rest = {key: value for key, value in fields.items() if key not in ("title", "text")}
            custom = {key: value if isinstance(value, str) else json.dumps(value) for key, value in rest.items()}
            vector = np.array(point["vector"], np.float32)
            records.append(FrameRecord.create(fields["title"], content=fields.get("text", ""), embed_dim=options.dims, vector=vector,
                                              position=point["id"], custom_metadata=custom))
            count += 1
            if len(records) == ROWS:
                dataset.add_many(records)
                records = []
    dataset.add_many(records)
    return done(begin, options.out, rows=count)


def use_parquet(options):
    import lance
    import pyarrow as pa
    import pyarrow.parquet as pq

    begin = time.perf_counter()
    source = pq.ParquetFile(options.dump)
    schema = pa.schema({"id": pa.string(), "values": pa.list_(pa.float32(), options.dims), "metadata": pa.string()})

    def batches():
        for batch in source.iter_batches(ROWS, columns=schema.names):
            columns = [batch.column("id"), fixed(batch.column("values"), options.dims), batch.column("metadata")]
            yield pa.record_batch(columns, schema=schema)

    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), options.out)
    return done(begin, options.out)


def use_decompress(options):
    """Decompressing alone, on one core, to nowhere."""
    import zlib

    import zstandard

    begin = time.perf_counter()
    size = 0
    with open(options.dump, "rb") as raw:
        if options.dump.endswith(".zst"):
            for block in zstandard.ZstdDecompressor().read_to_iter(raw, read_size=1 << 20, write_size=1 << 20):
                size += len(block)
        else:
            unpack = zlib.decompressobj(wbits=31)
            while block := raw.read(1 << 20):
                size += len(unpack.decompress(block))
    return {"seconds": time.perf_counter() - begin, "bytes": size}


def use_index(options):
    import lance

    begin = time.perf_counter()
    dataset = lance.dataset(options.out)
    dataset.create_index("vector", "IVF_PQ", metric=options.metric, num_partitions=options.partitions, num_sub_vectors=options.sub_vectors)
    return {"seconds": time.perf_counter() - begin}


def use_versions(_options):
    return {name: version(name) for name in PACKAGES} | {"python": ".".join(map(str, sys.version_info[:3]))}


PEERS = {"duckdb": use_duckdb, "polars": use_polars, "pyarrow": use_pyarrow, "contextframe": use_contextframe, "parquet": use_parquet,
         "decompress": use_decompress, "index": use_index, "versions": use_versions}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("dump", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--dims", type=int)
    parser.add_argument("--other", help="the payload's field beside the title")
    parser.add_argument("--limit", type=int, help="of contextframe: rows read")
    parser.add_argument("--metric", default="cosine")
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--sub-vectors", type=int)
    options = parser.parse_args()
    if options.peer == "index":
        options.out = options.dump
    elif options.out and Path(options.out).exists():
        shutil.rmtree(options.out)
    print(json.dumps(PEERS[options.peer](options)))


if __name__ == "__main__":
    main()
