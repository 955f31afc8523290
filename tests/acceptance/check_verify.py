"""Holds `verify` to its word: clean where the dataset is sound, and right about kind, field, id and place of every damage.

    python tests/acceptance/check_verify.py BINARY [--corpus corpus.parquet --rows 20000]

Prints one row a case and ends with status 1 if one is not as expected. It does not check what `convert` writes (accept.py does).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import damaged  # noqa: E402
import verify_dumps  # noqa: E402
import verify_same  # noqa: E402
from damage import ROWS  # noqa: E402
from damage_shape import SHAPE  # noqa: E402
from make_dump import SHAPES  # noqa: E402
from verify_tool import Program, Table, side_by_side  # noqa: E402

FIXTURES = HERE.parents[1] / "fixtures"


def expectations(kind):
    """(database, name, what is expected) of every good or bad fixture."""
    for path in sorted(FIXTURES.glob("*/expect.json")):
        for name, entry in json.loads(path.read_text())[kind].items():
            yield path.parent.name, name, entry


def good(table, program):
    def one(item):
        number, (source, name, flags, _) = item
        dump, out = FIXTURES / source / "good" / name, program.scratch / f"good-{number}.lance"
        return program.convert(dump, out, *flags), program.verify(out, dump)

    cases = [(source, name, [*entry.get("flags", []), *variant.get("flags", [])], entry["ids"])
             for source, name, entry in expectations("good") for variant in [{}, *entry.get("variants", [])]]
    for (source, name, flags, ids), (made, answer) in zip(cases, side_by_side(one, enumerate(cases))):
        table.clean(" ".join([f"{source}/{name}", *flags[-2:]]), answer, verified=ids, written=made.written, read=made.read)


def bad(table, program):
    """Whatever convert makes of a bad dump, verify must agree with, counts included."""
    def one(item):
        number, (source, name, flags) = item
        dump, out = FIXTURES / source / "bad" / name, program.scratch / f"bad-{number}.lance"
        made = program.convert(dump, out, "--from", source, *flags)
        return made, program.verify(out, dump) if made.dataset else made

    cases = []
    for source, name, entry in expectations("bad"):
        for variant in [entry, *(entry | v for v in entry.get("variants", []))]:
            wanted = variant["outcome"] in ("ok", "rejects", "duplicates") and not entry.get("slow") and variant.get("written", 1) > 0
            cases += [(source, name, entry.get("flags", []) + (variant.get("flags", []) if variant is not entry else []))] * wanted
    for (source, name, flags), (made, answer) in zip(cases, side_by_side(one, enumerate(cases))):
        counts = {key: made.report.get(key) for key in ("read", "written", "rejected", "deduplicated")}
        if not answer.clean or any(answer.report[k] != n for k, n in counts.items()):
            table.row(" ".join([f"{source}/{name}", *flags]), answer.status, answer.said(), [f"not clean, or not as convert counted: {counts}"])
    table.row(f"{len(cases)} bad fixtures", 0, "clean and counted as convert did, but those above")


def corpus(table, program, options):
    """Real rows in the shape of each database; the seconds are those of the whole runs."""
    for shape in SHAPES:
        out = program.scratch / f"corpus-{shape}.lance"
        dump = program.scratch / f"corpus-{shape}.{'json' if shape == 'milvus-package' else 'jsonl'}"
        make = [sys.executable, HERE / "make_dump.py", "--corpus", options.corpus, "--shape", shape, "--out", dump, "--rows", options.rows, "--floats", "short"]
        subprocess.run([str(word) for word in make], check=True, stdout=subprocess.DEVNULL)
        flags = ["--id-field", "pk", "--vector-field", "embedding"] if shape == "milvus" else []
        made = program.convert(dump, out, *flags)
        answer = program.verify(out, dump)
        table.clean(f"{options.rows} rows, {shape}", answer, verified=options.rows)
        sampled = program.verify(out, dump, "--sample", 200)
        size = sampled.verified or 0
        table.check(f"{options.rows} rows, {shape}, --sample 200", sampled, [] if 150 <= size <= 300 else [f"{size} records are not about 200"], status=0)
        size = dump.stat().st_size / 1e6
        took = {"convert": made.seconds, "of that without indices": made.seconds - made.report["seconds"]["index"], "verify": answer.seconds,
                "--sample 200": sampled.seconds}
        print(f"      {size:.0f} MB: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))
        dump.unlink()


def damages(table, program, options):
    bases = {"points": damaged.points(program, FIXTURES), "spaces": damaged.spaces(program, FIXTURES)}
    for name, base in bases.items():
        table.clean(f"the sound dataset `{name}`", program.verify(base.path, base.dumps))

    def one(damage):
        with tempfile.TemporaryDirectory(dir=program.scratch) as folder:
            copy = damaged.Copy(bases[damage.base], Path(folder))
            try:
                damage.do(copy)
            except Exception as error:  # noqa: BLE001: the damage could not be made, which is a row too
                return "-", f"{type(error).__name__}: {error}", ["the damage cannot be made"]
            answer = program.verify(copy.path, copy.dumps)
            return answer.status, answer.said(), damaged.judge(damage, copy, answer)

    chosen = [d for d in [*ROWS, *SHAPE] if options.only in d.name]
    for damage, row in zip(chosen, side_by_side(one, chosen)):
        table.row(damage.name, *row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", help="the program")
    parser.add_argument("--corpus", help="a Parquet corpus as make_dump.py reads it: verifies dumps of real rows too")
    parser.add_argument("--rows", type=int, default=20000, help="rows of those dumps (default 20000)")
    parser.add_argument("--only", default="", help="damages whose name contains this, and nothing else")
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="check-verify-") as scratch:
        program = Program(options.binary, scratch)
        table.group("damages", damages, program, options)
        if not options.only:
            table.group("good fixtures", good, program)
            table.group("bad fixtures", bad, program)
            table.group("the same whatever the way", verify_same.check, program, FIXTURES)
            table.group("several dumps, namespaces, duplicates, rejects", verify_dumps.check, program, FIXTURES)
            if options.corpus:
                table.group("real rows", corpus, program, options)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
