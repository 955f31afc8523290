"""A lean table (`--schema lancedb`) as a user of LanceDB sees it: opened, searched, filtered, and compared with the dump by Python alone.

    python tests/acceptance/check_lancedb.py BINARY [DUMP]

The dump is Qdrant's (default: fixtures/qdrant/good/points.jsonl.zst). It ends with status 1 if anything differs.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lancedb
import numpy as np
import zstandard

HERE = Path(__file__).resolve().parent
DUMP = HERE.parents[1] / "fixtures/qdrant/good/points.jsonl.zst"


def records(path):
    data = zstandard.ZstdDecompressor().stream_reader(open(path, "rb")).read() if path.suffix == ".zst" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def check(binary, dump, made):
    """Yields what is wrong."""
    subprocess.run([binary, "convert", dump, made / "debs.lance", "--schema", "lancedb"], check=True, stdout=subprocess.DEVNULL)
    wanted = {str(r["id"]): r for r in records(dump)}
    table = lancedb.connect(made).open_table("debs")
    if table.count_rows() != len(wanted):
        yield f"{table.count_rows()} rows, expected {len(wanted)}"
    rows = {row["id"]: row for row in table.to_arrow().to_pylist()}
    if rows.keys() != wanted.keys():
        yield f"other ids: {sorted(rows.keys() ^ wanted.keys())[:5]}"
    typed = set()
    for key, record in wanted.items():
        row, payload = rows[key], record["payload"]
        vector = record["vector"]
        if vector and not np.array_equal(np.array(vector, np.float32).view(np.uint32), np.array(row["vector"], np.float32).view(np.uint32)):
            yield f"{key}: another vector"
        left = json.loads(row["metadata"]) if row["metadata"] else {}
        for field, value in payload.items():
            if field in left:
                same = left[field] == value
            elif field in row:
                typed.add(field)
                same = row[field] == value
            else:
                same = row["text"] == value
            if not same:
                yield f"{key}: {field} is {row.get(field)!r} and {left.get(field)!r}, expected {value!r}"
        extra = left.keys() - payload.keys()
        if extra:
            yield f"{key}: keys that the record has not: {extra}"
    if not typed:
        yield "no field has a typed column"
    first = next(iter(wanted.values()))
    nearest = table.search(np.array(first["vector"], np.float32)).limit(1).to_list()
    if nearest[0]["id"] != str(first["id"]):
        yield f"the nearest of {first['id']} is {nearest[0]['id']}"
    number = next(f for f in sorted(typed) if all(isinstance(r["payload"].get(f, 0), int) and not isinstance(r["payload"].get(f, 0), bool) for r in wanted.values()))
    middle = sorted(r["payload"][number] for r in wanted.values() if number in r["payload"])[len(wanted) // 2]
    found = {row["id"] for row in table.search().where(f"{number} > {middle}").limit(len(wanted)).to_list()}
    if found != {k for k, r in wanted.items() if r["payload"].get(number, middle) > middle}:
        yield f"{number} > {middle} finds other rows"
    word = next(w for w in first["payload"].get("text", first["payload"].get("description", "")).split() if w.isalpha() and len(w) > 4)
    if not any(row["id"] == str(first["id"]) for row in table.search(word, query_type="fts").limit(len(wanted)).to_list()):
        yield f"full text does not find {word!r}"
    names = {index.name for index in table.list_indices()}
    if not {"vector_idx", "text_idx", "id_idx"} <= names:
        yield f"indices {sorted(names)}"
    print(f"{len(rows)} rows, typed {sorted(typed)}, filter {number} > {middle}: {len(found)} rows, indices {len(names)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        problems = list(check(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else DUMP, Path(folder)))
    for problem in problems[:20]:
        print(problem)
    sys.exit(bool(problems))
