"""The rarer days: several collections, namespaces, other vectors, rejects, duplicates, other indices, wrong options.

The usual ones are in check_days.py.
"""

import lance

import days
import made_up

SYNC = ("--upsert", "--delete-missing")


def two_collections(table, program, one, two, base):
    """Rows of a collection that the dump does not hold are nobody's to delete."""
    other = made_up.jsonl(program.scratch / "notes.jsonl", made_up.records(0, 50, variant=5))
    out = days.copied(base, program.scratch / "collections.lance")
    table.check("--upsert of another collection", program.convert(other, out, *SYNC), status=0, added=50, changed=0, removed=0, dataset_version=2)
    table.clean("verify of both", program.verify(out, [one, other]), verified=2050)
    answer = program.convert(two, out, *SYNC)
    table.check("--upsert --delete-missing of the first", answer, status=0, added=100, changed=100, removed=100, dataset_version=3)
    table.clean("verify of both", program.verify(out, [two, other]), verified=2050)
    table.clean("verify of the other one alone", program.verify(out, other), verified=50)
    made_up.jsonl(other, made_up.records(40, 20, variant=5))
    answer = program.convert([two, other], out, *SYNC)
    table.check("--upsert --delete-missing of both", answer, status=0, added=10, changed=0, removed=40, dataset_version=4)
    table.clean("verify of both", program.verify(out, [two, other]), verified=2020)
    table.check("tags", answer, days.history(out, 4, {"day-1": 1, "notes.jsonl": 2, "day-2": 3, "day-2-and-1-more": 4}))
    table.check("indices cover every row", answer, days.uncovered(out))
    headers = lance.dataset(str(out)).count_rows("record_type = 'collection_header'")
    table.check("one header a collection", answer, [] if headers == 2 else [f"{headers} headers"])


def namespaces(table, program, one, two, base):
    folder = program.scratch / "spaces"

    def pinecone(name, items):
        lines = [{"id": str(r["id"]), "values": r["vector"], "metadata": {"text": r["payload"]["text"], "n": r["id"]}} for r in items]
        return made_up.jsonl(folder / name / "0.jsonl", lines)

    for name in ("a", "b"):
        pinecone(name, made_up.records(0, 30, variant=ord(name)))
    out = program.made(folder, program.scratch / "spaces.lance")
    pinecone("a", made_up.records(10, 30, variant=ord("a")))
    (folder / "b" / "0.jsonl").unlink()
    (folder / "b").rmdir()
    answer = program.convert(folder, out, *SYNC)
    table.check("only one of two namespaces", answer, status=0, added=10, changed=0, unchanged=20, removed=10)
    rows = lance.dataset(str(out)).count_rows("record_type = 'document' and array_has(custom_metadata, named_struct('key','namespace','value','b'))")
    table.check("the other one stays", answer, [] if rows == 30 else [f"{rows} rows of it"])
    table.clean("verify", program.verify(out, folder), verified=30)
    pinecone("c", made_up.records(0, 5, variant=3))
    table.check("a third namespace", program.convert(folder, out, *SYNC), status=0, added=5, changed=0, unchanged=30, removed=0)
    pinecone("b", made_up.records(0, 30, variant=ord("b")))
    answer = program.convert(folder, out, *SYNC)
    table.check("the second one again, unchanged", answer, status=0, added=0, changed=0, unchanged=65, removed=0, dataset_version=3)
    table.clean("verify of all", program.verify(out, folder), verified=65)


def new_vectors(table, program, one, two, base):
    """Named vectors that only day 2 has: two columns more, and none of the old rows written again."""
    items = [r | {"vector": {"default": r["vector"], "late": r["vector"][:8], "words": {"indices": [1, r["id"] + 2], "values": [0.5, 1.5]},
                             "many": [r["vector"][:4], r["vector"][4:8]]}} if r["id"] % 100 == 0 else r for r in days.first()]
    dump = days.written(program.scratch / "named", items)
    out = days.copied(base, program.scratch / "named.lance")
    answer = program.convert(dump, out, *SYNC)
    table.check("20 records get named, sparse and multi-vectors", answer, status=0, added=0, changed=20, unchanged=1980, removed=0, dataset_version=2)
    dataset = lance.dataset(str(out))
    columns = [n for n in ("x_vector_late", "x_sparse_words", "x_vector_many") if n in dataset.schema.names]
    filled = [dataset.count_rows(f"{n} IS NOT NULL") for n in columns]
    table.check("a column for each, with 20 values", answer, [] if filled == [20, 20, 20] else [f"{columns}: {filled}"])
    table.clean("verify", program.verify(out, dump), verified=2000)
    fresh = program.made(dump, program.scratch / "named-fresh.lance")
    table.clean("a fresh conversion", program.verify(fresh, dump), dataset_digest=program.verify(out, dump).dataset_digest)
    table.check("one version", answer, days.history(out, 2, {"day-1": 1, "named": 2}))
    table.check("indices cover every row", answer, days.uncovered(out))
    past = lance.dataset(str(out), version=1).schema.names
    table.check("day 1 does not have the columns", answer, [] if "x_vector_late" not in past else ["it has"])
    back = program.convert(one, out, *SYNC)
    table.check("and without them again", back, status=0, changed=20, unchanged=1980, added=0, removed=0)
    table.clean("verify", program.verify(out, one), verified=2000)


def rejects(table, program, one, two, base):
    """A record that is refused today is not a record that is gone."""
    def spoiled(record):
        kinds = [record | {"vector": [1.0]}, record | {"vector": [None] * made_up.DIMENSION}, record | {"payload": "text"}]
        return kinds[record["id"] % 3]

    items = [spoiled(r) if r["id"] in (3, 4, 5) else r for r in days.first()[:1990]]
    dump = days.written(program.scratch / "spoiled", items)
    out = days.copied(base, program.scratch / "spoiled.lance")
    answer = program.convert(dump, out, *SYNC)
    kept = [i for i in ("3", "4", "5") if i in days.ids(out)]
    wrong = [] if kept == ["3", "4", "5"] else [f"of 3, 4, 5 only {kept} stay"]
    table.check("three records are refused, ten are gone", answer, wrong, status=1, removed=10, rejected=3, unchanged=1987)
    rows = lance.dataset(str(out)).to_table(columns=["x_original_id", "text_content", "vector"], filter="x_original_id IN ('3', '4', '5')").to_pylist()
    same = all(r["vector"] == made_up.vector(made_up.record(int(r["x_original_id"]))).tolist() for r in rows)
    table.check("they are as they were", answer, [] if same and len(rows) == 3 else [f"{len(rows)} rows, same: {same}"])
    broken = [made_up.text(r)[:-20] if r["id"] == 7 else r for r in days.first()[:1990]]
    out = days.copied(base, program.scratch / "broken.lance")
    answer = program.convert(days.written(program.scratch / "broken", broken), out, *SYNC)
    there = len(days.ids(out))
    wrong = [] if "7" in days.ids(out) else [f"record 7, whose line is broken, was deleted; {there} rows"]
    table.check("a broken line, of which nobody knows the id", answer, wrong, status=1)
    stopped = program.convert(dump, days.copied(base, program.scratch / "stopped.lance"), *SYNC, "--max-rejects", "1")
    version = lance.dataset(str(program.scratch / "stopped.lance")).version
    table.check("--max-rejects 1: nothing happens", stopped, [] if version == 1 else [f"version {version}"], status=2)


def duplicates(table, program, one, two, base):
    items = [*days.first(), made_up.record(3, variant=9), made_up.record(4), made_up.record(5, variant=8), made_up.record(5)]
    dump = days.written(program.scratch / "twice", items, endings=("jsonl",))
    for rule, changed, status in (("last", 1, 0), ("first", 0, 0), ("reject", 0, 1), (None, 1, 1)):
        out = days.copied(base, program.scratch / f"twice-{rule}.lance")
        flags = ["--on-duplicate", rule] if rule else []
        answer = program.convert(dump, out, *SYNC, *flags)
        table.check(f"ids twice, {' '.join(flags) or 'no rule'}", answer, status=status, added=0, changed=changed, unchanged=2000 - changed, removed=0)
        table.clean("  verify", program.verify(out, dump, *flags), verified=2000)


def other_indices(table, program, one, two, base):
    for kind in ("ivf_pq", "ivf_hnsw_sq", "no_vector", "none"):
        out = program.made(one, program.scratch / f"index-{kind}.lance", "--index", kind, "--metric", "l2")
        before = {i.name for i in lance.dataset(str(out)).describe_indices()}
        answer = program.convert(two, out, *SYNC)
        dataset = lance.dataset(str(out))
        after = {i.name: dataset.stats.index_stats(i.name) for i in dataset.describe_indices()}
        wrong = [f"{name} does not cover {s['num_unindexed_rows']} rows" for name, s in after.items() if s["num_unindexed_rows"]]
        wrong += [f"indices {sorted(before ^ set(after))} came or went"] if before != set(after) else []
        if "vector_idx" in after:
            part = after["vector_idx"]["indices"][0]
            met = (after["vector_idx"]["index_type"], part["metric_type"].lower())
            wrong += [] if met == (kind.upper(), "l2") else [f"the vector index is {met}"]
            asked = [{"column": "vector", "q": made_up.vector(made_up.record(n)), "k": 1, "nprobes": 20, "refine_factor": 10} for n in days.NEW[:20]]
            near = [dataset.to_table(columns=["x_original_id", "_distance"], nearest=question) for question in asked]
            hits = sum(t["x_original_id"][0].as_py() == str(n) for t, n in zip(near, days.NEW))
            wrong += [] if hits >= 19 else [f"{hits} of 20 new records are their own nearest neighbour"]
        table.check(f"--index {kind}", answer, wrong, status=0, added=100, changed=100, removed=100)
        table.clean("  verify", program.verify(out, two), verified=2000)


def empty_days(table, program, one, two, base):
    """A day without a record, and a day that is another dump altogether."""
    out = days.copied(base, program.scratch / "empty.lance")
    before = days.files(out)
    empty = made_up.packed(program.scratch / "nothing" / "points-000.jsonl", b"")
    answer = program.convert(empty.parent, out, *SYNC, "--from", "qdrant")
    table.check("an empty export does not empty the dataset unasked", answer, [] if days.files(out) == before and answer.status else ["it did, or status 0"])
    narrow = days.written(program.scratch / "narrow", [r | {"vector": r["vector"][:16]} for r in days.first()])
    answer = program.convert(narrow, out, *SYNC)
    table.check("vectors of another dimension", answer, [] if answer.status in (1, 2) and days.files(out) == before else ["the dataset changed, or status 0"])


def other_options(table, program, one, two, base):
    """Options of which the dataset remembers others: refused, or done so that the dataset is in itself consistent."""
    for flags in (["--metric", "l2"], ["--index", "ivf_pq"], ["--index", "none"], ["--member-relationship", "reference"], ["--text-fields", "title"],
                  ["--compression", "zstd"], ["--on-duplicate", "first"]):
        out = days.copied(base, program.scratch / f"other-{'-'.join(flags).strip('-')}.lance")
        before = days.files(out)
        answer = program.convert(two, out, *SYNC, *flags)
        name = " ".join(flags)
        if answer.status == 2:
            table.check(f"{name}: refused", answer, [] if days.files(out) == before else ["but the dataset changed"])
            continue
        table.check(f"{name}: taken", answer, status=0, added=100, removed=100)
        table.clean("  verify", program.verify(out, two), verified=2000)
        table.check("  the same again", program.convert(two, out, *SYNC, *flags), status=0, changed=0, unchanged=2000, dataset_version=2)


def wrong_options(table, program, one, two, base):
    before = days.files(base)
    for flags in (["--delete-missing"], ["--append", "--upsert"], ["--append", "--delete-missing"], ["--upsert", "--overwrite"]):
        out = days.copied(base, program.scratch / f"wrong{''.join(flags)}.lance")
        answer = program.convert(two, out, *flags)
        table.check(" ".join(flags), answer, [] if days.files(out) == before else ["the dataset changed"], status=2)
    for flag in ("--upsert", "--append"):
        absent = program.scratch / "absent.lance"
        table.check(f"{flag} without a dataset", program.convert(two, absent, flag), [] if not absent.exists() else ["one was made"], status=2)
    left = [p.name for p in program.scratch.iterdir() if "partial" in p.name or "journal" in p.name]
    table.check("nothing unfinished lies about", program.verify(base, one), [f"{left}"] if left else [], status=0)


CHECKS = [two_collections, namespaces, new_vectors, rejects, duplicates, other_indices, other_options, empty_days, wrong_options]
