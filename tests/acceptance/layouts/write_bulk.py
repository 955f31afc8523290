"""What pymilvus' LocalBulkWriter writes: Parquet, JSON, JSONL, CSV and npy, with a description of the schema beside it.

Needs pymilvus and ml_dtypes. The Parquet that servers accept beside (sparse as a struct, half floats as lists) is made by pyarrow.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .rows import decimals

TYPES = {"bulk-parquet": "PARQUET", "bulk-json": "JSON", "bulk-jsonl": "JSONL", "bulk-csv": "CSV", "bulk-npy": "NUMPY"}


def schema(dimension, numpy, varchar):
    """The collection's schema. npy files hold no nulls, arrays or sparse vectors."""
    from pymilvus import CollectionSchema, DataType, FieldSchema

    key = FieldSchema("pk", DataType.VARCHAR, is_primary=True, max_length=64) if varchar else FieldSchema("pk", DataType.INT64, is_primary=True)
    fields = [
        key,
        FieldSchema("embedding", DataType.FLOAT_VECTOR, dim=dimension),
        FieldSchema("half", DataType.FLOAT16_VECTOR, dim=dimension),
        FieldSchema("brain", DataType.BFLOAT16_VECTOR, dim=dimension),
        FieldSchema("flags", DataType.BINARY_VECTOR, dim=dimension),
        FieldSchema("tiny", DataType.INT8_VECTOR, dim=dimension),
        FieldSchema("title", DataType.VARCHAR, max_length=1000),
        FieldSchema("text", DataType.VARCHAR, max_length=60000),
        FieldSchema("installed_size", DataType.INT64, nullable=not numpy),
        FieldSchema("rank", DataType.INT16),
        FieldSchema("score", DataType.DOUBLE),
        FieldSchema("ratio", DataType.FLOAT),
        FieldSchema("essential", DataType.BOOL),
        FieldSchema("extra", DataType.JSON),
    ]
    if not numpy:
        fields += [
            FieldSchema("words", DataType.SPARSE_FLOAT_VECTOR),
            FieldSchema("tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=100, max_length=200),
            FieldSchema("counts", DataType.ARRAY, element_type=DataType.INT32, max_capacity=100),
            FieldSchema("homepage", DataType.VARCHAR, max_length=1000, nullable=True),
        ]
    return CollectionSchema(fields, description="Debian packages", enable_dynamic_field=True)


def entity(row, numpy, varchar):
    import ml_dtypes

    values = row.values
    made = {
        "pk": row.id if varchar else row.number,
        "embedding": decimals(row.vector),
        "half": row.vector.astype(np.float16),
        "brain": row.vector.astype(ml_dtypes.bfloat16),
        "flags": row.bits.tobytes(),
        "tiny": row.int8,
        "title": values["title"],
        "text": row.text,
        "installed_size": values["installed_size"] or 0 if numpy else values["installed_size"],
        "rank": row.n - 12,
        "score": values["score"],
        "ratio": float(np.float32(values["score"] / 1000)),
        "essential": values["essential"],
        "extra": values["extra"],
        # Not in the schema: these go to $meta.
        "big": values["big"],
        "section": values["section"],
    }
    if not numpy:
        pairs = row.sparse
        # Both encodings that the writer takes.
        made["words"] = {"indices": list(pairs), "values": list(pairs.values())} if row.n % 3 == 1 else pairs
        made["tags"], made["counts"] = values["tags"], [row.n, -row.n, 0][: row.n % 4]
        made["homepage"] = values["homepage"] if row.n % 7 else None
    return made


def rest_description(made, name):
    """The schema as `POST /v2/vectordb/collections/describe` answers it."""
    names = {"VARCHAR": "VarChar", "JSON": "JSON"}
    fields = []
    for field in made.fields:
        kind = field.dtype.name
        word = names.get(kind) or "".join(part.capitalize() for part in kind.split("_"))
        params = [{"key": k, "value": str(v)} for k, v in field.params.items() if k in ("dim", "max_length", "max_capacity")]
        one = {"autoId": False, "clusteringKey": False, "description": "", "id": 100 + len(fields), "name": field.name, "nullable": bool(field.nullable),
               "partitionKey": False, "primaryKey": bool(field.is_primary), "type": word.replace("Bfloat16", "BFloat16")}
        if field.element_type and kind == "ARRAY":
            one["elementDataType"] = {"VARCHAR": "VarChar", "INT32": "Int32"}[field.element_type.name]
        fields.append(one | ({"params": params} if params else {}))
    data = {"aliases": [], "autoId": False, "collectionID": 449870000000000001, "collectionName": name, "consistencyLevel": "Bounded",
            "description": made.description, "enableDynamicField": True, "fields": fields, "functions": [],
            "indexes": [{"fieldName": "embedding", "indexName": "embedding", "metricType": "COSINE"}], "load": "LoadStateLoaded",
            "partitionsNum": 1, "properties": [], "shardsNum": 1}
    return {"code": 0, "data": data}


def write(rows, out, scratch):
    from pymilvus.bulk_writer import BulkFileType, LocalBulkWriter

    for name, word in TYPES.items():
        numpy, varchar = word == "NUMPY", word in ("CSV", "NUMPY")
        made, place = schema(len(rows[0].vector), numpy, varchar), scratch / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        with LocalBulkWriter(schema=made, local_path=str(place), file_type=BulkFileType[word]) as writer:
            for k, row in enumerate(rows):
                writer.append_row(entity(row, numpy, varchar))
                if word in ("JSON", "CSV") and k == len(rows) // 2:
                    writer.commit()
            writer.commit()
            folder = Path(writer.data_path)
        target = out / name / "debs"
        shutil.rmtree(target, ignore_errors=True)
        # The writer names its folder by a random UUID; here it is always the same.
        shutil.copytree(folder, target / "6f9619ff-8b86-d011-b42d-00c04fc964ff")
        if word in ("PARQUET", "NUMPY"):
            (target / "describe.json").write_text(json.dumps(rest_description(made, "debs")))
        else:
            (target / "schema.json").write_text(json.dumps(made.to_dict(), default=lambda v: getattr(v, "name", str(v))))
    by_pyarrow(rows, out / "bulk-struct" / "debs", schema(len(rows[0].vector), False, False))


def by_pyarrow(rows, target, made):
    """The other forms that a server's import takes: half floats as lists of float32, sparse as a struct."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    entities = [entity(row, False, False) for row in rows]
    pairs = pa.struct([("indices", pa.list_(pa.uint32())), ("values", pa.list_(pa.float32()))])
    kinds = {
        "pk": pa.int64(), "embedding": pa.list_(pa.float32()), "half": pa.list_(pa.float32()), "brain": pa.list_(pa.float32()),
        "flags": pa.list_(pa.uint8()), "tiny": pa.list_(pa.int8()), "title": pa.string(), "text": pa.string(), "installed_size": pa.int64(),
        "rank": pa.int16(), "score": pa.float64(), "ratio": pa.float32(), "essential": pa.bool_(), "extra": pa.string(), "words": pairs,
        "tags": pa.list_(pa.string()), "counts": pa.list_(pa.int32()), "homepage": pa.string(), "$meta": pa.string(),
    }
    for row, one in zip(rows, entities):
        one["half"], one["brain"] = one["half"].astype(np.float32), one["brain"].astype(np.float32)
        one["flags"], one["extra"] = list(one["flags"]), json.dumps(one["extra"])
        one["words"] = {"indices": list(row.sparse), "values": list(row.sparse.values())}
        one["$meta"] = json.dumps({"big": one.pop("big"), "section": one.pop("section")})
    columns = {name: pa.array([one[name] for one in entities], kind) for name, kind in kinds.items()}
    pq.write_table(pa.table(columns), target / "1.parquet", row_group_size=(len(rows) + 1) // 2)
    (target / "describe.json").write_text(json.dumps(rest_description(made, "debs")))


LAYOUTS = dict.fromkeys([*TYPES, "bulk-struct"], write)
