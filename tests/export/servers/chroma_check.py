"""Holds a snapshot against what Chroma's official client returns: every record, every type, every bit.

    chroma_check.py URL SNAPSHOT [--collections N] [--where JSON] [--stable LOG]

Without --stable, the server must be idle, and both must hold the same records. With it, the server was written to by chroma_write.py,
whose log says which records nobody touched and which vector and document each version of the others had.
"""

import argparse
import io
import json
import struct
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import chromadb
import numpy as np
import zstandard

PAGE = 500
FIELDS = ["id", "embedding", "document", "metadata", "uri"]


def exported(snapshot, entry):
    for part in entry["parts"]:
        with open(snapshot / part["path"], "rb") as file:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8", newline="\n"):
                yield json.loads(line)


def told(client, name, where):
    """All records of an idle collection, as the client gives them."""
    collection = client.get_collection(name, embedding_function=None)
    offset = 0
    while True:
        page = collection.get(limit=PAGE, offset=offset, where=where, include=["embeddings", "documents", "metadatas", "uris"])
        for at, record_id in enumerate(page["ids"]):
            yield {
                "id": record_id,
                "embedding": page["embeddings"][at],
                "document": page["documents"][at],
                "metadata": page["metadatas"][at],
                "uri": page["uris"][at],
            }
        offset += len(page["ids"])
        if not page["ids"]:
            return


def bits(vector):
    return struct.pack(f"<{len(vector)}f", *vector)


def typed(value):
    """Makes 1, 1.0 and True differ, and -0.0 from 0.0."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return (type(value).__name__, repr(value))


def differs(ours, theirs):
    if list(ours) != FIELDS:
        return f"keys {list(ours)}"
    vector = np.asarray(theirs["embedding"])
    if bits(ours["embedding"]) != bits(vector.tolist()):
        return f"embedding {ours['embedding'][:4]} and {vector[:4]}"
    if ours["metadata"] and list(ours["metadata"]) != sorted(ours["metadata"]):
        return "keys of the metadata that are not sorted"
    for field in ["document", "metadata", "uri"]:
        if typed(ours[field]) != typed(theirs[field]):
            return f"{field} {ours[field]!r} and {theirs[field]!r}"
    return None


def same(snapshot, entry, client, where):
    ours, doubles = {}, 0
    for record in exported(snapshot, entry):
        doubles += record["id"] in ours
        ours[record["id"]] = record
    problems = [f"{doubles} doubles"] if doubles else []
    if len(ours) != entry["count"]:
        problems.append(f"{len(ours)} records, {entry['count']} in the manifest")
    seen = 0
    for record in told(client, entry["name"], where):
        seen += 1
        mine = ours.pop(record["id"], None)
        why = "missing" if mine is None else differs(mine, record)
        if why:
            problems.append(f"{record['id']!r}: {why}")
    problems += [f"{record_id!r}: not in the source" for record_id in ours]
    return seen, problems


def stable(snapshot, entry, client, log):
    """The records that nobody touched are there as they are; the others are one of the versions that they had."""
    versions, touched = {}, set()
    for line in open(log, encoding="utf-8"):
        record_id, vector, document = json.loads(line)
        touched.add(record_id)
        versions.setdefault(record_id, []).append((vector, document))
    problems, ours = [], {}
    for record in exported(snapshot, entry):
        if record["id"] in ours:
            problems.append(f"{record['id']!r}: twice")
        ours[record["id"]] = record
    kept = changed = 0
    for record in told(client, entry["name"], None):
        if record["id"] in touched:
            continue
        kept += 1
        mine = ours.pop(record["id"], None)
        why = "missing" if mine is None else differs(mine, record)
        if why:
            problems.append(f"{record['id']!r}: {why}")
    for record_id, mine in ours.items():
        changed += 1
        # A document and a vector of two versions may meet where the server writes them one after the other.
        vectors = [bits(vector) for vector, _ in versions.get(record_id, [])]
        documents = [document for _, document in versions.get(record_id, [])]
        if mine["embedding"] is None or bits(mine["embedding"]) not in vectors or mine["document"] not in documents:
            problems.append(f"{record_id!r}: no version of it is {mine}")
    return kept, changed, problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--collections", type=int)
    parser.add_argument("--where", type=json.loads)
    parser.add_argument("--stable")
    args = parser.parse_args()
    address = urlsplit(args.url)
    manifest = json.loads((args.snapshot / "manifest.json").read_text())
    if args.collections is not None and len(manifest["collections"]) != args.collections:
        sys.exit(f"{len(manifest['collections'])} collections, expected {args.collections}")
    total, failed = 0, False
    for entry in manifest["collections"]:
        tenant, database = map(unquote, (entry["namespace"] or "default_tenant/default_database").split("/"))
        client = chromadb.HttpClient(host=address.hostname, port=address.port, tenant=tenant, database=database)
        if args.stable:
            kept, changed, problems = stable(args.snapshot, entry, client, args.stable)
            print(f"{entry['name']}: {kept} untouched records, {changed} that were written to")
        else:
            kept, problems = same(args.snapshot, entry, client, args.where)
            if client.get_collection(entry["name"], embedding_function=None).count() != entry["count"] and not args.where:
                problems.append("another count")
        total += kept
        failed |= bool(problems)
        for problem in problems[:10]:
            print(f"{entry['namespace']} {entry['name']}: {problem}"[:300])
    print(f"{total} records are equal" if not failed else "the snapshot differs")
    sys.exit(failed)


main()
