"""The payload rebuilt from the columns and custom_metadata, compared with the dump, value by value and type by type.

It follows the documented mapping from the outside: where each key must be found, and that nothing else is there.
"""

import datetime
import json
import re

from exact import Num, parse, same

TEXT_ORDER = ("text", "content", "description", "document")
SAME_NAME = {"version", "context", "uri", "author", "contributors", "created_at", "updated_at", "tags", "status", "source_file",
             "source_url", "position"}
COLUMNS = {"weaviate": {"url": "source_url"}}
RENAMED = {"weaviate": {"publicationDate": "published_date", "publishedDate": "published_date"}}
OWN = {"source", "original_id", "namespace", "vector_type", "_types", "_columns", "_renamed"}
VERSION = re.compile(r"^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}$")


def _date(text):
    try:
        return len(text) == 10 and datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def fits(column, value):
    """Whether a value can stand in the column unchanged."""
    if column in ("tags", "contributors"):
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    if column == "position":
        return isinstance(value, Num) and value.text.isdigit() and int(value.text) < 2**31 and str(int(value.text)) == value.text
    if not isinstance(value, str):
        return False
    if column == "title":
        return value != ""
    if column == "version":
        return bool(VERSION.match(value))
    if column in ("created_at", "updated_at"):
        return _date(value)
    return True


def decode(value, kind):
    """A custom_metadata string back to the JSON value it stood for."""
    if kind is None:
        return value
    if kind not in ("number", "boolean", "array", "object"):
        raise ValueError(f"unknown type {kind!r}")
    return parse(value)


def escaped(key):
    return f"payload:{key}" if key in OWN or key.startswith("payload:") else key


def in_column(row, column, value):
    """The row's column holds exactly this value of the payload."""
    got = row[column]
    return str(got) == value.text if isinstance(value, Num) else got == value


def check_metadata(report, who, row, source, main, kind):
    pairs = row["custom_metadata"] or []
    custom = {pair["key"]: pair["value"] for pair in pairs}
    report.equal(len(custom), len(pairs), f"{who}: different keys in custom_metadata")
    report.expect(all(isinstance(v, str) for v in custom.values()), f"{who}: a null in custom_metadata")
    report.equal(custom.get("source"), f"{kind}_migration", f"{who}: custom source")
    report.equal(custom.get("original_id"), source.id, f"{who}: custom original_id")
    vector_type = None if main in (None, "default") else main
    report.equal(custom.get("vector_type"), vector_type, f"{who}: custom vector_type")
    types = json.loads(custom.get("_types", "{}"))
    report.expect(types != {} or "_types" not in custom, f"{who}: _types is empty")
    payload = source.payload if isinstance(source.payload, dict) else {}
    rest = parse(row["x_source_fields"]) if source.loose and row["x_source_fields"] else {}
    text_key = _check_text(report, who, row, source, payload)
    title = payload.get("title")
    has_title = fits("title", title)
    report.equal(row["title"], title if has_title else f"Document {source.id}", f"{who}: title")
    explained, columns = set(OWN), set()
    renames = {k: to for k, to in RENAMED.get(kind, {}).items() if to not in payload}
    for key, value in payload.items():
        if key == text_key or (key == "title" and has_title):
            continue
        column = COLUMNS.get(kind, {}).get(key, key if key in SAME_NAME else None)
        if column and column not in columns and fits(column, value) and in_column(row, column, value):
            columns.add(column)
            continue
        if column and fits(column, value) and row[column] is None:
            report.fail(f"{who}: {key!r} fits the column {column}, which is null")
        _check_pair(report, who, key, value, renames.get(key), (custom, types, rest, explained))
    _check_dates(report, who, row, {**source.fields, **payload})
    for column in SAME_NAME - columns - {"created_at", "updated_at"}:
        report.expect(row[column] is None, f"{who}: column {column} is {row[column]!r}, which the dump does not explain")
    strange = (set(custom) | set(types)) - explained
    report.expect(not strange, f"{who}: custom_metadata has {sorted(strange)[:5]!r}, which the dump does not explain")


def _moment(value):
    """The forms that the dumps of the tests have."""
    if isinstance(value, Num) and value.text.isdigit() and len(value.text) == 13:
        return datetime.datetime.fromtimestamp(0, datetime.timezone.utc) + datetime.timedelta(milliseconds=int(value.text))
    try:
        moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (AttributeError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def _check_dates(report, who, row, fields):
    """created_at and updated_at hold the day of their timestamps, which are those of the field with the usual name."""
    for column, names in (("created_at", ("created_at", "createdAt", "creationTimeUnix")), ("updated_at", ("updated_at", "updatedAt", "lastUpdateTimeUnix"))):
        moment, day = row[f"x_{column}"], row[column]
        wanted = next((m for m in (_moment(fields.get(n)) for n in names) if m), None)
        if wanted:
            report.equal(moment, wanted, f"{who}: x_{column}")
        if moment is not None:
            report.equal(day, moment.date().isoformat(), f"{who}: {column}")


def _check_pair(report, who, key, value, rename, places):
    """The value of one payload key in custom_metadata (or, for Milvus, among the other fields)."""
    custom, types, rest, explained = places
    for name in (rename, key):
        name = name and escaped(name)
        if name is None or name in explained - OWN or (name not in custom and name not in types):
            continue
        explained.add(name)
        if value is None:
            report.expect(name not in custom and types.get(name) == "null", f"{who}: null at {key!r} came back as something else")
        elif report.expect(name in custom, f"{who}: {key!r} has a type but no value in custom_metadata"):
            try:
                back = decode(custom[name], types.get(name))
            except ValueError as error:
                back = error
            report.expect(same(back, value), f"{who}: {key!r} is {back!r:.80} in custom_metadata, {value!r:.80} in the dump")
        return
    report.expect(key in rest and same(rest[key], value), f"{who}: {key!r} of the payload is nowhere in the row")


def _check_text(report, who, row, source, payload):
    """text_content, and which payload key it came from."""
    if isinstance(source.text, str):
        report.expect(row["text_content"] == source.text, f"{who}: text_content is not the document")
        return None
    key = next((k for k in TEXT_ORDER if isinstance(payload.get(k), str)), None)
    want = payload[key] if key else ""
    report.expect(row["text_content"] == want, f"{who}: text_content is {row['text_content']!r:.60}, expected {want!r:.60}")
    return key


def check_fields(report, who, text, source):
    """x_source_fields: the top-level fields with no other place."""
    got = parse(text) if text is not None else {}
    if not report.expect(isinstance(got, dict), f"{who}: x_source_fields is no object"):
        return
    report.expect(text is None or got or source.fields == {}, f"{who}: x_source_fields is empty")
    if source.loose:
        known = dict(source.payload) if isinstance(source.payload, dict) else {}
        known |= source.fields
        wrong = [k for k, v in got.items() if k in known and not same(v, known[k])]
        report.expect(not wrong, f"{who}: x_source_fields differs at {wrong!r}")
        return
    report.expect(same(got, source.fields), f"{who}: x_source_fields is {got!r:.100}, expected {source.fields!r:.100}")
