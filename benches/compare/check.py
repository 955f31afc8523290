"""Holds results against the truth: vectors bit for bit, recall against exact neighbours, index files against each other.

    python check.py vectors --truth v.npy ours.lance duckdb.lance
    python check.py recall --queries q.npy ours.lance
    python check.py hashes first.lance second.lance

Prints one line of JSON. It judges nothing but equality; whether a recall is good is for the reader.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np

os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

import lance  # noqa: E402
from lance.file import LanceFileReader  # noqa: E402

K = 10
# What each maker calls the id, and the vector.
IDS = ("x_original_id", "id", "position")
VECTORS = ("vector", "values")


def columns(dataset):
    names = dataset.schema.names
    return next(n for n in IDS if n in names), next(n for n in VECTORS if n in names)


def blocks(dataset):
    """(ids, vectors) of the dataset; rows without an id, the header records of collections, are left out."""
    id_name, vector_name = columns(dataset)
    for batch in dataset.scanner(columns=[id_name, vector_name], batch_size=8192).to_batches():
        ids = batch.column(id_name)
        vectors = batch.column(vector_name).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
        kept = ids.is_valid().to_numpy(zero_copy_only=False)
        yield np.array([int(i) for i in ids.drop_null().to_pylist()], np.int64), vectors[kept]


def compare(dataset, truth, first):
    """How many rows there are, and what differs: bits of a vector, an id that is missing, unknown or there twice."""
    wanted = min(first or len(truth), len(truth))
    seen = np.zeros(len(truth), np.int64)
    different, examples = 0, []
    for ids, vectors in blocks(dataset):
        known = ids < len(truth)
        different += int((~known).sum())
        ids, vectors = ids[known], vectors[known]
        np.add.at(seen, ids, 1)
        unequal = (np.ascontiguousarray(vectors).view(np.uint32) != np.ascontiguousarray(truth[ids]).view(np.uint32)).any(axis=1)
        different += int(unequal.sum())
        examples += ids[unequal].tolist()[: 3 - len(examples)]
    different += int((seen[:wanted] != 1).sum() + (seen[wanted:] != 0).sum())
    return {"rows": int(seen.sum()), "different": different, "examples": examples}


def vectors(options):
    truth = np.load(options.truth, mmap_mode="r")[: options.rows]
    return {Path(path).name: compare(lance.dataset(path), truth, options.first.get(Path(path).name)) for path in options.datasets}


def distances(metric, queries, found):
    """Exact distances in Lance's terms, in double precision. A vector of NaN is infinitely far."""
    queries, found = queries.astype(np.float64), found.astype(np.float64)
    dot = queries @ found.T
    if metric == "dot":
        out = 1 - dot
    elif metric == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            out = 1 - dot / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(found, axis=1))
    else:
        out = (queries**2).sum(axis=1)[:, None] + (found**2).sum(axis=1)[None, :] - 2 * dot
    return np.where(np.isfinite(out), out, np.inf)


def recall(options):
    """recall@10, plain and tuned, and what was built. A row counts if it is as near as the tenth exact neighbour."""
    queries = np.load(options.queries) if options.queries.endswith(".npy") else parquet_vectors(options.queries)
    out = {}
    for path in options.datasets:
        dataset = lance.dataset(path)
        best = np.full((len(queries), K), np.inf)
        for _, block in blocks(dataset):
            best = np.sort(np.hstack([best, distances(options.metric, queries, block)]), axis=1)[:, :K]
        ways = {"plain": {}, "tuned": {"nprobes": 20, "refine_factor": 10}}
        shares = {name: hits(dataset, options.metric, queries, best[:, -1], way) for name, way in ways.items()}
        out[Path(path).name] = shares | built(dataset)
    return out


def built(dataset):
    """What the vector index really is: pylance builds fewer partitions than it was asked for where there are few rows for each."""
    name = next(index["name"] for index in dataset.list_indices() if index["fields"] == ["vector"])
    part = dataset.stats.index_stats(name)["indices"][0]
    sub = part.get("sub_index", {})
    return {"built": {"kind": part["index_type"], "metric": str(part["metric_type"]), "partitions": part["num_partitions"],
                      "sub_vectors": sub.get("num_sub_vectors"), "bits": sub.get("nbits")}}


def hits(dataset, metric, queries, limits, way):
    shares = []
    for query, limit in zip(queries, limits):
        nearest = {"column": "vector", "q": query, "k": K, **way}
        column = dataset.scanner(nearest=nearest, columns=["vector", "_distance"]).to_table()["vector"].combine_chunks()
        found = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        shares.append((distances(metric, query[None], found) <= limit + 1e-6 * max(1.0, abs(limit))).sum() / K)
    return round(float(np.mean(shares)), 4)


def parquet_vectors(path):
    import pyarrow.parquet as pq

    column = pq.read_table(path, columns=["vector"])["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32)


def content(path):
    """What a file of an index holds: rows and metadata, whatever the order in which the metadata was written."""
    reader = LanceFileReader(str(path))
    table = reader.read_all().to_table()
    hashed = hashlib.sha256()
    for batch in table.combine_chunks().to_batches():
        for column in batch.columns:
            hashed.update(repr(column.to_pylist() if column.type.num_fields == 0 else column.flatten().to_numpy().tobytes()).encode())
    hashed.update(repr(sorted((reader.metadata().schema.metadata or {}).items())).encode())
    for number in range(len(reader.metadata().global_buffers)):
        if number:
            hashed.update(reader.read_global_buffer(number))
    return hashed.hexdigest()


def hashes(options):
    """The SHA-256 of each file of the vector index, and of what it holds."""
    out, held = {}, {}
    for path in options.datasets:
        dataset = lance.dataset(path)
        ids = [str(index["uuid"]) for index in dataset.list_indices() if index["fields"] == ["vector"]]
        files = sorted(file for id_ in ids for file in Path(path, "_indices", id_).rglob("*") if file.is_file())
        out[Path(path).name] = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        held[Path(path).name] = {file.name: content(file) for file in files}
    first, *others = out.values()
    first_held, *others_held = held.values()
    return {"files": out, "contents": held, "same_bytes": bool(first) and all(other == first for other in others),
            "same_contents": bool(first) and all(other == first_held for other in others_held)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["vectors", "recall", "hashes"])
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--truth", help=".npy; the row is the id")
    parser.add_argument("--rows", type=int, help="of the truth that the dump has; default all")
    parser.add_argument("--first", type=json.loads, default={}, help='JSON, {"x.lance": 1000}: datasets of fewer rows')
    parser.add_argument("--queries", help=".npy, or Parquet with a column vector")
    parser.add_argument("--metric", default="cosine")
    options = parser.parse_args()
    print(json.dumps({"vectors": vectors, "recall": recall, "hashes": hashes}[options.what](options)))


if __name__ == "__main__":
    main()
