"""Converts a dump of every foreign layout and compares the dataset, record by record, with a reading of the dump by Python's libraries.

    python tests/acceptance/check_layouts.py BINARY [--layouts DIR] [--only NAME …] [--named points_named.jsonl.zst]

The dumps are those of make_layouts.py (default: fixtures/layouts). One line a layout; then `verify` must find nothing. It ends with status 1 if
anything differs. The readers (layouts/read_*.py) share no code with the converter.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("LANCE_LOG", "error")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from layouts import read_milvus, read_parquet, read_text  # noqa: E402
from layouts.compare import compare  # noqa: E402
from verify_tool import Program  # noqa: E402

SHOWN = 5
NAMED = HERE.parents[1] / "fixtures/qdrant/good/points_named-small.jsonl"


@dataclass
class Case:
    """One conversion: a layout's folder, how it is read here, what the command needs."""

    name: str
    reader: object
    flags: tuple = ()
    status: int = 0
    dump: str = ""  # inside of the folder, several with spaces between; the folder itself by default


FIELDS = ("--id", "key", "--vector", "emb", "--text", "body")
CASES = [
    Case("vdf-chroma", read_parquet.vdf),
    Case("vdf-lossy", read_parquet.vdf, status=1),
    Case("vdf-pinecone", read_parquet.vdf),
    Case("pinecone-bulk", read_parquet.pinecone, dump="debs"),
    Case("weaviate-export", read_parquet.weaviate),
    Case("plain-parquet", read_parquet.plain, FIELDS),
    Case("lancedb-parquet", read_parquet.lancedb, ("--id", "id", "--vector", "vector")),
    Case("bulk-parquet", read_milvus.parquet, dump="debs"),
    Case("bulk-struct", read_milvus.parquet, dump="debs"),
    Case("bulk-json", read_milvus.text, dump="debs"),
    Case("bulk-jsonl", read_milvus.text, dump="debs"),
    Case("bulk-csv", read_milvus.cells, dump="debs"),
    Case("bulk-npy", read_milvus.npy, dump="debs"),
    Case("rest-chroma", read_text.chroma, dump="debs.jsonl"),
    Case("rest-chroma-files", read_text.chroma, dump="debs"),
    Case("rest-milvus", read_milvus.answers),
    Case("rest-qdrant", read_text.qdrant_pages, ("--vector", "text")),
    Case("qdrant-named", read_text.qdrant_points, ("--vector", "text")),
    Case("qdrant-named", read_text.qdrant_points, ("--vector", "small")),
    Case("rest-pinecone", read_text.pinecone),
    Case("rest-pinecone-documents", read_text.documents),
    Case("rest-weaviate", read_text.weaviate, dump="Package.jsonl Note.jsonl"),
    Case("pgvector-csv", read_text.pgvector, ("--id", "id", "--vector", "emb", "--text", "body")),
    Case("pgvector-bare", read_text.pgvector, ("--id", "1", "--vector", "4", "--text", "3")),
    Case("pgvector-tsv", read_text.pgvector, ("--id", "1", "--vector", "4", "--text", "3")),
    Case("pgvector-gz", read_text.pgvector, ("--id", "id", "--vector", "emb", "--text", "body")),
    Case("plain-jsonl", read_text.plain, (*FIELDS, "--metadata", "info")),
    Case("plain-usual", read_text.usual),
    Case("cdp-jsonl", read_text.data_pipes),
]
def plain_copy(path, scratch):
    """Python's zstandard is only needed for this."""
    import zstandard

    out = scratch / path.name.removesuffix(".zst")
    with path.open("rb") as packed, out.open("wb") as file:
        zstandard.ZstdDecompressor().copy_stream(packed, file)
    return out


def run(program, case, folder, number):
    """(what is wrong, what was compared or None)."""
    dump, out = [folder / name for name in case.dump.split()] or [folder], program.scratch / f"{number}.lance"
    made = program.convert(dump, out, *case.flags)
    if made.status not in (0, 1) or not made.dataset:
        return [f"status {made.status}: {' '.join((made.errors or made.text).split())[:400]}"], None
    wrong = [] if made.status == case.status else [f"status {made.status} instead of {case.status}: {str(made.findings)[:200]}"]
    records = list(case.reader(folder))
    if made.read != len(records) or made.rejected:
        wrong.append(f"convert read {made.read} and rejected {made.rejected} of {len(records)}")
    compared = compare(out, records)
    wrong += compared.wrong
    checked = program.verify(out, dump)
    if not checked.clean:
        wrong.append(f"verify: {checked.said()[:300]}")
    return wrong, compared.counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", help="the program")
    parser.add_argument("--layouts", type=Path, default=HERE.parents[1] / "fixtures/layouts")
    parser.add_argument("--only", nargs="+", help="these layouts")
    parser.add_argument("--named", type=Path, default=NAMED, help="a dump of Qdrant points with vectors `text` and `small`, .jsonl or .jsonl.zst")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="check-layouts-") as scratch:
        program = Program(options.binary, scratch)
        cases = [(c, options.layouts.resolve() / c.name) for c in CASES if not options.only or c.name in options.only]
        if not options.only:
            path = options.named.resolve()
            path = plain_copy(path, Path(scratch)) if path.suffix == ".zst" else path
            cases += [(Case(path.name, read_text.qdrant_points, ("--vector", v)), path) for v in ("text", "small")]
        for number, (case, folder) in enumerate(cases):
            try:
                wrong, counts = run(program, case, folder, number)
            except (Exception, subprocess.SubprocessError) as error:  # noqa: BLE001: whatever a library raises is a finding
                place = error.__traceback__
                while place.tb_next:
                    place = place.tb_next
                wrong, counts = [f"{type(error).__name__}: {error} ({Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno})"], None
            failed += bool(wrong)
            told = "not converted" if counts is None else ", ".join(f"{n} {name}" if name != "main" else f"main {n or 'unnamed'}" for name, n in counts.items())
            print(f"{'!!' if wrong else 'ok'} {case.name:<24} {' '.join(case.flags):<34} | {told}", flush=True)
            for line in wrong[:SHOWN]:
                print(f"      {line}")
            if len(wrong) > SHOWN:
                print(f"      … and {len(wrong) - SHOWN} more")
    print(f"\n{len(cases) - failed} of {len(cases)} as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
