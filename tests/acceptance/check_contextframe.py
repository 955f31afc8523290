"""What a user of ContextFrame does first: open, look up by uuid, headers, members, relationships, find_*, SQL filters.

Reading only; searches and writes have their own modules.
"""

from contextframe.frame import FrameDataset, FrameRecord

SAMPLE = 25


def quoted(text):
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def sample(items, count=SAMPLE):
    """Some of the items, evenly spread, first and last included."""
    if len(items) <= count:
        return list(range(len(items)))
    return sorted({round(i * (len(items) - 1) / (count - 1)) for i in range(count)})


def open_dataset(report, path):
    dataset = FrameDataset.open(path)
    report.expect(str(path).rstrip("/").endswith(".lance"), f"{path} does not end in .lance, which FrameRecord.save demands")
    report.expect(dataset._native.count_rows() > 0, "no rows")
    dataset._native.validate()
    return dataset


def check_collections(report, dataset, rows, options):
    headers = {header["collection"]: header for header in rows.headers}
    report.equal(len(headers), len(rows.headers), "one header a collection")
    report.equal(set(rows.by_collection) - set(headers), set(), "collections without a header")
    if options.collection is not None:
        report.equal(sorted(headers), [options.collection], "collections")
    for uuid, collection, collection_id, kind, relationships in rows.links:
        header = headers.get(collection)
        if header is None:
            continue
        report.equal(collection_id, header["uuid"], f"uuid {uuid}: collection_id")
        report.equal(kind, "uuid", f"uuid {uuid}: collection_id_type")
        want = [{"type": relationships[0]["type"] if relationships else None, "id": header["uuid"], "title": header["title"]}]
        got = [{k: v for k, v in link.items() if v is not None} for link in relationships or []]
        report.equal(got, want, f"uuid {uuid}: relationships")
        allowed = ("reference",) if options.can_update else ("member_of", "reference")
        report.expect(got and got[0]["type"] in allowed, f"uuid {uuid}: relationship type {got and got[0]['type']!r}")
    for name, header in headers.items():
        custom = {pair["key"]: pair["value"] for pair in header["custom_metadata"]}
        count = str(rows.by_collection[name])
        for key, want in (("source", f"{options.source}_migration"), ("source_type", options.source), ("collection_name", name),
                          ("item_count", count), ("collection_member_count", count)):
            report.equal(custom.get(key), want, f"header {name!r}: custom {key}")
        report.expect(custom.get("migrated_date"), f"header {name!r}: no migrated_date")
        if "'" in name:
            report.note(f"ContextFrame does not quote {name!r}: its collection helpers are not tried")
            continue
        found = dataset.get_collection_header(name)
        report.equal(found and found.uuid, header["uuid"], f"get_collection_header({name!r})")
        members = dataset.get_collection_members(name)
        report.equal(len(members), rows.by_collection[name], f"get_collection_members({name!r})")
        report.equal(len(dataset.get_collection_members(name, include_header=True)), len(members) + 1, "members with header")
        report.equal(len(dataset.find_by_collection(name)), len(members), f"find_by_collection({name!r})")
        link = next((r[4][0]["type"] for r in rows.links if r[1] == name and r[4]), None)
        related = dataset.find_related_to(header["uuid"], relationship_type=link)
        report.equal(len(related), rows.by_collection[name], f"find_related_to(header of {name!r}, {link!r})")


def check_lookups(report, dataset, rows):
    for i in sample(rows.uuids):
        record = dataset.get_by_uuid(rows.uuids[i])
        if not report.expect(isinstance(record, FrameRecord), f"get_by_uuid({rows.uuids[i]}) finds nothing"):
            continue
        report.equal(record.metadata["x_original_id"], rows.ids[i], "the record of that uuid")
        report.equal(record.metadata["custom_metadata"].get("original_id"), rows.ids[i], "original_id through ContextFrame")
        report.equal(record.text_content, rows.texts[i], "text_content through ContextFrame")
        report.equal(record.vector.tobytes(), rows.vectors[i].tobytes(), "vector through ContextFrame")
        report.expect(isinstance(record.to_table().num_rows, int), "to_table")
    report.equal(dataset.get_by_uuid("00000000-0000-0000-0000-000000000000"), None, "get_by_uuid of an unknown uuid")
    finders = {"author": dataset.find_by_author, "status": dataset.find_by_status, "source_type": dataset.find_by_source_type,
               "record_type": dataset.find_by_record_type, "tag": dataset.find_by_tag}
    for name, find in finders.items():
        plain = [(value, n) for value, n in rows.values[name].items() if "'" not in value]
        for value, count in sorted(plain, key=lambda pair: pair[1])[-2:]:
            report.equal(len(find(value)), count, f"find_by_{name}({value!r:.60})")


def check_filters(report, dataset, rows):
    for i in sample(rows.ids):
        for what, clause in (
            ("x_original_id", f"x_original_id = {quoted(rows.ids[i])}"),
            ("uuid", f"uuid = {quoted(rows.uuids[i])}"),
            ("custom_metadata", f"array_has(custom_metadata, named_struct('key','original_id','value',{quoted(rows.ids[i])}))"),
        ):
            got = dataset.scanner(filter=clause, columns=["x_original_id"]).to_table()["x_original_id"].to_pylist()
            report.equal(got, [rows.ids[i]], f"filter on {what}")
    for name, count in rows.by_collection.items():
        report.equal(dataset.count_by_filter(f"collection = {quoted(name)}"), count + 1, f"filter collection = {name!r}")
    report.equal(dataset.count_by_filter("record_type = 'document'"), rows.members, "filter record_type = 'document'")
    report.equal(dataset.count_by_filter("x_original_id IS NULL"), len(rows.headers), "filter x_original_id IS NULL")
    report.equal(dataset.count_by_filter("position IS NULL") + dataset.count_by_filter("position >= 0"), rows.total, "filter on position")
    report.equal(sum(1 for _ in dataset.stream_by_filter("record_type = 'document'")), rows.members, "stream_by_filter")
    for tag, count in rows.values["tag"].most_common(3):
        report.equal(dataset.count_by_filter(f"array_has_any(tags, [{quoted(tag)}])"), count, f"filter on tag {tag!r}")
    for name in ("created_at", "author"):
        for value, count in rows.values[name].most_common(2):
            report.equal(dataset.count_by_filter(f"{name} = {quoted(value)}"), count, f"filter {name} = {value!r:.60}")
