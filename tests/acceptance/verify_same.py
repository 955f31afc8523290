"""What must not change the answer of `verify`: threads, memory, encodings, shards, indices, compression; `--sample` and `--cosine`.

Damages are in damage.py.
"""

import json
import re

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import made_up
from verify_tool import side_by_side

ROWS = 3000


def check(table, program, fixtures):
    items = made_up.records(0, ROWS)
    digest = ways(table, program, items)
    encodings(table, program, items, digest)
    places(table, program, items[:30])
    datasets(table, program, items, digest)
    parquet(table, program, fixtures)
    sample(table, program, items)
    cosine(table, program, items)


def same(table, case, answer, digest, **wanted):
    table.clean(case, answer, dump_digest=digest, **wanted)


def ways(table, program, items):
    """One dump and one dataset, verified in different ways."""
    dump = made_up.jsonl(program.scratch / "same.jsonl", items)
    out = program.made(dump, program.scratch / "same.lance")
    first = program.verify(out, dump)
    table.clean(f"{ROWS} records", first, verified=ROWS)
    digest = first.digests[0]
    for flags in ("--threads 1", "--threads 2", "--threads 5", "--memory 128MiB", "--memory 4GiB", "--no-mmap", "--threads 5 --memory 128MiB --no-mmap"):
        same(table, f"verify {flags}", program.verify(out, dump, *flags.split()), digest)
    return digest


def encodings(table, program, items, digest):
    """The same dataset against the same records in another encoding."""
    folder, out = program.scratch / "encodings", program.scratch / "same.lance"
    dumps = {
        "zstd": made_up.jsonl(folder / "a.jsonl.zst", items),
        "gzip": made_up.jsonl(folder / "b.jsonl.gz", items),
        "a JSON array": made_up.array(folder / "c.json", items),
        "a JSON array, indented": made_up.array(folder / "d.json", items, 2),
        "an object with an array, in zstd": made_up.wrapped(folder / "e.json.zst", items),
        "5 shards of 3 encodings": made_up.shards(folder / "f", items, ["jsonl", "jsonl.gz", "jsonl.zst", "jsonl", "jsonl.gz"]),
        "shards in another order": [made_up.jsonl(folder / "g-1.jsonl", items[1000:]), made_up.jsonl(folder / "g-2.jsonl", items[:1000])],
        "ids as strings": made_up.jsonl(folder / "h.jsonl", [item | {"id": str(item["id"])} for item in items]),
        "every letter as an escape": made_up.jsonl(folder / "i.jsonl", [escaped(item) for item in items]),
        "keys in another order": made_up.jsonl(folder / "l.jsonl", [
            dict(reversed(item.items())) | {"payload": dict(reversed(item["payload"].items()))} for item in items]),
        "keys in another order at every depth": made_up.jsonl(folder / "j.jsonl", [made_up.turned(item) for item in items]),
        "a byte order mark and CR LF": made_up.packed(folder / "k.jsonl", b"\xef\xbb\xbf" + b"".join(made_up.text(i).encode() + b"\r\n" for i in items)),
    }
    # The name of the collection is part of each uuid.
    for name, answer in zip(dumps, side_by_side(lambda dump: program.verify(out, dump, "--collection", "same"), dumps.values())):
        same(table, f"verify against {name}", answer, digest)


def places(table, program, items):
    """The place of a record that differs, in every encoding: line and byte of its beginning, or its row."""
    folder = program.scratch / "places"
    bare = made_up.jsonl(folder / "a.jsonl", items)
    dumps = [bare, made_up.jsonl(folder / "b.jsonl.zst", items), made_up.array(folder / "c.json", items), made_up.array(folder / "d.json.gz", items, 2),
             made_up.wrapped(folder / "e.json", items), made_up.packed(folder / "f.jsonl", b"\xef\xbb\xbf\r\n\n" + bare.read_bytes().replace(b"\n", b"\r\n"))]
    out = program.made(bare, program.scratch / "places.lance", "--index", "none")
    lance.dataset(str(out)).update({"title": "'other'"}, where="x_original_id = '17'")
    for dump in dumps:
        plain = made_up.unpacked(dump)
        at = plain.rfind(b"{", 0, re.search(rb'"id": ?17,', plain).start())
        want = f"{dump.name}:{plain[:at].count(10) + 1} (byte {at})"
        answer = program.verify(out, dump, "--collection", "a")
        got = [d["place"] for d in answer.differences]
        table.check(f"the place in {dump.name}", answer, [] if len(got) == 1 and got[0].endswith(want) else [f"{got}, expected {want}"], status=1)
    rows = [{"id": str(r["id"]), "values": r["vector"], "metadata": made_up.text({"title": r["payload"]["title"]})} for r in items]
    dump = folder / "g.parquet"
    pq.write_table(pa.Table.from_pylist(rows), dump, row_group_size=7)
    out = program.made(dump, program.scratch / "places-g.lance", "--index", "none")
    lance.dataset(str(out)).update({"title": "'other'"}, where="x_original_id = '17'")
    answer = program.verify(out, dump)
    got = [d["place"] for d in answer.differences]
    table.check("the place in g.parquet", answer, [] if len(got) == 1 and got[0].endswith("g.parquet, row 18") else [f"{got}"], status=1)


def escaped(item):
    """Strings of the payload, keys apart, with every letter as an escape."""
    escape = lambda match: ':"' + "".join(f"\\u{ord(c):04x}" if c.isalpha() else c for c in match[1]) + '"'  # noqa: E731
    return re.sub(r':"([^"\\]*)"', escape, made_up.text(item))


def datasets(table, program, items, digest):
    """The same dump, converted in different ways."""
    dump = program.scratch / "same.jsonl"
    ways = ["--index none", "--index no_vector", "--index ivf_flat --partitions 8", "--index ivf_pq", "--index ivf_hnsw_sq", "--metric l2", "--metric dot",
            "--compression zstd", "--compression lz4", "--compression fsst", "--threads 1", "--memory 256MiB --no-mmap", "--member-relationship reference",
            "--on-duplicate first", "--text-fields title,text --collection same"]

    def one(item):
        number, flags = item
        return flags, program.verify(program.made(dump, program.scratch / f"way-{number}.lance", *flags.split()), dump)

    for flags, answer in side_by_side(one, enumerate(ways)):
        # Which field becomes the text decides about the content.
        same(table, f"convert {flags}", answer, answer.digests[0] if "text-fields" in flags else digest)


def parquet(table, program, fixtures):
    """Pinecone's two encodings of the same records."""
    good = fixtures / "pinecone/good"
    out = program.made(good / "index-small.jsonl", program.scratch / "index.lance", "--collection", "index")
    first = program.verify(out, good / "index-small.jsonl")
    table.clean("24 records of Pinecone", first)
    same(table, "verify against Parquet", program.verify(out, good / "index-small.parquet"), first.digests[0])
    packed = program.scratch / "again.parquet"
    pq.write_table(pq.read_table(good / "index-small.parquet"), packed, compression="zstd", row_group_size=5, use_dictionary=True)
    same(table, "verify against Parquet, other row groups, zstd", program.verify(out, packed), first.digests[0])
    hybrid = program.made(good / "index_hybrid-small.parquet", program.scratch / "hybrid.lance", "--collection", "index")
    second = program.verify(hybrid, good / "index_hybrid-small.parquet")
    table.clean("Parquet with sparse vectors", second)
    same(table, "and against the same as JSON lines", program.verify(hybrid, good / "index_sparse-small.jsonl"), second.digests[0])


def sample(table, program, items):
    out, dump = program.scratch / "same.lance", program.scratch / "same.jsonl"
    for flags in ("--sample 200", "--sample 1", "--sample 100000", "--sample 200 --threads 1 --no-mmap"):
        answer = program.verify(out, dump, *flags.split())
        table.check(f"verify {flags}", answer, status=0, findings=[], differences=[], dump_digest=None, dataset_digest=None,
                    verified=min(int(flags.split()[1]), ROWS) if "100000" in flags else answer.verified)
        if not 0 < answer.verified <= max(2 * int(flags.split()[1]), 10):
            table.row(f"verify {flags}: size", answer.status, f"{answer.verified} verified", ["far more or fewer records than asked for"])
    spoilt = program.made(dump, program.scratch / "spoilt.lance", "--index", "none")
    lance.dataset(str(spoilt)).update({"title": "'other'"}, where="position IS NULL AND x_original_id IN ('17', '2999')")
    lance.dataset(str(spoilt)).delete("x_original_id = '1500'")
    answer = program.verify(spoilt, dump, "--sample", "100000")
    table.check("--sample of everything finds what is wrong", answer, status=1, missing=1, different=2)


def cosine(table, program, items):
    """Vectors rounded to half precision are near enough; another vector is not."""
    def vectors(vector):
        return {"default": vector, "other": vector[:10], "many": [vector[:7], vector[7:14]]}

    some = [item | {"vector": vectors(item["vector"])} for item in items[:300]]
    some.append({"id": 300, "vector": {"default": None}, "payload": {"text": "no vector"}})
    dump = made_up.jsonl(program.scratch / "near.jsonl", some)
    out = program.made(dump, program.scratch / "near.lance", "--index", "none")
    half(out, ["vector", "x_vector_other"])
    plain = program.verify(out, dump)
    table.check("vectors rounded to half precision", plain, [] if plain.different == 300 else [f"{plain.different} different"], status=1)
    wrong = [] if plain.digests[0] != plain.digests[1] else ["equal digests"]
    near = program.verify(out, dump, "--cosine", "0.99")
    table.check("the same with --cosine 0.99", near, wrong, status=0, near=300, different=0, verified=301, findings=[])
    table.check("the same with --cosine 0.99 --list 0", program.verify(out, dump, "--cosine", "0.99", "--list", "0"), status=0, near=300)
    strict = program.verify(out, dump, "--cosine", "0.9999999999")
    table.check("the same with --cosine 0.9999999999", strict, [] if strict.different > 250 else [f"{strict.different} different"], status=1)
    sampled = program.verify(out, dump, "--cosine", "0.99", "--sample", "100")
    table.check("the same with --cosine 0.99 --sample 100", sampled, status=0, findings=[])
    dataset = lance.dataset(str(out))
    rows = {row["x_original_id"]: row for row in dataset.to_table(columns=["uuid", "x_original_id", "vector", "x_vector_other"]).to_pylist()}
    put(out, [rows["7"]["uuid"]], {"vector": [rows["8"]["vector"]], "x_vector_other": [rows["7"]["x_vector_other"]]})
    put(out, [rows["9"]["uuid"]], {"vector": [rows["9"]["vector"]], "x_vector_other": [rows["10"]["x_vector_other"]]})
    put(out, [rows["11"]["uuid"]], {"vector": [[float("nan")] * made_up.DIMENSION], "x_vector_other": [rows["11"]["x_vector_other"]]})
    dataset = lance.dataset(str(out))
    dataset.update({"title": "'other'"}, where="x_original_id = '12'")
    answer = program.verify(out, dump, "--cosine", "0.99")
    got = {d["id"]: sorted({f["field"].split("[")[0] for f in d["fields"]}) for d in answer.differences}
    want = {"7": ["vector"], "9": ["x_vector_other"], "11": ["vector"], "12": ["title"]}
    wrong = [] if got == want else [f"{got}, expected {want}"]
    table.check("vectors replaced and a title changed, with --cosine 0.99", answer, wrong, status=1, different=4, near=296)
    many = program.made(dump, program.scratch / "many.lance", "--index", "none")
    half(many, ["x_vector_many"])
    table.check("multi-vectors rounded to half precision, with --cosine 0.99", program.verify(many, dump, "--cosine", "0.99"), status=0, near=300)


def half(out, columns):
    """Rounds these columns of every row."""
    table = lance.dataset(str(out)).to_table(columns=["uuid", *columns], filter="x_original_id IS NOT NULL").to_pylist()
    rounded = {c: [deep(row[c]) for row in table] for c in columns}
    put(out, [row["uuid"] for row in table], rounded)


def deep(value):
    if isinstance(value, list):
        return [deep(v) for v in value]
    return value if value is None else float(np.float16(value))


def put(out, uuids, columns):
    dataset = lance.dataset(str(out))
    arrays = [pa.array(uuids), *(pa.array(v, dataset.schema.field(c).type) for c, v in columns.items())]
    schema = pa.schema([dataset.schema.field(n) for n in ("uuid", *columns)])
    dataset.merge_insert("uuid").when_matched_update_all().execute(pa.Table.from_arrays(arrays, schema=schema))
