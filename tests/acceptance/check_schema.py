"""Storage version, the 27 columns of ContextFrame with their exact Arrow types, and the extra x_ columns.

Values are compared elsewhere (check_rows.py).
"""

import re

import pyarrow as pa
from contextframe.schema.contextframe_schema import get_schema

import dumps

ITEM = pa.float32()
FIXED = {"x_original_id": pa.string(), "x_source_payload": pa.string(), "x_source_fields": pa.string(), "x_namespace": pa.string(),
         "x_created_at": pa.timestamp("us", "UTC"), "x_updated_at": pa.timestamp("us", "UTC")}
SPARSE = pa.struct([pa.field("indices", pa.list_(pa.uint32())), pa.field("values", pa.list_(ITEM))])


def column_of(schema, name, prefix):
    """The column of a named vector: by the name in the field's metadata, else by the plain rule."""
    for item in schema:
        if item.name.startswith(prefix) and (item.metadata or {}).get(b"vec2lance:name") == name.encode():
            return item.name
    return prefix + re.sub(r"[^A-Za-z0-9_]", "_", name)


def expected_extras(schema, sources, main):
    """Column name -> Arrow type for every vector beside the main one."""
    out = {}
    for source in sources.values():
        for name, values in source.dense.items():
            if name != main and not (name in (None, "default") and main in (None, "default")):
                out[column_of(schema, name or "default", "x_vector_")] = pa.list_(ITEM, len(values))
        for name, rows in source.multi.items():
            out[column_of(schema, name or "default", "x_vector_")] = pa.list_(pa.list_(ITEM, len(rows[0])))
        for name, (kind, values) in source.typed.items():
            item = {"float16": pa.float16(), "int8": pa.int8(), "binary": pa.uint8(), "bfloat16": pa.binary(2)}[kind]
            out[column_of(schema, name, "x_vector_")] = pa.list_(pa.field("item", item), len(values))
        for name in source.sparse:
            out[column_of(schema, name or "default", "x_sparse_")] = SPARSE
    return out


def check(report, native, sources, main):
    report.equal(native.data_storage_version, "2.1", "data storage version")
    vectors = [v for v in (dumps.main_vector(s, main) for s in sources.values()) if v is not None]
    schema = native.schema
    if schema.get_field_index("vector") < 0 or not pa.types.is_fixed_size_list(schema.field("vector").type):
        report.fail("no column `vector` of fixed-size lists")
        return
    dimension = schema.field("vector").type.list_size
    if vectors:
        report.equal(dimension, len(vectors[0]), "dimension")
    for want in get_schema(embed_dim=dimension):
        if not report.expect(schema.get_field_index(want.name) >= 0, f"column {want.name} is missing"):
            continue
        got = schema.field(want.name)
        report.equal(got.type, want.type, f"type of {want.name}")
        report.equal(got.nullable, want.nullable, f"nullable of {want.name}")
    blob = (schema.field("raw_data").metadata or {}).get(b"lance-encoding:blob")
    report.equal(blob, b"true", "raw_data's lance-encoding:blob")
    extras = FIXED | expected_extras(schema, sources, main)
    for name, kind in extras.items():
        if report.expect(schema.get_field_index(name) >= 0, f"column {name} is missing"):
            report.equal(schema.field(name).type, kind, f"type of {name}")
    known = set(get_schema(embed_dim=dimension).names) | set(extras)
    for name in schema.names:
        if name not in known:
            report.expect(name.startswith("x_"), f"column {name} is not ContextFrame's and does not start with x_")
            report.note(f"column {name} is not explained by the dump")
    for name in ("raw_data", "raw_data_type"):
        report.equal(native.count_rows(f"{name} IS NOT NULL"), 0, f"rows with {name}")
