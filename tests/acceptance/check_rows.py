"""Every row against its source record: identity, vectors bit for bit, payload text, metadata, links to the header.

One pass over the dataset; it also gathers the facts (`Rows`) that the later checks ask for.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

import dumps
from check_metadata import check_fields, check_metadata
from check_schema import column_of
from exact import Num, bits, nearest_f32, parse, same

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@dataclass
class Rows:
    """What the dataset holds, for the checks that follow."""

    total: int = 0
    members: int = 0
    without_vector: int = 0
    headers: list = field(default_factory=list)
    by_collection: Counter = field(default_factory=Counter)
    values: dict = field(default_factory=dict)  # column -> Counter of its values
    ids: list = field(default_factory=list)
    uuids: list = field(default_factory=list)
    vectors: object = None  # float32 [members, dimension]
    texts: list = field(default_factory=list)
    links: list = field(default_factory=list)  # (uuid, collection, collection_id, type, relationships)


def number_bits_differ(got, want, numbers):
    """Positions where the bits differ, forgiving a value that is nearer to the decimal than rounding by way of double."""
    places = np.flatnonzero(bits(got) != bits(want))
    if numbers is None:
        return places
    text = lambda i: numbers[i].text if isinstance(numbers[i], Num) else repr(numbers[i])  # noqa: E731
    return [i for i in places if bits(nearest_f32(text(i))[None])[0] != bits(got)[i]]


def check_vector(report, who, got, source, main, rows):
    want = dumps.main_vector(source, main)
    if want is None:
        rows.without_vector += 1
        report.expect(np.isnan(got).all(), f"{who}: no vector in the dump, but the row's is not all NaN")
        return
    if not report.equal(len(got), len(want), f"{who}: values in the vector"):
        return
    name = main if main in source.dense else next((n for n in (None, "default") if n in source.dense), None)
    places = number_bits_differ(got, want, source.numbers.get(name))
    if len(places):
        i = places[0]
        report.fail(f"{who}: vector differs in {len(places)} values, first [{i}] {got[i]!r} instead of {want[i]!r}")


def check_others(report, who, row, source, main, schema):
    """Vectors beside the main one."""
    unnamed = (None, "default")
    wanted = {}
    for name, values in source.dense.items():
        if name != main and not (name in unnamed and main in unnamed):
            wanted[column_of(schema, name or "default", "x_vector_")] = [values]
    for name, values in source.multi.items():
        wanted[column_of(schema, name or "default", "x_vector_")] = values
    for name, (_, values) in source.typed.items():
        if name != main:
            wanted[column_of(schema, name, "x_vector_")] = [values]
    for column in (c for c in row if c.startswith("x_vector_")):
        got, want = row[column], wanted.pop(column, None)
        if got is None or want is None:
            report.expect(got is None and want is None, f"{who}: {column} is {'null' if got is None else 'not null'}")
            continue
        got = got if got and isinstance(got[0], list) else [got]
        right = len(got) == len(want) and all(len(g) == len(w) and (bits(np.float32(g)) == bits(w)).all() for g, w in zip(got, want))
        report.expect(right, f"{who}: {column} differs")
    sparse = {column_of(schema, n or "default", "x_sparse_"): v for n, v in source.sparse.items()}
    for column in (c for c in row if c.startswith("x_sparse_")):
        got, want = row[column], sparse.pop(column, None)
        if got is None or want is None:
            report.expect(got is None and want is None, f"{who}: {column} is {'null' if got is None else 'not null'}")
            continue
        right = got["indices"] == want[0].tolist() and (bits(np.float32(got["values"])) == bits(want[1])).all()
        report.expect(right, f"{who}: {column} differs")
    for column in [*wanted, *sparse]:
        report.fail(f"{who}: {column} is missing")


def check_payload(report, who, text, source):
    """x_source_payload: null where the source has no such key, else the same JSON."""
    if source.payload is dumps.MISSING:
        report.expect(text is None, f"{who}: x_source_payload is not null, but the dump has no payload")
    elif text is None:
        # Milvus entities have no payload object in the dump's own text, so null is an answer there.
        report.expect(source.loose == "milvus", f"{who}: x_source_payload is null")
    elif source.payload is None:
        report.equal(text, "null", f"{who}: x_source_payload")
    else:
        report.expect(same(parse(text), source.payload), f"{who}: x_source_payload differs from the dump's payload")


def check_header(report, row, vector, rows):
    rows.headers.append(row)
    report.equal(row["record_type"], "collection_header", "record_type of a row without x_original_id")
    report.expect(np.isnan(vector).all(), f"header {row['title']!r}: vector is not all NaN")
    report.equal(row["title"], f"Collection: {row['collection']}", "header's title")
    for name in ("relationships", "collection_id", "x_source_payload", "x_source_fields"):
        report.expect(row[name] is None, f"header {row['title']!r}: {name} is not null")


def check_member(report, row, vector, source, main, options, rows, schema):
    who = f"id {row['x_original_id']!r}"
    report.equal(row["record_type"], "document", f"{who}: record_type")
    report.equal(row["source_type"], options.source, f"{who}: source_type")
    check_vector(report, who, vector, source, main, rows)
    check_others(report, who, row, source, main, schema)
    check_payload(report, who, row["x_source_payload"], source)
    check_metadata(report, who, row, source, main, options.source)
    check_fields(report, who, row["x_source_fields"], source)
    rows.links.append((row["uuid"], row["collection"], row["collection_id"], row["collection_id_type"], row["relationships"]))


def check(report, native, sources, main, options):
    rows = Rows(total=native.count_rows())
    schema = native.schema
    columns = [n for n in schema.names if n != "raw_data"]
    counted = ("author", "status", "source_type", "record_type", "collection", "created_at")
    rows.values = {name: Counter() for name in counted} | {"tag": Counter()}
    vectors, seen, first = [], Counter(), True
    for batch in native.scanner(columns=columns, batch_size=512, scan_in_order=True).to_batches():
        lists = batch.column("vector")
        report.equal(lists.null_count, 0, "null vectors")
        values = lists.flatten()
        report.equal(values.null_count, 0, "null values in vectors")
        matrix = values.to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
        for row, vector in zip(batch.drop_columns(["vector"]).to_pylist(), matrix):
            if first:
                report.equal(row["record_type"], "collection_header", "record_type of the first row")
                first = False
            report.expect(UUID.match(row["uuid"] or ""), f"uuid {row['uuid']!r} is no lower-case UUIDv5")
            seen[row["uuid"]] += 1
            for name in counted:
                if row[name] is not None:
                    rows.values[name][row[name]] += 1
            rows.values["tag"].update(set(row["tags"] or ()))
            report.expect(bool(row["title"]), f"uuid {row['uuid']}: no title")
            report.expect(row["text_content"] is not None, f"uuid {row['uuid']}: text_content is null")
            if row["x_original_id"] is None:
                check_header(report, row, vector, rows)
                continue
            rows.members += 1
            rows.by_collection[row["collection"]] += 1
            rows.ids.append(row["x_original_id"])
            rows.uuids.append(row["uuid"])
            rows.texts.append(row["text_content"])
            vectors.append(vector.copy())
            source = sources.get(row["x_original_id"])
            if report.expect(source is not None, f"id {row['x_original_id']!r} is not in the dump"):
                check_member(report, row, vector, source, main, options, rows, schema)
    rows.vectors = np.array(vectors, dtype=np.float32)
    for uuid, count in seen.items():
        report.expect(count == 1, f"uuid {uuid} {count} times")
    missing = set(sources) - set(rows.ids)
    report.expect(not missing, f"{len(missing)} ids of the dump are not in the dataset, such as {sorted(missing)[:3]!r}")
    report.equal(rows.members, len(sources), "members")
    report.equal(rows.total, rows.members + len(rows.headers), "rows")
    report.expect(bool(rows.headers), "no collection header")
    return rows

