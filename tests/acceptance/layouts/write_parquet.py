"""Parquet layouts: Pinecone's bulk import and Weaviate's server-side export by pyarrow, plain Parquet, a LanceDB table.

The first two are written from the published layouts; the last one by lancedb itself (its table, exported to Parquet).
"""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .rows import compact, decimals


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def floats(rows):
    return pa.array([row.vector for row in rows], pa.list_(pa.float32()))


def pinecone(rows, out, _):
    """One folder a namespace; files of one namespace with and without sparse values, null metadata, a file of another kind."""
    pairs = pa.struct([("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))])
    third = len(rows) // 3
    spaces = {"__default__": [rows[:third]], "old": [rows[third : third + 3], rows[third + 3 : 2 * third]], "Ünï space": [rows[2 * third :]]}
    for name, files in spaces.items():
        folder = fresh(out / "pinecone-bulk" / "debs" / name)
        for number, part in enumerate(files):
            texts = [compact({k: v for k, v in row.values.items() if k in ("title", "section", "tags", "score", "essential", "big")} | {"text": row.text}) for row in part]
            columns = {
                "id": pa.array([row.id if number or row.n % 2 else str(row.number) for row in part]),
                "values": floats(part),
                "metadata": pa.array([None if row.n % 8 == 5 else text for row, text in zip(part, texts)], pa.string()),
            }
            if number or name == "__default__":
                sparse = [None if row.n % 4 == 1 else {"indices": list(row.sparse), "values": list(row.sparse.values())} for row in part]
                columns["sparse_values"] = pa.array(sparse, pairs)
            pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=max(5, len(part) // 2), compression="zstd")
        (folder / "_SUCCESS").write_text("")


def weaviate(rows, out, _):
    """A class with two tenants (a shard each) and named vectors; one without tenants, with the unnamed vector."""
    folder = fresh(out / "weaviate-export")
    half = len(rows) // 2
    quarter = half // 2
    schema = pa.schema([("id", pa.string()), ("creation_time", pa.int64()), ("update_time", pa.int64()), ("vector", pa.binary()),
                        ("named_vectors", pa.binary()), ("multi_vectors", pa.binary()), ("properties", pa.binary())])
    shards = [("Package", "acme", "acme", rows[:quarter]), ("Package", "globex", "globex", rows[quarter:half]), ("Note", "X3kPz9", None, rows[half:])]
    status = {}
    for name, shard, tenant, part in shards:
        named = name == "Package"
        table = {
            "id": [row.uuid for row in part],
            "creation_time": [1700000000000 + row.n for row in part],
            "update_time": [1700000000123 + 1000 * row.n for row in part],
            "vector": [None if named or row.n % 10 == 9 else row.vector.astype("<f4").tobytes() for row in part],
            "named_vectors": [compact({"title": decimals(row.vector)} | ({"small": decimals(row.small)} if row.n % 3 else {})).encode() if named else None for row in part],
            "multi_vectors": [compact({"colbert": [decimals(v) for v in row.multi]}).encode() if named and row.n % 4 else None for row in part],
            "properties": [compact({k: v for k, v in row.values.items() if v is not None and k != "extra"} | {"content": row.text}).encode() for row in part],
        }
        keys = {"collection": name} | ({"tenant": tenant} if tenant else {})
        made = pa.table(table, schema=schema.with_metadata(keys))
        pq.write_table(made, folder / f"{name}_{shard}_0000.parquet", compression="zstd")
        status.setdefault(name, {})[shard] = {"status": "SUCCESS", "objectsExported": len(part)}
    meta = {"id": "export-1", "backend": "filesystem", "startedAt": "2026-01-02T03:04:05Z", "completedAt": "2026-01-02T03:04:06Z",
            "status": "SUCCESS", "classes": list(status), "shardStatus": status, "version": "1.37.0"}
    (folder / "export_metadata.json").write_text(json.dumps(meta))
    (folder / "node_node1_status.json").write_text(json.dumps({"nodeName": "node1", "status": "SUCCESS", "shardProgress": status, "completedAt": meta["completedAt"]}))


def typed(rows):
    """Columns of many types beside id, vector and text."""
    stamps = [1700000000000000 + row.n for row in rows]
    return {
        "key": pa.array([row.number for row in rows], pa.int64()),
        "emb": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([row.vector for row in rows])), len(rows[0].vector)),
        "body": pa.array([row.text for row in rows]),
        "title": pa.array([row.values["title"] for row in rows]).dictionary_encode(),
        "section": pa.array([row.values["section"] for row in rows], pa.large_string()),
        "tags": pa.array([row.values["tags"] for row in rows], pa.list_(pa.string())),
        "installed_size": pa.array([row.values["installed_size"] for row in rows], pa.int64()),
        "huge": pa.array([2**64 - 1 - row.n for row in rows], pa.uint64()),
        "score": pa.array([row.values["score"] for row in rows], pa.float64()),
        "ratio": pa.array([np.float32(row.values["score"] / 1000) for row in rows], pa.float32()),
        "essential": pa.array([None if row.n % 9 == 4 else row.values["essential"] for row in rows], pa.bool_()),
        "seen": pa.array(stamps, pa.timestamp("us", "UTC")),
        "day": pa.array([19000 + row.n for row in rows], pa.int32()).cast(pa.date32()),
        "place": pa.array([{"lat": 50.5 + row.n, "lon": None if row.n % 5 == 0 else -7.25} for row in rows], pa.struct([("lat", pa.float64()), ("lon", pa.float64())])),
    }


def plain(rows, out, _):
    folder = fresh(out / "plain-parquet")
    half = len(rows) // 2
    for name, part, group in (("debs-000", rows[:half], half // 2), ("debs-001", rows[half:], None)):
        pq.write_table(pa.table(typed(part)), folder / f"{name}.parquet", row_group_size=group)


def lancedb(rows, out, scratch):
    """A table of lancedb with a second vector of half floats, exported to Parquet."""
    import lancedb as ldb

    place = scratch / "lancedb"
    shutil.rmtree(place, ignore_errors=True)
    columns = {
        "id": pa.array([row.id for row in rows]),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([row.vector for row in rows])), len(rows[0].vector)),
        "small": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([row.small for row in rows]).astype(np.float16)), 4),
        "text": pa.array([row.text for row in rows]),
        "section": pa.array([row.values["section"] for row in rows]),
        "installed_size": pa.array([row.values["installed_size"] for row in rows], pa.int64()),
        "meta": pa.array([{"title": row.values["title"], "score": row.values["score"]} for row in rows]),
    }
    table = ldb.connect(place).create_table("debs", data=pa.table(columns))
    folder = fresh(out / "lancedb-parquet")
    pq.write_table(table.to_arrow(), folder / "debs.parquet")


LAYOUTS = {"pinecone-bulk": pinecone, "weaviate-export": weaviate, "plain-parquet": plain, "lancedb-parquet": lancedb}
