"""A dataset against the records of its dump: ids, collections, namespaces, every value of every vector, payloads, texts.

Reads the dataset by pylance alone. What a dump says, the readers know.
"""

from collections import Counter

import lance
import ml_dtypes
import numpy as np
import pyarrow as pa

from .record import MISSING, Num, OneOf, agrees, parse, where

DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "int8": np.int8, "uint8": np.uint8,
          "binary": np.uint8}
ARROW = {pa.float16(): "float16", pa.float32(): "float32", pa.float64(): "float64", pa.int8(): "int8", pa.uint8(): "uint8"}


def storage(array):
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def element(field):
    """The type of a fixed-size list's values, as the readers name it."""
    item = field.type.value_field if pa.types.is_fixed_size_list(field.type) else field.type.value_type.value_field
    told = (field.metadata or {}).get(b"vec2lance:element", b"").decode()
    if told in ("binary", "bfloat16"):
        return told
    return ARROW.get(item.type, str(item.type))


def fixed(array, field):
    """One numpy vector or None a row."""
    kind, valid = element(field), array.is_valid().to_pylist()
    values = storage(array.filter(array.is_valid()).flatten())
    if kind == "bfloat16":
        raw = b"".join(values.to_pylist()) if pa.types.is_fixed_size_binary(values.type) else np.asarray(values).tobytes()
        flat = np.frombuffer(raw, ml_dtypes.bfloat16)
    else:
        flat = values.to_numpy(zero_copy_only=False)
    matrix = iter(flat.reshape(-1, array.type.list_size))
    return kind, [next(matrix) if v else None for v in valid]


def multi(array):
    out = []
    for n in range(len(array)):
        one = array[n]
        inner = one.values if one.is_valid else None
        if inner is None:
            out.append(None)
        elif pa.types.is_fixed_size_list(inner.type):
            out.append(list(inner.flatten().to_numpy(zero_copy_only=False).reshape(len(inner), inner.type.list_size)))
        else:
            out.append([np.array(row, np.float32) for row in inner.to_pylist()])
    return out


def columns(table):
    """Name -> (kind, values by row) of the vectors beside the main one."""
    out = {}
    for field in table.schema:
        if not field.name.startswith(("x_vector_", "x_sparse_")):
            continue
        name = (field.metadata or {}).get(b"vec2lance:name", field.name[9:].encode()).decode()
        name = "" if name == "default" else name
        array = table[field.name].combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        if field.name.startswith("x_sparse_"):
            out[name] = "sparse", array.to_pylist()
        elif pa.types.is_fixed_size_list(field.type):
            out[name] = fixed(array, field)
        else:
            out[name] = "multi", multi(array)
    return out


def bytes_of(values, kind):
    return np.ascontiguousarray(values, DTYPES[kind]).tobytes()


def same_vector(got, kind, want):
    """Bit for bit, type included."""
    wanted, values = want
    if kind == "sparse" and wanted == "sparse":
        return got is not None and got["indices"] == values[0].tolist() and bytes_of(got["values"], "float32") == bytes_of(values[1], "float32")
    if kind == "multi" and wanted == "multi":
        return got is not None and len(got) == len(values) and all(bytes_of(a, "float32") == bytes_of(b, "float32") for a, b in zip(got, values))
    if got is None or kind not in wanted.split(" or "):
        return False
    # The read values have the column's type already: a cast would hide another one.
    return got.dtype == DTYPES[kind] and got.tobytes() == bytes_of(values, kind)


class Compared:
    """What is wrong, and how much was compared."""

    def __init__(self):
        self.wrong = []
        self.counts = Counter()

    def expect(self, fine, message):
        if not fine:
            self.wrong.append(message)
        return fine


def key(collection, namespace, identity):
    return collection, namespace or "", identity


def compare(path, records):
    out = Compared()
    dataset = lance.dataset(str(path))
    table = dataset.to_table(columns=[n for n in dataset.schema.names if n != "raw_data"])
    table = table.filter(pa.compute.equal(table["record_type"], "document"))
    out.counts["records"] = table.num_rows
    out.expect(table.num_rows == len(records), f"{table.num_rows} records instead of {len(records)}")
    has_space = "x_namespace" in table.schema.names
    out.expect(has_space or not any(r.namespace for r in records), "no column x_namespace")
    spaces = table["x_namespace"].to_pylist() if has_space else [None] * table.num_rows
    # `__default__` is Pinecone's word for the namespace without a name.
    spaces = [None if s == "__default__" else s for s in spaces]
    one = {r.collection for r in records} == {None}
    collections = [None if one else c for c in table["collection"].to_pylist()]
    rows = {key(c, s, i): n for n, (c, s, i) in enumerate(zip(collections, spaces, table["x_original_id"].to_pylist()))}
    out.expect(len(rows) == table.num_rows, f"{table.num_rows} rows have {len(rows)} different ids")
    others = columns(table)
    _, main = fixed(table["vector"].combine_chunks() if table["vector"].num_chunks != 1 else table["vector"].chunk(0), table.schema.field("vector"))
    payloads, texts = table["x_source_payload"].to_pylist(), table["text_content"].to_pylist()
    beside = table["x_source_fields"].to_pylist()
    # The main vector of a collection is the dense one without a column of its own, else what stands in no column.
    for record in records:
        for name in record.optional:
            if name not in others:
                record.vectors.pop(name, None)
                record.payload = record.payload.forms[0]
    chosen = {}
    for collection in {r.collection for r in records}:
        names = {name for r in records if r.collection == collection for name in r.vectors}
        chosen[collection] = sorted(names - others.keys())
        out.expect(len(chosen[collection]) <= 1, f"no columns for {chosen[collection][1:]} of {collection}")
    out.counts["main"] = " and ".join(sorted({main[0] if main else "-" for main in chosen.values()}))
    for record in records:
        n = rows.get(key(record.collection, record.namespace, record.id))
        who = f"{record.id} of {record.collection}/{record.namespace or ''}"
        if out.expect(n is not None, f"{who}: no such row"):
            check(out, who, record, n, main, others, chosen[record.collection])
            check_payload(out, who, record, payloads[n], beside[n])
            out.expect(record.text is None or texts[n] == record.text, f"{who}: text {texts[n]!r:.80} instead of {record.text!r:.80}")
            out.counts["texts"] += record.text is not None
    return out


def check(out, who, record, n, main, others, chosen):
    wanted = dict(record.vectors)
    want = wanted.pop(chosen[0], None) if chosen else None
    if want is None:
        out.expect(np.isnan(main[n]).all(), f"{who}: no main vector in the dump, but values in the dataset")
    else:
        exact = np.asarray(want[1]).astype(np.float32)
        out.expect(main[n].dtype == np.float32 and main[n].tobytes() == exact.tobytes(), f"{who}: main vector {main[n][:3]} instead of {exact[:3]}")
        out.counts["vectors"] += 1
        out.counts["values"] += len(exact)
    for name, (kind, column) in others.items():
        want = wanted.pop(name, None)
        if want is None:
            out.expect(column[n] is None, f"{who}: {name} has a value that the dump has not")
        elif out.expect(same_vector(column[n], kind, want), f"{who}: {name} ({kind}) is {str(column[n])[:90]} instead of {str(want)[:110]}"):
            out.counts["vectors"] += 1
            out.counts["values"] += sum(map(len, want[1])) if want[0] in ("multi", "sparse") else len(want[1])
    for name in wanted:
        out.expect(False, f"{who}: {name} has no column")


def check_payload(out, who, record, text, beside):
    want = record.payload
    if isinstance(want, OneOf) and MISSING in want.forms and text is None:
        return
    if want is MISSING:
        out.expect(text is None, f"{who}: a payload that the dump has not: {text!r:.80}")
        return
    if not out.expect(text is not None, f"{who}: no payload"):
        return
    got = parse(text)
    if agrees(got, want):
        out.counts["payloads"] += 1
    else:
        first = want.forms[0] if isinstance(want, OneOf) else want
        out.expect(False, f"{who}: {where(got, first)} (x_source_fields: {beside!r:.60})")


__all__ = ["Compared", "Num", "compare"]
