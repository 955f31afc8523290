"""Damages of columns, indices, files, the report and the dump itself, one each; those of rows and headers are in damage.py."""

import json
import shutil

import lance
import pyarrow as pa

from damaged import NOTES, POINTS, Damages, Diff, different

SHAPE = Damages()
INDICES = ("collection", "collection_id", "created_at", "position", "record_type", "source_type", "status", "tags", "text_content", "title",
           "updated_at", "uuid", "vector", "x_created_at", "x_namespace", "x_original_id", "x_updated_at")


def columns():
    """A column dropped, or of another type."""

    def dropped(name):
        return lambda copy: copy.dataset.drop_columns([name])

    def cast(name, kind):
        def do(copy):
            # A column with an index refuses another type.
            if name in INDICES:
                copy.dataset.drop_index(f"{name}_idx")
            copy.dataset.alter_columns({"path": name, "data_type": kind})
        return do

    for name in ("title", "tags", "custom_metadata", "text_content", "vector", "uuid", "record_type", "x_original_id", "x_source_payload", "x_source_fields"):
        SHAPE(f"the column {name} dropped", listed=False, content=True, findings=[f"the column {name} is missing", "rows cannot be compared"])(dropped(name))
    for name in ("x_vector_text", "x_sparse_words"):
        SHAPE(f"the column {name} dropped", listed=False, content=True, findings=["^rows that differ from their record: 30"], allowed=[f"the header lists a vector in {name}, which is no column"])(dropped(name))
    SHAPE("raw_data dropped", listed=False, content=False, findings=["the column raw_data is missing"])(dropped("raw_data"))
    types = [("position", pa.int64(), "Int64"), ("vector", pa.list_(pa.float64(), 16), "Float64"), ("vector", pa.list_(pa.float16(), 16), "Float16"),
             ("x_vector_text", pa.list_(pa.float64(), 384), "Float64"), ("x_original_id", pa.large_string(), "LargeUtf8"), ("title", pa.large_string(), "LargeUtf8")]
    for name, kind, shown in types:
        allowed = ["rows cannot be compared", "rows that differ", f"the index {name}_idx is missing"]
        SHAPE(f"{name} as {shown}", listed=False, content=None, findings=[f"the column {name} has the type .*{shown}"], allowed=allowed)(cast(name, kind))


columns()


def replaced(copy, name, kind, values):
    """A column of the same name, another type and these values."""
    copy.dataset.drop_columns([name])
    table = pa.table({"uuid": copy.dataset.to_table(columns=["uuid"])["uuid"], name: pa.array(values, kind)})
    copy.dataset.merge(table, "uuid")


@SHAPE("x_vector_text as a list without a fixed size", listed=False, findings=["the column x_vector_text has the type"], allowed=["rows"])
def loose_list(copy):
    values = copy.dataset.to_table(columns=["x_vector_text"])["x_vector_text"].to_pylist()
    replaced(copy, "x_vector_text", pa.list_(pa.float32()), values)


@SHAPE("a vector column that the dump does not have", different("5001", "x_vector_extra"))
def extra_vector(copy):
    table = pa.table({"uuid": [copy.uuid("5001")], "x_vector_extra": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))})
    copy.dataset.merge(table, "uuid")


@SHAPE("a column that is none of ContextFrame's", findings=["the column colour is none of ContextFrame's"])
def extra_column(copy):
    copy.dataset.add_columns({"colour": "'red'"})


@SHAPE("everything written anew in storage version 2.2, without blob and indices",
       findings=["storage version is 2.2", "the column raw_data (is missing|has)", *[f"the index {name}_idx is missing" for name in INDICES]])
def rewritten(copy):
    table = copy.dataset.to_table(columns=copy.base.columns)
    lance.write_dataset(table, str(copy.folder / "new.lance"), data_storage_version="2.2")
    shutil.rmtree(copy.path)
    (copy.folder / "new.lance").rename(copy.path)


def indices():
    """An index dropped; its files deleted, all or one of them, or cut."""

    def drop(name):
        return lambda copy: copy.dataset.drop_index(name)

    def delete(name):
        return lambda copy: [shutil.rmtree(folder) for folder in copy.index_files(name)]

    def lose(name, file):
        return lambda copy: [next(folder.glob(file)).unlink() for folder in copy.index_files(name)]

    def cut(name, file):
        def do(copy):
            for folder in copy.index_files(name):
                path = next(folder.glob(file))
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return do

    for column in INDICES:
        name = f"{column}_idx"
        SHAPE(f"{name} dropped", findings=[f"the index {name} is missing"])(drop(name))
        SHAPE(f"the files of {name} deleted", findings=[f"the index {name}: "])(delete(name))
    for name, file in (("vector_idx", "auxiliary.idx"), ("vector_idx", "index.idx"), ("uuid_idx", "page_lookup.lance"), ("uuid_idx", "page_data.lance"),
                       ("text_content_idx", "metadata.lance"), ("text_content_idx", "*tokens.lance"), ("text_content_idx", "*invert.lance"),
                       ("text_content_idx", "*docs.lance"), ("collection_idx", "*lookup.lance")):
        SHAPE(f"{file} of {name} deleted", findings=[f"the index {name}: "])(lose(name, file))
        SHAPE(f"{file} of {name} cut in half", findings=[f"the index {name}: "])(cut(name, file))


indices()


@SHAPE("a row written anew, the indices left behind", findings=[f"the index {name}_idx" for name in INDICES])
def unindexed(copy):
    copy.sql("x_original_id = '5004'", settle=False, title="title")


@SHAPE("a row deleted and appended again, the indices left behind", findings=[f"the index {name}_idx" for name in INDICES])
def appended(copy):
    row = copy.row("5004")
    copy.dataset.delete("x_original_id = '5004'")
    copy.append(row, settle=False)


@SHAPE("the vector index of another metric", findings=["the vector index measures l2, but the header says cosine"])
def metric(copy):
    copy.dataset.create_index("vector", "IVF_FLAT", name="vector_idx", metric="l2", num_partitions=1, replace=True)


def reports():
    """A count edited in the report."""

    def edited(key):
        def do(copy):
            report = json.loads(copy.report.read_text())
            report[key] += 1
            copy.report.write_text(json.dumps(report))
        return do

    for key in ("read", "written", "rejected", "deduplicated"):
        SHAPE(f"`{key}` edited in the report", findings=[f"the report says {key} "])(edited(key))


reports()


@SHAPE("the report deleted: no finding", status=0)
def no_report(copy):
    copy.report.unlink()


@SHAPE("the report is no JSON", findings=["report.json"])
def bad_report(copy):
    copy.report.write_text("{")


READ = f"the report says read {POINTS + NOTES}, the dump gives"


@SHAPE("a record removed from the dump", Diff("unexpected", "5004"), findings=[f"{READ} {POINTS + NOTES - 1}"])
def dump_removed(copy):
    copy.edit("points/points-000.jsonl", lambda all_lines: all_lines[:4] + all_lines[5:])


@SHAPE("a record added to the dump", Diff("missing", "new"), findings=[f"{READ} {POINTS + NOTES + 1}"])
def dump_added(copy):
    copy.edit("notes.jsonl", lambda all_lines: [all_lines[0], b'{"id":"new","vector":null,"payload":{"text":"new"}}', *all_lines[1:]])


@SHAPE("one digit of a record changed in the dump", different("5004", "x_source_payload", "custom_metadata"))
def dump_changed(copy):
    copy.edit("points/points-000.jsonl", lambda all_lines: [line.replace(b'"num_id":5004', b'"num_id":5044') for line in all_lines])


@SHAPE("one digit of a vector changed in the dump", different("5000", "vector"))
def dump_vector(copy):
    copy.edit("points/points-000.jsonl", lambda all_lines: [all_lines[0].replace(b"-0.026067441", b"-0.026067443"), *all_lines[1:]])


@SHAPE("a record of the dump spoiled", Diff("unexpected", "5004"), findings=["the report says rejected 0, the dump gives 1"])
def dump_spoiled(copy):
    copy.edit("points/points-000.jsonl", lambda all_lines: [*all_lines[:4], all_lines[4][:-9], *all_lines[5:]])


@SHAPE("a record again at the end of the dump, with another payload", different("5004", "x_source_payload", "custom_metadata"),
       findings=[f"{READ} {POINTS + NOTES + 1}", "the report says deduplicated 0, the dump gives 1"])
def dump_again(copy):
    copy.edit("points/points-000.jsonl", lambda all_lines: [*all_lines, all_lines[4].replace(b'"num_id":5004', b'"num_id":5044')])


def spellings():
    """The same records in another spelling, which is no damage."""

    def respelled(**how):
        def do(copy):
            for shard in ("points/points-000.jsonl", "notes.jsonl"):
                copy.edit(shard, lambda all_lines: [written(json.loads(line, parse_float=Raw, parse_int=Raw), **how).encode() for line in all_lines])
        return do

    for name, how in {"keys in another order": {"turn": True}, "letters as escapes": {"escape": True}, "white space": {"space": " "}}.items():
        SHAPE(f"{name} in the dump: no finding", status=0)(respelled(**how))


class Raw(str):
    """A number as it was written."""


def written(value, turn=False, escape=False, space=""):
    """JSON with the keys of objects turned around, the letter t as an escape, or white space."""
    def inner(value):
        return written(value, turn, escape, space)

    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        fields = [f"{inner(k)}{space}:{space}{inner(v)}" for k, v in value.items()]
        return "{" + space + f"{space},".join(fields[::-1] if turn else fields) + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(map(inner, value)) + space + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("t", "\\u0074") if escape and isinstance(value, str) and "\\" not in text else text


spellings()


@SHAPE("a data file cut in half", status=2, listed=False, content=True)
def data_cut(copy):
    path = max((copy.path / "data").iterdir(), key=lambda f: f.stat().st_size)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@SHAPE("a data file deleted", status=2, listed=False, content=True)
def data_gone(copy):
    max((copy.path / "data").iterdir(), key=lambda f: f.stat().st_size).unlink()
