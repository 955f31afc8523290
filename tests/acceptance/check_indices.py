"""The indices: all there, of the right kind, trained, and covering every row.

An index that is registered but empty is the failure looked for: searches then silently fall back to something else.
"""

from dataclasses import dataclass

import numpy as np

SCALAR = {
    "text_content_idx": "Inverted", "title_idx": "Inverted", "uuid_idx": "BTree", "collection_idx": "Bitmap",
    "collection_id_idx": "Bitmap", "record_type_idx": "Bitmap", "source_type_idx": "Bitmap", "status_idx": "Bitmap",
    "tags_idx": "LabelList", "created_at_idx": "BTree", "updated_at_idx": "BTree", "position_idx": "BTree",
    "x_original_id_idx": "BTree", "x_created_at_idx": "BTree", "x_updated_at_idx": "BTree", "x_namespace_idx": "Bitmap",
}


@dataclass
class VectorIndex:
    """What the vector index says of itself; no kind where there is none."""

    kind: str | None = None
    metric: str = "l2"
    partitions: int = 0

    @property
    def exact(self):
        """Whether a plain search is exact: no index, or one flat partition."""
        return self.kind is None or (self.kind == "IVF_FLAT" and self.partitions == 1)


def covers(report, native, name, total):
    """The index holds all fragments and rows."""
    stats = native.stats.index_stats(name)
    report.equal(stats["num_indexed_rows"], total, f"{name}: indexed rows")
    report.equal(stats["num_unindexed_rows"], 0, f"{name}: rows not indexed")
    report.equal(stats["num_unindexed_fragments"], 0, f"{name}: fragments not indexed")
    return stats


def check(report, native, rows, options):
    total = native.count_rows()
    described = {index.name: index for index in native.describe_indices()}
    fragments = {fragment.fragment_id for fragment in native.get_fragments()}
    for index in native.list_indices():
        report.equal(set(index["fragment_ids"]), fragments, f"{index['name']}: fragments")
    report.equal(set(described) - set(SCALAR) - {"vector_idx"}, set(), "indices that nobody expects")
    for name, kind in SCALAR.items():
        if not report.expect(name in described, f"{name} is missing"):
            continue
        report.equal(described[name].index_type, kind, f"{name}: kind")
        report.equal([name.removesuffix("_idx")], list(described[name].field_names), f"{name}: columns")
        report.equal(described[name].num_rows_indexed, total, f"{name}: rows described as indexed")
        stats = covers(report, native, name, total)
        if kind == "Inverted":
            report.equal(described[name].details.get("with_position"), True, f"{name}: with_position")
            report.expect(sum(part.get("num_docs", 0) for part in stats["indices"]) > 0, f"{name}: no documents in it")
    usable = rows.members - rows.without_vector
    if options.no_index or usable == 0:
        report.expect("vector_idx" not in described, "there is a vector index, but there should be none")
        return VectorIndex()
    if not report.expect("vector_idx" in described, "vector_idx is missing"):
        return VectorIndex()
    return _vector(report, native, rows, options, total)


def _vector(report, native, rows, options, total):
    stats = covers(report, native, "vector_idx", total)
    part = stats["indices"][0]
    index = VectorIndex(stats["index_type"], str(part["metric_type"]).lower(), part["num_partitions"])
    report.equal(len(stats["indices"]), 1, "vector_idx: segments")
    if options.metric:
        report.equal(index.metric, options.metric, "vector_idx: metric")
    usable = ~np.isnan(rows.vectors).any(axis=1)
    zero = (rows.vectors[usable] == 0).all(axis=1).sum()
    held = sum(p["size"] for p in part["partitions"])
    low = usable.sum() - (zero if index.metric == "cosine" else 0)
    report.expect(low <= held <= usable.sum(), f"vector_idx holds {held} vectors, {usable.sum()} rows have one")
    report.note(f"{index.kind}, {index.metric}, {index.partitions} partitions, {held} vectors")
    return index
