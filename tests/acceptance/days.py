"""Exports of two days, made up, and what a dataset's history shows of them. Which command must do what stands in check_days.py."""

import hashlib
import random
import shutil
from pathlib import Path

import lance
from contextframe.frame import FrameDataset

import made_up

ROWS, PART = 2000, 100
# By number: days share 0 … 1899; of those every 19th has changed.
CHANGED = list(range(0, 1900, 19))
GONE = list(range(1900, 2000))
NEW = list(range(2000, 2100))


def changed(number):
    """Half of the changed records have another vector, half another payload."""
    if number % 2:
        return made_up.record(number, variant=1)
    return made_up.record(number, text=f"altered{number} and some text that is found again")


def first():
    return made_up.records(0, ROWS)


def second():
    """5 % changed, 5 % new, 5 % gone, and all in another order."""
    items = [changed(n) if n in set(CHANGED) else made_up.record(n) for n in range(1900)] + made_up.records(2000, 100)
    random.Random(2).shuffle(items)
    return items


def written(folder, items, name="points", endings=("jsonl", "jsonl.zst")):
    """A folder of shards; its name becomes the tag, the shards' name the collection."""
    for old in folder.glob("*"):
        old.unlink()
    step = -(-len(items) // len(endings))
    for number, ending in enumerate(endings):
        made_up.jsonl(folder / f"{name}-{number:03}.{ending}", items[number * step : (number + 1) * step])
    return folder


def copied(path, to):
    """A copy of a dataset with its report."""
    shutil.copytree(path, to)
    report = path.with_name(path.name.replace(".lance", ".report.json"))
    shutil.copy(report, to.with_name(to.name.replace(".lance", ".report.json")))
    return to


def files(path):
    """Every file of the dataset with its checksum."""
    return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(Path(path).rglob("*")) if f.is_file()}


def data_files(dataset):
    """Data file -> physical rows of its fragment."""
    return {d.path: f.physical_rows for f in dataset.get_fragments() for d in f.data_files()}


def ids(path, version=None, **filters):
    table = lance.dataset(str(path), version=version).to_table(columns=["x_original_id"], **filters)
    return [i for i in table["x_original_id"].to_pylist() if i is not None]


def history(path, versions, tags):
    """What is wrong with the versions and tags; `tags` maps each to its version."""
    dataset = lance.dataset(str(path))
    wrong = []
    met = [v["version"] for v in dataset.versions()]
    if met != list(range(1, versions + 1)):
        wrong.append(f"versions {met}, expected 1 to {versions}")
    named = {name: tag["version"] for name, tag in dataset.tags.list().items()}
    if named != tags:
        wrong.append(f"tags {named}, expected {tags}")
    frames = FrameDataset.open(path)
    if frames.versions()[-1] != versions:
        wrong.append(f"FrameDataset.versions() {frames.versions()}")
    listed = [entry.get("version") for entry in frames.get_version_history()]
    if sorted(listed) != list(range(1, versions + 1)):
        wrong.append(f"get_version_history() lists {listed}")
    dataset.validate()
    return wrong


def uncovered(path, version=None):
    """Indices that miss rows, or are missing."""
    dataset = lance.dataset(str(path), version=version)
    described = {index.name for index in dataset.describe_indices()}
    wrong = [] if len(described) == 17 else [f"{len(described)} indices, expected 17"]
    for name in described:
        stats = dataset.stats.index_stats(name)
        if stats["num_unindexed_rows"] or stats["num_unindexed_fragments"]:
            wrong.append(f"{name} does not cover {stats['num_unindexed_rows']} rows, {stats['num_unindexed_fragments']} fragments")
    return wrong


def found(path, item):
    """Whether ContextFrame finds the record by vector, by text, and by id, with this vector and text."""
    frames = FrameDataset.open(path)
    word, identity = item["payload"]["text"].split(" ")[0], str(item["id"])
    near = frames.knn_search(made_up.vector(item), k=1)
    text = frames.full_text_search(word, k=5)
    rows = frames.scanner(filter=f"x_original_id = '{identity}'", columns=["text_content", "vector"]).to_table().to_pylist()
    by_id = [r for r in rows if r["text_content"] == item["payload"]["text"] and made_up.vector(item).tolist() == r["vector"]]
    return [bool(near) and near[0].metadata["x_original_id"] == identity and (near[0].vector == made_up.vector(item)).all(),
            identity in [r.metadata["x_original_id"] for r in text], len(by_id) == 1 and len(rows) == 1]


def searches(path, there, gone):
    """Records that must be found in all ways, and records that must be found in none."""
    wrong = [f"record {item['id']}: found by (vector, text, id) {got}" for item in there if not all(got := found(path, item))]
    return wrong + [f"record {item['id']} that is gone: found by (vector, text, id) {got}" for item in gone if any(got := found(path, item))]
