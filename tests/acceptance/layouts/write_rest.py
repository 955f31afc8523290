"""Answers of REST APIs as `curl` in a loop keeps them: one answer a line, or a file.

Chroma's come from a real server (needs chromadb); the others are shaped after the published APIs.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np

from .rows import compact, decimals, pages
from .write_parquet import fresh

SIZE = 7  # records a page, of small dumps


def size(rows):
    return SIZE if len(rows) < 100 else 500


def lines(path, answers):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(compact(a) + "\n" for a in answers))


def fields(row, *without):
    return {k: v for k, v in row.values.items() if k not in without} | {"text": row.text}


def call(base, path, body=None, raw=False):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return text if raw else json.loads(text)


def chroma(rows, out, scratch):
    place = scratch / "chroma-server"
    shutil.rmtree(place, ignore_errors=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [os.path.join(os.path.dirname(sys.executable), "chroma"), "run", "--path", place, "--port", str(port)]
    server = subprocess.Popen(list(map(str, program)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}/api/v2/tenants/default_tenant/databases/default_database/collections"
    try:
        for _ in range(100):
            try:
                call(base, "")
                break
            except OSError:
                time.sleep(0.2)
        made = call(base, "", {"name": "debs", "configuration": {"hnsw": {"space": "cosine"}}})
        inside = f"/{made['id']}"
        for part in pages(rows, 500):
            metadatas = [{k: v for k, v in fields(r, "extra", "tags").items() if v is not None and k != "text"} if r.n % 6 else None for r in part]
            call(base, f"{inside}/add", {
                "ids": [r.id for r in part], "embeddings": [decimals(r.vector) for r in part], "metadatas": metadatas,
                "documents": [r.text if r.n % 5 else None for r in part], "uris": [f"file:///pool/{r.number}" if r.n % 4 == 0 else None for r in part]})
        wanted = {"include": ["embeddings", "documents", "metadatas", "uris"], "limit": size(rows)}
        answers = [call(base, f"{inside}/get", wanted | {"offset": k}, raw=True) for k in range(0, len(rows) + size(rows), size(rows))]
    finally:
        server.terminate()
        server.wait()
    folder = fresh(out / "rest-chroma")
    (folder / "debs.jsonl").write_bytes(b"".join(a.rstrip(b"\n") + b"\n" for a in answers))
    # A file an answer, as `curl -o debs-$n.json` keeps them, and indented as `jq .` prints them.
    folder = fresh(out / "rest-chroma-files") / "debs"
    folder.mkdir()
    for n, answer in enumerate(answers):
        (folder / f"debs-{n:04}.json").write_text(json.dumps(json.loads(answer), indent=2, ensure_ascii=False))


def milvus(rows, out, _):
    """`entities/query`: JSON fields are strings, half and binary vectors base64, sparse ones maps, dynamic fields flat."""
    import ml_dtypes

    def entity(row):
        text = base64.b64encode
        return {
            "pk": row.number, "embedding": decimals(row.vector), "half": text(row.vector.astype(np.float16).tobytes()).decode(),
            "brain": text(row.vector.astype(ml_dtypes.bfloat16).tobytes()).decode(), "flags": text(row.bits.tobytes()).decode(),
            "words": {str(k): v for k, v in zip(row.sparse, decimals(list(row.sparse.values())))}, "title": row.values["title"], "text": row.text,
            "installed_size": row.values["installed_size"], "extra": json.dumps(row.values["extra"]), "section": row.values["section"],
        }
    folder = fresh(out / "rest-milvus")
    lines(folder / "debs.jsonl", [{"code": 0, "cost": 0, "data": [entity(r) for r in part]} for part in [*pages(rows, size(rows)), []]])
    kinds = [("pk", "Int64", None), ("embedding", "FloatVector", 1), ("half", "Float16Vector", 1), ("brain", "BFloat16Vector", 1), ("flags", "BinaryVector", 1),
             ("words", "SparseFloatVector", None), ("title", "VarChar", None), ("text", "VarChar", None), ("installed_size", "Int64", None), ("extra", "JSON", None)]
    described = [{"autoId": False, "description": "", "id": 100 + n, "name": name, "nullable": name == "installed_size", "partitionKey": False,
                  "primaryKey": name == "pk", "type": kind} | ({"params": [{"key": "dim", "value": str(len(rows[0].vector))}]} if dim else {})
                 for n, (name, kind, dim) in enumerate(kinds)]
    data = {"collectionName": "debs", "enableDynamicField": True, "autoId": False, "fields": described, "load": "LoadStateLoaded",
            "indexes": [{"fieldName": "embedding", "indexName": "embedding", "metricType": "COSINE"}]}
    (folder / "describe.json").write_text(json.dumps({"code": 0, "data": data}))


def qdrant_vectors(row):
    """By name; each tenth point has only the small one."""
    some = {"small": decimals(row.small)}
    if row.n % 10 != 0:
        some["text"] = decimals(row.vector)
        some["words"] = {"indices": list(row.sparse), "values": decimals(list(row.sparse.values()))}
    if row.n % 10 != 0 and row.n % 3:
        some["colbert"] = [decimals(v) for v in row.multi]
    return some


def qdrant(rows, out, _):
    parts = pages(rows, size(rows))
    point = lambda r: r.uuid if r.n % 3 == 2 else r.number  # noqa: E731
    answers = []
    for part, after in zip(parts, [*parts[1:], None]):
        points = [{"id": point(r), "payload": fields(r) if r.n % 7 != 6 else None, "vector": qdrant_vectors(r)} for r in part]
        answers.append({"result": {"points": points, "next_page_offset": after and point(after[0])}, "status": "ok", "time": 0.00123})
    lines(fresh(out / "rest-qdrant") / "debs.jsonl", answers)
    # The same points, one a line, as export scripts write them.
    lines(fresh(out / "qdrant-named") / "debs.jsonl", [p for a in answers for p in a["result"]["points"]])


def pinecone(rows, out, _):
    """`vectors/fetch` of two namespaces in one file, and the document API's `documents/fetch`."""
    half = len(rows) // 2
    spaces = (("", rows[:half]), ("old", rows[half:]))
    answers = []
    for space, part in spaces:
        for page in pages(part, size(rows)):
            vectors = {}
            for r in page:
                # All metadata numbers are doubles there.
                meta = {k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in fields(r, "extra", "big").items() if v is not None}
                vectors[r.id] = {"id": r.id, "values": decimals(r.vector)} | ({"metadata": meta} if r.n % 6 else {})
                if r.n % 3 == 0:
                    vectors[r.id]["sparseValues"] = {"indices": list(r.sparse), "values": decimals(list(r.sparse.values()))}
            answers.append({"vectors": vectors, "namespace": space, "usage": {"readUnits": 1}})
    lines(fresh(out / "rest-pinecone") / "debs.jsonl", answers)
    answers = []
    for space, part in (("__default__", rows[:half]), ("old", rows[half:])):
        for page in pages(part, size(rows)):
            documents = {r.id: {"_id": r.id, "dense_vector": decimals(r.vector), "text": r.text, "title": r.values["title"], "score": r.values["score"],
                                "tags": r.values["tags"]}
                         | ({"sparse_vector": {"indices": list(r.sparse), "values": decimals(list(r.sparse.values()))}} if r.n % 3 else {}) for r in page}
            answers.append({"documents": documents, "namespace": space, "usage": {"read_units": 1}})
    lines(fresh(out / "rest-pinecone-documents") / "debs.jsonl", answers)


def weaviate(rows, out, _):
    """`/v1/objects`: tenants and named vectors in one file, the unnamed vector in the other."""
    half = len(rows) // 2

    def thing(r, kind, tenant):
        made = {"class": kind, "creationTimeUnix": 1700000000000 + r.n, "id": r.uuid, "lastUpdateTimeUnix": 1700000000123 + r.n}
        made["properties"] = {k: v for k, v in fields(r, "extra", "text").items() if v is not None} | {"content": r.text}
        if kind == "Package":
            made["vectors"] = {"title": decimals(r.vector)} | ({"small": decimals(r.small)} if r.n % 3 else {}) | ({"colbert": [decimals(v) for v in r.multi]} if r.n % 4 else {})
            made["tenant"] = tenant
        elif r.n % 10 != 9:
            made["vector"] = decimals(r.vector)
        return made

    def answers(part, kind, tenant):
        return [{"deprecations": None, "objects": [thing(r, kind, tenant) for r in page], "totalResults": len(page)} for page in [*pages(part, size(rows)), []]]

    folder = fresh(out / "rest-weaviate")
    quarter = half // 2
    lines(folder / "Package.jsonl", answers(rows[:quarter], "Package", "acme") + answers(rows[quarter:half], "Package", "globex"))
    lines(folder / "Note.jsonl", answers(rows[half:], "Note", None))


LAYOUTS = {"rest-chroma": chroma, "rest-chroma-files": chroma, "rest-milvus": milvus, "rest-qdrant": qdrant, "qdrant-named": qdrant,
           "rest-pinecone": pinecone, "rest-pinecone-documents": pinecone, "rest-weaviate": weaviate}
