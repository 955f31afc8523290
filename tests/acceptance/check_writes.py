"""ContextFrame's own writes, and Lance's maintenance, on a copy of the dataset in a temporary folder.

The converted dataset itself is never opened for writing.
"""

import shutil
import tempfile
import uuid
from pathlib import Path

import numpy as np
from contextframe.frame import FrameDataset, FrameRecord

from check_search import searchable


def new_record(dimension, title):
    """A record as a user of ContextFrame would make it."""
    vector = np.linspace(0.1, 1.0, dimension, dtype=np.float32)
    metadata = {"title": title, "uuid": str(uuid.uuid4()), "custom_metadata": {"made": "here"}}
    return FrameRecord("zyzzyva appended afterwards", metadata, vector=vector, embed_dim=dimension)


def updatable(record):
    """Readies a record read from the dataset for ContextFrame 0.1.1, whose JSON schema does not know member_of."""
    links = record.metadata.get("relationships") or []
    for link in links:
        link["type"] = "reference" if link["type"] == "member_of" else link["type"]
    return record


def check(report, path, rows, options):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.lance"
        shutil.copytree(path, copy)
        dataset = FrameDataset.open(copy)
        total = rows.total
        total = _add(report, dataset, total)
        _update(report, dataset, rows, options, total)
        total = _upsert_and_delete(report, dataset, rows, total)
        _maintain(report, copy, rows, total)


def _add(report, dataset, total):
    dimension = dataset._native.schema.field("vector").type.list_size
    record = new_record(dimension, "added")
    dataset.add(record)
    dataset.add_many([new_record(dimension, "many 1"), new_record(dimension, "many 2")])
    total += 3
    report.equal(dataset._native.count_rows(), total, "rows after add and add_many")
    back = dataset.get_by_uuid(record.uuid)
    report.equal(back and back.title, "added", "the added record")
    if dimension > 1:
        near = dataset.knn_search(record.vector, k=3)
        report.expect(any(r.title in ("added", "many 1", "many 2") for r in near), "knn_search does not find an added record")
    report.expect(dataset.full_text_search("zyzzyva"), "full_text_search does not find an added record")
    return total


def _update(report, dataset, rows, options, total):
    if not rows.uuids:
        return
    chosen = rows.uuids[len(rows.uuids) // 2]
    record = dataset.get_by_uuid(chosen)
    record.text_content = "zyzzyvas updated"
    record.metadata["title"] = "updated"
    types = {link["type"] for link in record.metadata.get("relationships") or []}
    if options.can_update:
        report.equal(types, {"reference"}, "relationship types of a dataset that can be updated")
    elif "member_of" in types:
        try:
            dataset.update_record(record)
            report.note("ContextFrame accepts member_of on update")
        except ValueError:
            report.expect(dataset.get_by_uuid(chosen) is not None, "a refused update lost the record")
            report.equal(dataset._native.count_rows(), total, "rows after a refused update")
    updatable(record)
    dataset.update_record(record)
    back = dataset.get_by_uuid(chosen)
    report.equal(dataset._native.count_rows(), total, "rows after update_record")
    if report.expect(back is not None, "the updated record is gone"):
        report.equal((back.title, back.text_content), ("updated", "zyzzyvas updated"), "the updated record")
        report.equal(back.vector.tobytes(), record.vector.tobytes(), "the updated record's vector")
        report.equal(back.metadata["custom_metadata"], record.metadata["custom_metadata"], "the updated record's custom_metadata")


def _upsert_and_delete(report, dataset, rows, total):
    fresh = new_record(dataset._native.schema.field("vector").type.list_size, "upserted")
    dataset.upsert_record(fresh)
    total += 1
    report.equal(dataset._native.count_rows(), total, "rows after upsert_record of a new record")
    if not rows.uuids:
        return total
    first = updatable(dataset.get_by_uuid(rows.uuids[0]))
    first.metadata["title"] = "upserted too"
    dataset.upsert_record(first)
    report.equal(dataset._native.count_rows(), total, "rows after upsert_record of a known record")
    back = dataset.get_by_uuid(rows.uuids[0])
    report.equal(back and back.title, "upserted too", "the upserted record")
    report.equal(dataset.delete_record(rows.uuids[-1]), 1, "delete_record")
    if len(rows.uuids) > 1:
        report.equal(dataset.get_by_uuid(rows.uuids[-1]), None, "the deleted record")
    return total - 1


def _maintain(report, copy, rows, total):
    native = FrameDataset.open(copy)._native
    native.optimize.optimize_indices()
    native.optimize.compact_files()
    native.validate()
    native = FrameDataset.open(copy)._native
    report.equal(native.count_rows(), total, "rows after optimize_indices and compact_files")
    native.optimize.optimize_indices()
    native = FrameDataset.open(copy)._native
    for index in native.describe_indices():
        stats = native.stats.index_stats(index.name)
        report.equal(stats["num_unindexed_rows"], 0, f"{index.name}: rows not indexed after optimize_indices")
    dataset = FrameDataset.open(copy)
    report.equal(dataset.count_by_filter("x_original_id IS NOT NULL") + dataset.count_by_filter("x_original_id IS NULL"), total,
                 "rows by x_original_id after the writes")
    for i in (1, len(rows.uuids) // 3):
        if 0 < i < len(rows.uuids) - 1 and i != len(rows.uuids) // 2:
            record = dataset.get_by_uuid(rows.uuids[i])
            report.equal(record and record.vector.tobytes(), rows.vectors[i].tobytes(), "a vector after compaction")
    usable = searchable(rows.vectors) if len(rows.vectors) else np.zeros(0, bool)
    if usable.any():
        query = rows.vectors[int(np.argmax(usable))]
        report.expect(len(dataset.knn_search(query, k=3)) > 0, "knn_search finds nothing after compaction")
