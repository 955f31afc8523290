"""`verify` of several dumps, of one of several, of namespaces, snapshots, duplicates and rejects: what is said, and what is only a note."""

import hashlib
import json
import shutil

import made_up


def check(table, program, fixtures):
    several(table, program, fixtures)
    namespaces(table, program, fixtures)
    duplicates(table, program)
    rejects(table, program)
    snapshot(table, program)


def elsewhere(table, case, answer, rows, **wanted):
    """Clean, and a note says that so many rows belong to other collections."""
    noted = [n for n in answer.notes or [] if n.startswith(f"rows of collections or namespaces that these dumps do not hold: {rows};")]
    table.check(case, answer, [] if answer.clean and noted else ["not clean, or no note"], **wanted)


def several(table, program, fixtures):
    qdrant, chroma = fixtures / "qdrant/good", fixtures / "chroma/good"
    dumps = [qdrant / "points-small.jsonl", qdrant / "points_http-small.jsonl", chroma / "collection_gaps-small.jsonl"]
    out = program.made(dumps, program.scratch / "several.lance")
    table.clean("three dumps of two databases in one dataset", program.verify(out, dumps), verified=78, read=78, written=78)
    table.clean("in another order", program.verify(out, dumps[::-1]), verified=78)
    for dump, rows, others in zip(dumps, (24, 24, 30), (54, 54, 48)):
        elsewhere(table, f"only {dump.name}", program.verify(out, dump), others, verified=rows, read=rows)
    elsewhere(table, "two of the three", program.verify(out, dumps[:2]), 30, verified=48)
    same = [qdrant / "points-shards" / f"points-00{n}.jsonl{end}" for n, end in enumerate(("", ".zst", ".gz"))]
    out = program.made(same, program.scratch / "shards.lance")
    table.clean("shards given one by one", program.verify(out, same), verified=24)
    table.clean("and as a folder", program.verify(out, qdrant / "points-shards"), verified=24)
    answer = program.verify(out, same[:2])
    rows = 24 - answer.read
    table.check("a shard left out", answer, [] if rows > 0 and answer.unexpected == rows else [f"{answer.unexpected} unexpected, expected {rows}"], status=1, missing=0)
    answer = program.verify(out, qdrant / "points.jsonl.zst")
    table.check("a dump with more records", answer, status=1, missing=276, verified=24, unexpected=0)
    answer = program.verify(out, qdrant / "points_http-small.jsonl")
    table.check("a dump that the dataset does not hold", answer, status=1, missing=24, verified=0)


def namespaces(table, program, fixtures):
    folder = program.scratch / "names"
    lines = (fixtures / "pinecone/good/index-small.jsonl").read_bytes().splitlines()
    parts = {"a": lines[:10], "b": lines[:10], "c d": lines[10:]}
    for name, some in parts.items():
        made_up.packed(folder / name / "0.jsonl", b"\n".join(some) + b"\n")
    made_up.packed(folder / "0.jsonl", b"\n".join(lines[:2]) + b"\n")
    out = program.made(folder, program.scratch / "names.lance")
    answer = program.verify(out, folder)
    groups = {g["namespace"]: (g["read"], g["expected"], g["dataset"]) for g in answer.groups}
    want = {"": (2, 2, 2), "a": (10, 10, 10), "b": (10, 10, 10), "c d": (14, 14, 14)}
    table.clean("a folder with namespaces, the same ids in three of them", answer, verified=36)
    table.check("its counts by namespace", answer, [] if groups == want else [f"{groups}, expected {want}"])
    less = program.scratch / "less"
    shutil.copytree(folder, less)
    shutil.rmtree(less / "b")
    elsewhere(table, "a namespace left out", program.verify(out, less, "--collection", "names"), 10, verified=26)
    answer = program.verify(out, folder, "--collection", "other")
    table.check("the same under another collection", answer, status=1, missing=36, verified=0)
    made_up.packed(folder / "a" / "0.jsonl", b"\n".join([*parts["a"], lines[10]]) + b"\n")
    made_up.packed(folder / "c d" / "0.jsonl", b"\n".join(lines[11:]) + b"\n")
    answer = program.verify(out, folder)
    kinds = sorted(d["kind"] for d in answer.differences)
    table.check("a record in another namespace of the dump", answer, [] if kinds == ["missing", "unexpected"] else [f"{kinds}"], status=1, missing=1, unexpected=1)


def duplicates(table, program):
    """Record 3 stands at lines 4, 11 and 13, each time with another vector; record 5 is there again as it was."""
    items = [*made_up.records(0, 10), made_up.record(3, variant=1), made_up.record(5), made_up.record(3, variant=2)]
    dump = made_up.jsonl(program.scratch / "twice.jsonl", items)
    expected = {"": ("last", 1, 3, 0), "--on-duplicate last": ("last", 0, 3, 0), "--on-duplicate first": ("first", 0, 3, 0), "--on-duplicate reject": ("reject", 1, 0, 3)}
    for number, (flags, (rule, status, deduplicated, rejected)) in enumerate(expected.items()):
        made = program.convert(dump, program.scratch / f"twice-{number}.lance", *flags.split())
        table.check(f"convert {flags or 'with duplicates'}", made, status=status, deduplicated=deduplicated, rejected=rejected)
        out = program.scratch / f"twice-{number}.lance"
        table.clean("  verify as converted", program.verify(out, dump), verified=10, deduplicated=deduplicated, rejected=rejected)
        other = "first" if rule == "last" else "last"
        line = 4 if other == "first" else 13
        answer = program.verify(out, dump, "--on-duplicate", other)
        fields = [(d["kind"], d["id"], [f["field"].split("[")[0] for f in d["fields"]], f":{line} (" in d["place"]) for d in answer.differences]
        table.check(f"  verify --on-duplicate {other}", answer, [] if fields == [("different", "3", ["vector"], True)] else [f"{fields}"], status=1, different=1)
        sampled = program.verify(out, dump, "--sample", "100")
        table.check("  verify --sample 100", sampled, status=0, findings=[])
    two = [made_up.jsonl(program.scratch / "pair-1.jsonl", made_up.records(0, 10)), made_up.jsonl(program.scratch / "pair-2.jsonl", made_up.records(5, 10, variant=1))]
    out = program.made(two, program.scratch / "pair.lance", "--on-duplicate", "last")
    table.clean("two dumps that share five ids", program.verify(out, two), verified=15, deduplicated=5)
    table.check("the two in the other order", program.verify(out, two[::-1]), status=1, different=5)


def rejects(table, program):
    good = made_up.records(0, 20)
    bad = ["{", '{"id":"x","vector":[1,2],"payload":{}}', '{"vector":[],"payload":{}}', '{"id":"y","vector":["a"],"payload":{}}', '{"id":"z","payload":{"a":1,"a":2}}']
    dump = made_up.jsonl(program.scratch / "rejects.jsonl", [*good[:7], *bad, *good[7:]])
    out = program.scratch / "rejects.lance"
    made = program.convert(dump, out)
    table.check("convert with rejects", made, status=1, rejected=5, written=20)
    answer = program.verify(out, dump)
    table.clean("verify with rejects in the dump", answer, read=25, rejected=5, verified=20)
    counts = [(g["read"], g["rejected"], g["expected"]) for g in answer.groups]
    table.check("their counts", answer, [] if counts == [(25, 5, 20)] else [f"{counts}"])
    table.check("--sample 50 with rejects", program.verify(out, dump, "--sample", "50"), status=0, findings=[])


def snapshot(table, program):
    """A folder with a manifest, and the same with a manifest that promises more."""
    folder = program.scratch / "snapshot"
    parts = [made_up.jsonl(folder / f"points-{n:05}.jsonl.zst", made_up.records(n * 50, 50)) for n in range(2)]
    manifest = {"format": "vec2lance-snapshot", "version": 1, "source": "qdrant", "collections": [{
        "name": "renamed", "count": 100, "metric": "Euclid",
        "parts": [{"path": p.name, "rows": 50, "bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in parts]}]}
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    out = program.made(folder, program.scratch / "snapshot.lance")
    answer = program.verify(out, folder)
    promised = [(g["collection"], g["manifest"]) for g in answer.groups]
    table.clean("a snapshot with a manifest", answer, verified=100)
    table.check("its promise", answer, [] if promised == [("renamed", 100)] else [f"{promised}"])
    entry = manifest["collections"][0]
    entry["count"], entry["parts"][1]["rows"] = 101, 51
    path.write_text(json.dumps(manifest))
    answer = program.verify(out, folder)
    said = [f for f in answer.findings or [] if "101" in f and "manifest" in f]
    table.check("a manifest that promises another record", answer, [] if said else ["no finding says so"], status=1, verified=100)
