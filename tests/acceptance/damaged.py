"""Two sound datasets with their dumps, copies of them to damage, and the judgement on what `verify` said of a damaged one.

The damages themselves stand in damage.py (rows) and damage_shape.py (everything else).
"""

import gzip
import json
import re
import shutil
from dataclasses import dataclass

import lance
import numpy as np
import pyarrow as pa

from verify_tool import lines

# Records that the fixture lacks: an empty payload, none, other top-level fields, an empty string, a multi-vector of different rows.
MORE = [b'{"id":"empty","vector":null,"payload":{}}', b'{"id":"bare","vector":{"small":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7]}}',
        b'{"id":"rest","payload":{"a":1,"b":null,"text":"","tags":["x","y"]},"shard_key":"k","score":0.50}',
        b'{"id":"multi","vector":{"tokens":[[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7],[7,6,5,4,3,2,1,9,8,7,6,5,4,3,2,1]]},"payload":{"text":"two rows"}}']
# Members of the two collections of the base `points`.
POINTS, NOTES = 34, 4


@dataclass(frozen=True)
class Diff:
    """A difference that must be listed. `fields` are exactly those that differ; None where that is not the point."""

    kind: str
    id: str | None
    fields: tuple | None = None


@dataclass
class Damage:
    """`do(copy)` damages a copy of the base; then verify must say exactly this and nothing else."""

    name: str
    do: object
    base: str
    diffs: tuple
    findings: tuple  # patterns of findings beside those that count rows, one finding each
    content: bool  # whether the digest of the content changes
    status: int
    listed: bool  # False: too many differences to name them here
    allowed: tuple  # patterns of findings that may come with it
    shows: str  # what the dataset's value must be shown with


class Damages(list):
    """A decorator that takes damages into the list."""

    def __call__(self, name, *diffs, findings=(), base="points", content=None, status=1, listed=True, allowed=(), shows=""):
        def take(do):
            derived = {"title", "custom_metadata", "tags", "collection", "relationships", "created_at", "status", "position", "raw_data"}
            changed = any(d.kind != "different" or d.fields is None or set(d.fields) - derived for d in diffs)
            self.append(Damage(name, do, base, diffs, tuple(findings), changed if content is None else content, status, listed, tuple(allowed), shows))
            return do

        return take


def different(identity, *fields):
    return Diff("different", identity, fields or None)


def counts(collection, members, total=POINTS + NOTES):
    """The header's two counts no longer fit; nor does the report's, if there are more or fewer members in all."""
    of_header = [f"collection {collection}: the header's {key} is .*, but the dataset has {members} members" for key in ("item_count", "collection_member_count")]
    return of_header + ([f"the report says written {POINTS + NOTES}, the dataset has {total}"] if total != POINTS + NOTES else [])


class Base:
    """A sound dataset, and where each of its records stands in the dump."""

    def __init__(self, program, name, dumps, flags=()):
        self.name, self.dumps = name, dumps
        self.path = program.made(dumps, program.scratch / f"{name}.lance", *flags)
        self.dataset = lance.dataset(str(self.path))
        self.columns = [n for n in self.dataset.schema.names if n != "raw_data"]
        table = self.dataset.to_table(columns=["uuid", "x_original_id", "collection"]).to_pylist()
        self.uuids = {row["x_original_id"] or f"header {row['collection']}": row["uuid"] for row in table}

    def places(self):
        """Id -> how verify names its place; ids that stand twice are left out."""
        out = {}
        for dump in self.dumps:
            shards = sorted(f for f in dump.rglob("*") if f.is_file()) if dump.is_dir() else [dump]
            for shard in shards:
                plain = gzip.decompress(shard.read_bytes()) if shard.suffix == ".gz" else shard.read_bytes()
                at = 0
                for number, raw in enumerate(plain.split(b"\n"), 1):
                    if raw.strip().startswith(b"{") and raw.strip().endswith(b"}"):
                        identity = json.loads(raw)["id"]
                        name = str(shard.relative_to(dump)) if dump.is_dir() else None
                        out[identity] = None if identity in out else (name, number, at)
                    at += len(raw) + 1
        return {identity: place for identity, place in out.items() if place}


def points(program, fixtures):
    """Two collections: `points` in two shards, one of them compressed, and `notes`. Named, sparse and multi-vectors, gaps."""
    folder = program.scratch / "points"
    folder.mkdir()
    records = lines(fixtures / "qdrant/good/points_named-small.jsonl")
    (folder / "points-000.jsonl").write_bytes(b"\n".join(records[:15]) + b"\n")
    with gzip.open(folder / "points-001.jsonl.gz", "wb") as out:
        out.write(b"\n".join(records[15:] + MORE) + b"\n")
    notes = program.scratch / "notes.jsonl"
    notes.write_bytes(b"".join(raw.replace(b'"id":"5', b'"id":"note-', 1) + b"\n" for raw in records[:4]))
    return Base(program, "points", [folder, notes])


def spaces(program, fixtures):
    """One collection of Pinecone with two namespaces that hold the same ids, and one record in none."""
    folder = program.scratch / "spaces"
    records = lines(fixtures / "pinecone/good/index_sparse-small.jsonl")
    for name, some in (("a", records[:12]), ("b", records[:12]), ("c", records[12:])):
        (folder / name).mkdir(parents=True)
        (folder / name / "part-0.jsonl").write_bytes(b"\n".join(some) + b"\n")
    return Base(program, "spaces", [folder])


class Copy:
    """A copy of a base's dataset and dumps, to be damaged."""

    def __init__(self, base, folder):
        self.base, self.folder = base, folder
        self.path = folder / base.path.name
        shutil.copytree(base.path, self.path)
        self.report = folder / base.path.name.replace(".lance", ".report.json")
        shutil.copy(base.path.with_name(self.report.name), self.report)
        self.dumps = []
        for dump in base.dumps:
            self.dumps.append(folder / dump.name)
            (shutil.copytree if dump.is_dir() else shutil.copy)(dump, folder / dump.name)

    @property
    def dataset(self):
        return lance.dataset(str(self.path))

    def uuid(self, identity):
        return self.base.uuids[identity]

    def value(self, identity, column):
        table = self.dataset.to_table(columns=[column], filter=f"uuid = '{self.uuid(identity)}'")
        return table[column][0].as_py()

    def row(self, identity):
        """The row with all columns but the blob."""
        return self.dataset.to_table(columns=self.base.columns, filter=f"uuid = '{self.uuid(identity)}'")

    def put(self, identity, settle=True, **values):
        """Writes these columns of one row, by merge_insert."""
        schema = self.dataset.schema
        names = ["uuid", *values]
        arrays = [pa.array([self.uuid(identity)]), *(pa.array([v], schema.field(n).type) for n, v in values.items())]
        fields = [pa.field(n, schema.field(n).type, schema.field(n).nullable) for n in names]
        done = self.dataset.merge_insert("uuid").when_matched_update_all().execute(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))
        assert done["num_updated_rows"] == 1, done
        if settle:
            self.settle()

    def sql(self, where, settle=True, **values):
        done = self.dataset.update(values, where=where)
        assert done["num_rows_updated"] > 0, done
        if settle:
            self.settle()

    def append(self, table, settle=True):
        lance.write_dataset(table, str(self.path), mode="append", data_storage_version="2.1")
        if settle:
            self.settle()

    def settle(self):
        """Brings the indices up to date, so that they are not what is found."""
        self.dataset.optimize.optimize_indices()

    def in_file(self, old, new):
        """Replaces bytes in the data file, which must hold them once; no version is made."""
        assert len(old) == len(new) and old != new
        files = [f for f in (self.path / "data").iterdir() if f.read_bytes().count(old) == 1]
        assert len(files) == 1, f"the bytes stand in {len(files)} files once"
        files[0].write_bytes(files[0].read_bytes().replace(old, new))

    def index_files(self, name):
        segments = [i["uuid"] for i in self.dataset.list_indices() if i["name"] == name]
        return [self.path / "_indices" / segment for segment in segments]

    def edit(self, shard, change):
        """Changes a plain shard of the dump: `change` takes and gives a list of lines."""
        shard = self.folder / shard
        shard.write_bytes(b"".join(line + b"\n" for line in change(lines(shard))))

    def places(self):
        moved = Base.__new__(Base)
        moved.dumps = self.dumps
        return moved.places()


def flipped(vector, at, bit=0):
    """The vector with one bit of one float flipped."""
    out = np.array(vector, np.float32)
    out.view(np.uint32)[at] ^= np.uint32(1 << bit)
    return out


def judge(damage, copy, answer):
    """What is not as expected."""
    wrong = []
    if answer.status != damage.status:
        return [f"status {answer.status}, expected {damage.status}"]
    differences, findings = answer.differences or [], list(answer.findings or [])
    if damage.listed:
        wrong += named(damage, copy.places(), differences)
        texts = {"missing": "without a row", "unexpected": "without a record", "doubled": "the uuid of another row", "different": "differ from their record"}
        for kind, text in texts.items():
            number = sum(d.kind == kind for d in damage.diffs)
            if answer.report[kind] != number:
                wrong.append(f"{answer.report[kind]} {kind}, expected {number}")
            counted = [f for f in findings if text in f]
            findings = [f for f in findings if f not in counted]
            if len(counted) != (number > 0) or (counted and not counted[0].endswith(f": {number}")):
                wrong.append(f"findings of {kind}: {counted}")
    for pattern in damage.findings:
        hit = next((f for f in findings if re.search(pattern, f)), None)
        if hit is None:
            wrong.append(f"no finding matches {pattern!r}")
        else:
            findings.remove(hit)
    wrong += [f"a finding that nobody expects: {f}" for f in findings if not any(re.search(p, f) for p in damage.allowed)]
    same = answer.digests[0] == answer.digests[1]
    if None not in answer.digests and same == damage.content:
        wrong.append(f"the digests are {'equal' if same else 'not equal'}")
    return wrong


def named(damage, places, differences):
    """The listed differences against those wanted: kind, id, fields, place, both values."""
    wrong = []
    met = sorted((d["kind"], d["id"] or "") for d in differences)
    want = sorted((d.kind, d.id or "") for d in damage.diffs)
    if met != want:
        wrong.append(f"differences {met}, expected {want}")
    for diff in damage.diffs:
        got = next((d for d in differences if (d["kind"], d["id"]) == (diff.kind, diff.id)), None)
        if got is None:
            continue
        fields = {re.sub(r"\[.*", "", f["field"]) for f in got["fields"]}
        if diff.fields is not None and fields != set(diff.fields):
            wrong.append(f"{diff.id}: fields {sorted(fields)}, expected {sorted(diff.fields)}")
        if not any(damage.shows in f["dataset"] for f in got["fields"]) and damage.shows:
            wrong.append(f"{diff.id}: shown as {[f['dataset'] for f in got['fields']]}, without {damage.shows!r}")
        if diff.kind == "different" and not fields:
            wrong.append(f"{diff.id}: different, but in no field")
        wrong += [f"{diff.id}: {f['field']}: both sides are shown as {f['dump']!r}" for f in got["fields"] if f["dump"] == f["dataset"]]
        if diff.kind in ("unexpected", "doubled"):
            wrong += [f"{diff.id}: a place in the dump: {got['place']}"] if got["place"] else []
        elif diff.id in places:
            shard, line, byte = places[diff.id]
            if not (got["place"] or "").endswith(f"{shard or '.jsonl'}:{line} (byte {byte})"):
                wrong.append(f"{diff.id}: place {got['place']}, expected {shard}:{line} (byte {byte})")
    return wrong

