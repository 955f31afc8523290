"""--promote auto against Python: the types of all values of a field, every value, and SQL filters against the same filter here.

    python tests/acceptance/check_promoted.py target/release/vec2lance [DUMP…]

Without dumps, the samples among the fixtures. Exit status 1 with a list of what differs.
"""

import datetime
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lance
import pyarrow as pa
import zstandard

HERE = Path(__file__).parent
SAMPLES = [HERE.parent.parent / "fixtures" / name for name in ("weaviate/good/objects.jsonl.zst", "qdrant/good/points.jsonl.zst")]
PAYLOAD = {"weaviate": "properties", "qdrant": "payload"}
UTC = datetime.timezone.utc


def payloads(path, key):
    """Id -> payload; of records that share an id, the last."""
    with open(path, "rb") as raw:
        plain = zstandard.ZstdDecompressor().stream_reader(raw) if path.suffix == ".zst" else raw
        records = (json.loads(line) for line in io.TextIOWrapper(plain, encoding="utf-8") if line.strip())
        return {str(record["id"]): record.get(key) or {} for record in records}


def moment(value):
    try:
        parsed = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def kind(values):
    """The type that the values share, by a second reading of the rules; None for JSON."""
    types = {type(v) for v in values}
    if types == {int}:
        low, high = min(values), max(values)
        return pa.int64() if -2**63 <= low and high < 2**63 else pa.uint64() if low >= 0 and high < 2**64 else None
    if types <= {int, float} and types:
        return pa.float64() if all(type(v) is float or int(float(v)) == v for v in values) else None
    if types == {bool}:
        return pa.bool_()
    if types == {str}:
        return pa.timestamp("us", "UTC") if all(moment(v) for v in values) else pa.string()
    if types == {list}:
        inner = kind([item for v in values for item in v if item is not None])
        return None if inner is None or pa.types.is_list(inner) else pa.list_(inner)
    return None


def native(value, target):
    if value is None or target is None:
        return None
    if pa.types.is_list(target):
        return [native(item, target.value_type) for item in value]
    if pa.types.is_timestamp(target):
        return moment(value).astimezone(UTC)
    return float(value) if pa.types.is_floating(target) else value


def filters(column, field, target, wanted):
    """SQL beside the ids that Python finds."""
    values = sorted({w[field] for w in wanted.values() if w[field] is not None}) if not pa.types.is_list(target) else []
    if not values:
        return
    middle = values[len(values) // 2]
    shown = {pa.bool_(): lambda v: str(v).lower(), pa.string(): lambda v: "'" + v.replace("'", "''") + "'"}.get(target, str)
    if pa.types.is_timestamp(target):
        shown = lambda v: f"timestamp '{v:%Y-%m-%d %H:%M:%S.%f}'"  # noqa: E731
    for sign, holds in (("=", lambda v: v == middle), (">", lambda v: v > middle), ("<=", lambda v: v <= middle)):
        if pa.types.is_boolean(target) and sign != "=":
            continue
        yield f"{column} {sign} {shown(middle)}", {i for i, w in wanted.items() if w[field] is not None and holds(w[field])}
    if pa.types.is_integer(target):
        yield f"{column} > 1000", {i for i, w in wanted.items() if w[field] is not None and w[field] > 1000}


def check(program, dump, folder):
    source = next(name for name in PAYLOAD if name in str(dump))
    out = folder / f"{source}.lance"
    subprocess.run([program, "convert", dump, out, "--promote", "auto", "--on-duplicate", "last", "--overwrite"], check=True, capture_output=True)
    subprocess.run([program, "verify", out, dump], check=True, capture_output=True)
    dataset, there, problems = lance.dataset(str(out)), payloads(dump, PAYLOAD[source]), []
    promoted = {item.metadata[b"vec2lance:field"].decode(): item for item in dataset.schema if (item.metadata or {}).get(b"vec2lance:field")}
    indices = {index["name"]: index["type"] for index in dataset.list_indices()}
    wanted = {identity: {field: native(p.get(field), item.type) for field, item in promoted.items()} for identity, p in there.items()}
    for field, item in promoted.items():
        expected = kind([p[field] for p in there.values() if p.get(field) is not None])
        if expected != item.type:
            problems.append(f"{dump}: {field} is {item.type}, expected {expected}")
        if f"{item.name}_idx" not in indices:
            problems.append(f"{dump}: {item.name} has no index")
    columns = ["x_original_id", *(item.name for item in promoted.values())]
    for row in dataset.to_table(columns=columns, filter="x_original_id IS NOT NULL").to_pylist():
        own = wanted[row["x_original_id"]]
        problems += [f"{dump}: {row['x_original_id']}: {f} is {row[i.name]!r}, expected {own[f]!r}" for f, i in promoted.items() if row[i.name] != own[f]]
    count = 0
    for field, item in promoted.items():
        for sql, ids in filters(item.name, field, item.type, wanted):
            count += 1
            for by_index in (True, False):
                found = dataset.to_table(columns=["x_original_id"], filter=sql, use_scalar_index=by_index)["x_original_id"].to_pylist()
                if sorted(found) != sorted(ids):
                    problems.append(f"{dump}: {sql} finds {len(found)} rows, Python {len(ids)}")
    if len(promoted) < 5 or count < 10:
        problems.append(f"{dump}: only {len(promoted)} columns and {count} filters")
    print(f"{dump.name}: {len(there)} records, {len(promoted)} columns, {count} filters, {len(problems)} problems")
    return problems


def main():
    program, dumps = sys.argv[1], [Path(d) for d in sys.argv[2:]] or SAMPLES
    with tempfile.TemporaryDirectory() as folder:
        problems = [p for dump in dumps for p in check(program, dump, Path(folder))]
    print("\n".join(problems[:40]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
