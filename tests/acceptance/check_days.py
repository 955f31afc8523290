"""Holds `convert --append` and `--upsert` to their word over two days' exports: counts, versions, files, indices, searches.

    python tests/acceptance/check_days.py BINARY

Prints one row a case and ends with status 1 if one is not as expected. What `verify` finds is checked by check_verify.py, which
this one relies on.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import lance  # noqa: E402
from contextframe.frame import FrameDataset, FrameRecord  # noqa: E402

import days  # noqa: E402
import days_more  # noqa: E402
import made_up  # noqa: E402
from days import CHANGED, GONE, NEW, ROWS  # noqa: E402
from verify_tool import Program, Table  # noqa: E402

SYNC = ("--upsert", "--delete-missing")


def counts(added=0, changed=0, unchanged=0, removed=0):
    return {"added": added, "changed": changed, "unchanged": unchanged, "removed": removed}


def prepare(program):
    folder = program.scratch
    one, two = days.written(folder / "day-1", days.first()), days.written(folder / "day-2", days.second())
    return one, two, program.made(one, folder / "base.lance")


def sync(table, program, one, two, base):
    """Day 2 as a full re-export."""
    out = days.copied(base, program.scratch / "sync.lance")
    before = days.files(out)
    answer = program.convert(two, out, *SYNC)
    table.check("--upsert --delete-missing of day 2", answer, status=0, tag="day-2", dataset_version=2, read=2000, rejected=0,
                rows_before=2000, written=2000, **counts(100, 100, 1800, 100))
    report = json.loads((program.scratch / "sync.report.json").read_text())
    table.check("OUT.report.json says the same", answer, [k for k in answer.report if report.get(k) != answer.report[k]])
    verified = program.verify(out, two)
    table.clean("verify against day 2", verified, verified=2000)
    fresh = program.made(two, program.scratch / "fresh.lance")
    table.clean("a fresh conversion of day 2", program.verify(fresh, two), dataset_digest=verified.dataset_digest)
    table.check("verify against day 1", program.verify(out, one), status=1, missing=100, unexpected=100, different=100)
    table.check("one version a run, and tags", answer, days.history(out, 2, {"day-1": 1, "day-2": 2}))
    old, new = lance.dataset(str(out), version=1), lance.dataset(str(out))
    kept = days.data_files(old)
    written = {path: rows for path, rows in days.data_files(new).items() if path not in kept}
    gone = set(kept) - set(days.data_files(new)) - header_files(old)
    wrong = [f"data files of version 1 that are no longer referenced: {gone}"] if gone else []
    wrong += [f"{path} was changed" for path, sum_ in before.items() if path.startswith("data/") and days.files(out).get(path) != sum_]
    table.check("data files of version 1 are still in use", answer, wrong)
    rows = {row for path in written for row in rows_of(new, path)}
    want = {str(n) for n in [*CHANGED, *NEW]} | {None}
    total = sum(written.values())
    wrong = [] if rows == want and total == 201 else [f"{total} rows in new files; not as wanted: {sorted(map(str, rows ^ want))[:5]}"]
    table.check("new data files hold the 200 rows and the header", answer, wrong)
    table.check("indices cover every row", answer, days.uncovered(out))
    past = days.ids(out, version=1)
    table.check("checkout of day 1 has day 1's rows", answer, [] if sorted(past, key=int) == [str(n) for n in range(ROWS)] else [f"{len(past)} rows"])
    wrong = [f"{number}: another text or vector" for number in CHANGED[:6] if not as_it_was(out, number)]
    table.check("and their old content, through ContextFrame", answer, wrong)
    there = [days.changed(CHANGED[0]), days.changed(CHANGED[1]), made_up.record(NEW[0]), made_up.record(NEW[-1]), made_up.record(1), made_up.record(1899)]
    gone = [made_up.record(GONE[0]), made_up.record(GONE[-1])]
    table.check("ContextFrame finds what is new and changed, and not what is gone", answer, days.searches(out, there, gone))
    altered = FrameDataset.open(out).full_text_search(f"word{CHANGED[0]}", k=5)
    table.check("nor a changed record by its old text", answer, [] if not altered else [f"found {[r.metadata['x_original_id'] for r in altered]}"])
    past = FrameDataset.open(out).checkout(1)
    wrong = [] if past.full_text_search(f"word{GONE[0]}", k=5) else ["not by text"]
    near = past.knn_search(made_up.vector(made_up.record(GONE[1])), k=1)
    wrong += [] if near and near[0].metadata["x_original_id"] == str(GONE[1]) else ["not by vector"]
    wrong += [f"an index of version 1: {problem}" for problem in days.uncovered(out, 1)]
    table.check("a search in the checkout of day 1 finds what is gone today", answer, wrong)
    nothing(table, program, two, out)


def header_files(dataset):
    """Data files whose only row is a header: that row is written anew with its counts."""
    return {path for path, rows in days.data_files(dataset).items() if rows == 1 and rows_of(dataset, path) == {None}}


def rows_of(dataset, path):
    """Ids of the rows in that data file that are still there."""
    fragment = next(f for f in dataset.get_fragments() if path in [d.path for d in f.data_files()])
    return set(fragment.to_table(columns=["x_original_id"])["x_original_id"].to_pylist())


def as_it_was(out, number):
    item = made_up.record(number)
    rows = FrameDataset.open(out).checkout(1).scanner(filter=f"x_original_id = '{number}'", columns=["text_content", "vector"]).to_table().to_pylist()
    return len(rows) == 1 and rows[0]["text_content"] == item["payload"]["text"] and rows[0]["vector"] == made_up.vector(item).tolist()


def nothing(table, program, two, out):
    """The same again, and the same records in other ways."""
    before = days.files(out)
    ways = {"the same command again": two,
            "the same records in another order and encoding": days.written(program.scratch / "again", sorted(days.second(), key=lambda r: r["id"]), endings=("jsonl.gz",) * 3),
            "the same records, written with white space": made_up.array(program.scratch / "indented" / "points.json", days.second(), 1),
            "the same records, keys in another order": made_up.jsonl(program.scratch / "keys" / "points.jsonl", [
                dict(reversed(r.items())) | {"payload": dict(reversed(r["payload"].items())), "id": str(r["id"])} for r in days.second()])}
    for name, dump in ways.items():
        unchanged(table, name, program.convert(dump, out, *SYNC), out, before)
    table.clean("and verify is clean", program.verify(out, two))
    # As protobuf's maps and some languages' dictionaries come: in no order, at every depth.
    turned = made_up.jsonl(program.scratch / "turned" / "points.jsonl", map(made_up.turned, days.second()))
    unchanged(table, "the same records, keys in another order at every depth", program.convert(turned, out, *SYNC), out, before)


def unchanged(table, name, answer, out, before):
    wrong = [] if any("nothing has changed" in n for n in answer.notes or []) else ["it does not say that nothing has changed"]
    after = days.files(out)
    wrong += [f"{len(set(before.items()) ^ set(after.items()))} files of the dataset came, went or changed"] if after != before else []
    table.check(f"{name}: nothing changes", answer, wrong, status=0, dataset_version=2, **counts(unchanged=2000))


def append(table, program, one, two, base):
    out = days.copied(base, program.scratch / "append.lance")
    answer = program.convert(two, out, "--append")
    table.check("--append of day 2", answer, status=0, dataset_version=2, tag="day-2", read=2000, rows_before=2000, added=100, changed=0, removed=0)
    rows = days.ids(out)
    table.check("2,100 rows, each once", answer, [] if len(rows) == len(set(rows)) == 2100 else [f"{len(rows)} rows, {len(set(rows))} ids"])
    table.check("one version, and tags", answer, days.history(out, 2, {"day-1": 1, "day-2": 2}))
    verified = program.verify(out, two)
    table.check("verify: changed ones are as they were, gone ones still there", verified, status=1, different=100, unexpected=100, missing=0)
    both = [*days.first(), *(made_up.record(n) for n in NEW)]
    table.clean("verify against day 1 and what is new", program.verify(out, days.written(program.scratch / "both", both)), verified=2100)
    table.check("indices cover every row", answer, days.uncovered(out))
    table.check("ContextFrame finds new and old ones", answer, days.searches(out, [made_up.record(NEW[5]), made_up.record(CHANGED[0]), made_up.record(GONE[0])], []))
    again = program.convert(two, out, "--append")
    table.check("again: nothing", again, status=0, dataset_version=2, added=0, changed=0, removed=0)


def upsert(table, program, one, two, base):
    out = days.copied(base, program.scratch / "upsert.lance")
    answer = program.convert(two, out, "--upsert")
    table.check("--upsert of day 2", answer, status=0, dataset_version=2, read=2000, **counts(100, 100, 1800, 0))
    table.check("verify against day 2: those that are gone are still there", program.verify(out, two), status=1, unexpected=100, different=0, missing=0)
    table.check("indices cover every row", answer, days.uncovered(out))
    third = days.written(program.scratch / "day-3", days.first()[:1500])
    answer = program.convert(third, out, *SYNC)
    back = sum(n < 1500 for n in CHANGED)
    table.check("day 3: back to a part of day 1", answer, status=0, dataset_version=3, written=1500, **counts(0, back, 1500 - back, 600))
    table.clean("verify against day 3", program.verify(out, third), verified=1500)
    table.check("three versions, three tags", answer, days.history(out, 3, {"day-1": 1, "day-2": 2, "day-3": 3}))
    table.check("indices cover every row", answer, days.uncovered(out))
    sizes = [len(days.ids(out, version=v)) for v in (1, 2, 3)]
    table.check("each version has its rows", answer, [] if sizes == [2000, 2100, 1500] else [f"{sizes}"])
    answer = program.convert(days.written(program.scratch / "day-2-again", days.second(), endings=("jsonl",)), out, *SYNC)
    table.check("day 4: day 2 again", answer, status=0, dataset_version=4, tag="day-2-again", added=400 + 100, removed=0)
    table.clean("verify against it", program.verify(out, two), verified=2000)


def foreign(table, program, one, two, base):
    """Rows that a user of ContextFrame has added or changed."""
    out = days.copied(base, program.scratch / "foreign.lance")
    frames = FrameDataset.open(out)
    frames.add(FrameRecord("zyzzyva of my own", {"title": "mine"}, vector=made_up.vector(made_up.record(9999)), embed_dim=made_up.DIMENSION))
    lance.dataset(str(out)).update({"title": "'changed here'"}, where="x_original_id IN ('1', '2')")
    version = lance.dataset(str(out)).version
    answer = program.convert(two, out, *SYNC)
    table.check("a dataset that ContextFrame has written to", answer, status=0, dataset_version=version + 1, **counts(100, 102, 1798, 100))
    mine = FrameDataset.open(out).full_text_search("zyzzyva", k=3)
    table.check("indices cover every row", answer, days.uncovered(out))
    table.check("its own record stays", answer, [] if [r.title for r in mine] == ["mine"] else [f"{[r.title for r in mine]}"])
    table.check("verify against day 2", program.verify(out, two), status=0, verified=2000)
    FrameDataset.open(out).compact_files()
    version = lance.dataset(str(out)).version
    answer = program.convert(one, out, *SYNC)
    table.check("and one that ContextFrame has compacted", answer, status=0, dataset_version=version + 1, **counts(100, 100, 1800, 100))
    table.check("verify against day 1", program.verify(out, one), status=0, verified=2000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", help="the program")
    parser.add_argument("--only", default="", help="groups whose name contains this")
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="check-days-") as scratch:
        program = Program(options.binary, scratch)
        prepared = prepare(program)
        for check in [sync, append, upsert, foreign, *days_more.CHECKS]:
            if options.only in check.__name__:
                table.group(check.__name__.replace("_", " "), check, program, *prepared)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
