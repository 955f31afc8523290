"""Three sources in one dataset, and a source with namespaces, as ContextFrame sees them: a header and its members for each.

    python tests/acceptance/check_several.py PROGRAM
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from contextframe.frame import FrameDataset

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
DUMPS = {"index-small": ("pinecone/good/index-small.jsonl", 24), "points-small": ("qdrant/good/points-small.jsonl", 24),
         "collection_gaps-small": ("chroma/good/collection_gaps-small.jsonl", 30)}


def pairs(record):
    return record.metadata["custom_metadata"]


def sources(program, folder):
    out = folder / "three.lance"
    subprocess.run([program, "convert", *(FIXTURES / dump for dump, _ in DUMPS.values()), out], check=True, stdout=subprocess.DEVNULL)
    dataset = FrameDataset.open(out)
    for name, (dump, count) in DUMPS.items():
        header = dataset.get_collection_header(name)
        members = dataset.get_collection_members(name)
        assert len(members) == count, f"{name}: {len(members)} members"
        assert pairs(header)["collection_member_count"] == str(count), pairs(header)
        assert pairs(header)["source_type"] == dump.split("/")[0] and pairs(header)["source_name"] == Path(dump).name, pairs(header)
        assert {m.metadata["collection_id"] for m in members} == {header.uuid}
        assert len(dataset.find_related_to(header.uuid, relationship_type="member_of")) == count
    assert dataset.count_by_filter("record_type = 'document'") == sum(count for _, count in DUMPS.values())


def namespaces(program, folder):
    lines = (FIXTURES / "pinecone/good/index-small.jsonl").read_text().splitlines(keepends=True)
    spaces = {"a": lines[:10], "b": lines[:10], "": lines[10:]}
    for name, some in spaces.items():
        (folder / "index" / name).mkdir(parents=True, exist_ok=True)
        (folder / "index" / name / "0.jsonl").write_text("".join(some))
    out = folder / "index.lance"
    subprocess.run([program, "convert", folder / "index", out], check=True, stdout=subprocess.DEVNULL)
    dataset = FrameDataset.open(out)
    whole = dataset.get_collection_header("index")
    assert len(dataset.get_collection_members("index")) == len(lines) + 10
    assert whole.metadata.get("collection_id") is None
    for name in ("a", "b"):
        header = dataset.get_collection_header(f"index/{name}")
        assert header.metadata["title"] == f"Collection: index/{name}" and header.metadata["collection_id"] == whole.uuid, header.metadata
        assert pairs(header)["collection_member_count"] == "10", pairs(header)
        members = dataset.find_related_to(header.uuid, relationship_type="member_of")
        assert len(members) == 10 and {m.metadata["x_namespace"] for m in members} == {name}
        assert {m.metadata["collection"] for m in members} == {"index"}
        assert dataset.count_by_filter(f"x_namespace = '{name}'") == 10
    assert dataset.count_by_filter("x_namespace IS NULL AND record_type = 'document'") == len(lines) - 10


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sources(sys.argv[1], Path(made))
        namespaces(sys.argv[1], Path(made))
