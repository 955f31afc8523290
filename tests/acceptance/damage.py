"""Damages of rows and headers: one each, on a copy of a sound dataset, through pylance or in the data file itself.

What must be said of it stands in the decorator. Damages of columns, indices, the report and the dump are in damage_shape.py.
"""

import json

import numpy as np
import pyarrow as pa

from damaged import NOTES, POINTS, Damages, Diff, counts, different, flipped

ROWS = Damages()


@ROWS("one bit of one float in `vector`, in the data file", different("5010", "vector"))
def vector_in_file(copy):
    vector = np.array(copy.value("5010", "vector"), np.float32)
    copy.in_file(vector.tobytes(), flipped(vector, 3).tobytes())


@ROWS("the sign of a float in `vector`", different("5004", "vector"))
def vector_sign(copy):
    copy.put("5004", vector=flipped(copy.value("5004", "vector"), 15, 31))


@ROWS("one bit in a named vector, in the data file", different("5006", "x_vector_text"))
def named_in_file(copy):
    vector = np.array(copy.value("5006", "x_vector_text"), np.float32)
    copy.in_file(vector.tobytes(), flipped(vector, 383).tobytes())


@ROWS("one bit in a named vector", different("5017", "x_vector_text"))
def named(copy):
    copy.put("5017", x_vector_text=flipped(copy.value("5017", "x_vector_text"), 0))


@ROWS("a named vector where the record has none", different("5020", "x_vector_text"))
def named_made_up(copy):
    copy.put("5020", x_vector_text=copy.value("5021", "x_vector_text"))


@ROWS("a named vector taken away", different("5021", "x_vector_text"))
def named_null(copy):
    copy.put("5021", x_vector_text=None)


@ROWS("one bit in a multi-vector", different("5002", "x_vector_tokens"))
def multi(copy):
    rows = copy.value("5002", "x_vector_tokens")
    rows[-1] = flipped(rows[-1], 7).tolist()
    copy.put("5002", x_vector_tokens=rows)


@ROWS("two rows of a multi-vector in the other order", different("multi", "x_vector_tokens"))
def multi_order(copy):
    copy.put("multi", x_vector_tokens=copy.value("multi", "x_vector_tokens")[::-1])


@ROWS("one bit in a sparse value", different("5008", "x_sparse_words"))
def sparse_value(copy):
    sparse = copy.value("5008", "x_sparse_words")
    copy.put("5008", x_sparse_words=sparse | {"values": flipped(sparse["values"], 0).tolist()})


@ROWS("one sparse index", different("5008", "x_sparse_words"))
def sparse_index(copy):
    sparse = copy.value("5008", "x_sparse_words")
    sparse["indices"][1] += 1
    copy.put("5008", x_sparse_words=sparse)


@ROWS("an index of a sparse vector, in the data file", different("5019", "x_sparse_words"))
def sparse_in_file(copy):
    indices = np.array(copy.value("5019", "x_sparse_words")["indices"], np.uint32)
    other = indices.copy()
    other[0] ^= np.uint32(1)
    copy.in_file(indices.tobytes(), other.tobytes())


@ROWS("all NaN written over a vector", different("5012", "vector"))
def placeholder(copy):
    copy.put("5012", vector=[float("nan")] * 16)


@ROWS("zeros instead of the NaN placeholder", different("empty", "vector"))
def no_placeholder(copy):
    copy.put("empty", vector=[0.0] * 16)


@ROWS("one digit of a payload, in the data file", different("5007", "x_source_payload"))
def payload_in_file(copy):
    text = copy.value("5007", "x_source_payload")
    copy.in_file(text.encode(), text.replace('"num_id":5007', '"num_id":5017').encode())


@ROWS("the type of a payload's value: 5016 becomes \"5016\"", different("5016", "x_source_payload"))
def payload_type(copy):
    copy.put("5016", x_source_payload=copy.value("5016", "x_source_payload").replace('"num_id":5016', '"num_id":"5016"'))


@ROWS("0.50 becomes 0.5 in another top-level field", different("rest", "x_source_fields"))
def rest(copy):
    copy.put("rest", x_source_fields=copy.value("rest", "x_source_fields").replace("0.50", "0.5"))


@ROWS("payload null instead of {}", different("empty", "x_source_payload"))
def payload_null(copy):
    copy.put("empty", x_source_payload=None)


@ROWS("payload {} instead of none", different("bare", "x_source_payload"))
def payload_empty(copy):
    copy.put("bare", x_source_payload="{}")


@ROWS("payload null as JSON instead of none", different("bare", "x_source_payload"))
def payload_json_null(copy):
    copy.put("bare", x_source_payload="null")


def pairs(copy, identity, change):
    """Writes `custom_metadata` anew; `change` gets it as a dict."""
    held = {p["key"]: p["value"] for p in copy.value(identity, "custom_metadata")}
    change(held)
    copy.put(identity, custom_metadata=[{"key": k, "value": v} for k, v in held.items()])


@ROWS("a value in custom_metadata only", different("5014", "custom_metadata"))
def metadata(copy):
    pairs(copy, "5014", lambda held: held.update(version=held["version"] + "x"))


@ROWS("a value in custom_metadata, whose pairs stand in another order", different("5014", "custom_metadata"), shows="changed")
def metadata_order(copy):
    held = {p["key"]: p["value"] for p in copy.value("5014", "custom_metadata")} | {"name": "changed"}
    copy.put("5014", custom_metadata=[{"key": k, "value": v} for k, v in reversed(held.items())])


@ROWS("the types of custom_metadata lost", different("5014", "custom_metadata"))
def metadata_types(copy):
    pairs(copy, "5014", lambda held: held.pop("_types"))


@ROWS("a pair too many in custom_metadata", different("5014", "custom_metadata"))
def metadata_more(copy):
    pairs(copy, "5014", lambda held: held.update(extra="1"))


@ROWS("one letter of the text, in the data file", different("5022", "text_content"))
def text_in_file(copy):
    text = copy.value("5022", "text_content")
    copy.in_file(text.encode(), (text[:-2] + "~" + text[-1]).encode())


@ROWS("text null instead of empty", different("rest", "text_content"))
def text_null(copy):
    copy.put("rest", text_content=None)


@ROWS("the title", different("5023", "title"))
def title(copy):
    copy.sql("x_original_id = '5023'", title="'another'")


@ROWS("tags in another order", different("rest", "tags"))
def tags(copy):
    copy.put("rest", tags=copy.value("rest", "tags")[::-1])


@ROWS("a status that no record gave", different("5024", "status"))
def status(copy):
    copy.put("5024", status="draft")


@ROWS("raw data in a row", findings=["rows with bytes in raw_data, which vec2lance does not write: 1"])
def raw_data(copy):
    copy.put("5024", raw_data=b"bytes that no dump holds")


@ROWS("one row dropped", Diff("missing", "5011"), findings=counts("points", POINTS - 1, POINTS + NOTES - 1))
def dropped(copy):
    copy.dataset.delete("x_original_id = '5011'")


@ROWS("one row doubled", Diff("doubled", "5011"), findings=counts("points", POINTS + 1, POINTS + NOTES + 1))
def doubled(copy):
    copy.append(copy.row("5011"))


@ROWS("one row doubled, and the second changed", Diff("doubled", "5011"), findings=counts("points", POINTS + 1, POINTS + NOTES + 1))
def doubled_changed(copy):
    row = copy.row("5011")
    copy.append(row.set_column(row.schema.get_field_index("title"), row.schema.field("title"), pa.array(["another"])))


@ROWS("a row that no record explains", Diff("unexpected", "5011"), findings=counts("points", POINTS + 1, POINTS + NOTES + 1))
def stranger(copy):
    row = copy.row("5011")
    copy.append(row.set_column(0, row.schema.field("uuid"), pa.array(["00000000-0000-5000-8000-000000000001"])))


@ROWS("a uuid replaced by one that is none", Diff("missing", "5011"), Diff("unexpected", "5011"))
def no_uuid(copy):
    copy.sql("x_original_id = '5011'", uuid="'nothing'")


def swap(copy, **columns):
    """Each column's two values change places; the rows are told apart by their title meanwhile."""
    old = {identity: {column: copy.value(identity, column) for column in columns} for identity in ("5001", "5002")}
    rows = {identity: f"collection = 'points' AND title = '{copy.value(identity, 'title')}'" for identity in old}
    for identity, other in (("5001", "5002"), ("5002", "5001")):
        copy.sql(rows[identity], **{column: f"'{value}'" for column, value in old[other].items()})


@ROWS("two ids swapped", different("5001", "x_original_id"), different("5002", "x_original_id"))
def swapped_ids(copy):
    swap(copy, x_original_id=True)


@ROWS("two ids and their uuids swapped", different("5001"), different("5002"))
def swapped_both(copy):
    swap(copy, x_original_id=True, uuid=True)


@ROWS("a row's collection renamed", different("5003", "collection"), findings=counts("points", POINTS - 1, POINTS + NOTES - 1))
def renamed(copy):
    copy.sql("x_original_id = '5003'", collection="'elsewhere'")


@ROWS("a row moved to the other collection by name", different("5003", "collection"), findings=(*counts("points", POINTS - 1), *counts("notes", NOTES + 1)))
def moved(copy):
    copy.sql("x_original_id = '5003'", collection="'notes'")


@ROWS("a row linked to the other header", different("5003", "relationships"))
def linked(copy):
    links = copy.value("5003", "relationships")
    links[0]["id"] = copy.uuid("header notes")
    copy.put("5003", relationships=links)


@ROWS("a namespace changed to another of the dump", different("deb-005020", "custom_metadata"), base="spaces",
      allowed=["the header's item_count is", "the header's collection_member_count is"])
def namespace(copy):
    pairs(copy, "deb-005020", lambda held: held.update(namespace="a"))


@ROWS("a namespace lost", different("deb-005020", "custom_metadata"), base="spaces", findings=["report says written 36, the dataset has 35"],
      allowed=["the header's item_count is", "the header's collection_member_count is"])
def namespace_lost(copy):
    pairs(copy, "deb-005020", lambda held: held.pop("namespace"))


@ROWS("a header's item_count", findings=counts("points", POINTS)[:1])
def item_count(copy):
    pairs(copy, "header points", lambda held: held.update(item_count="7"))


@ROWS("a header dropped", findings=["collection notes: 0 header records, expected 1"])
def header_dropped(copy):
    copy.dataset.delete(f"uuid = '{copy.uuid('header notes')}'")


@ROWS("a header doubled", findings=["collection points: 2 header records, expected 1"])
def header_doubled(copy):
    copy.append(copy.row("header points"))


@ROWS("a header's uuid", findings=["collection points: the header's uuid is"])
def header_uuid(copy):
    copy.sql(f"uuid = '{copy.uuid('header points')}'", uuid="'00000000-0000-5000-8000-000000000002'")


@ROWS("a header's title", findings=["collection points: the header's title is"])
def header_title(copy):
    copy.put("header points", title="Collection: others")


@ROWS("a header's list of vectors", findings=["collection points: the header"])
def header_facts(copy):
    pairs(copy, "header points", lambda held: held.update({k: json.dumps(["other"]) for k in held if k == "vectors"} or {"vectors": "[]"}))


@ROWS("a vector in a header", findings=["collection points: the header"])
def header_vector(copy):
    copy.put("header points", vector=[1.0] * 16)
