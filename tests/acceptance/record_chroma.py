"""Records what a real Chroma server answers, as the fixture of `compare`: the same records and queries for cosine, l2 and ip.

    pip install chromadb pyarrow
    python tests/acceptance/record_chroma.py --corpus corpus.parquet --queries queries.parquet --out tests/acceptance/recorded

The corpus has id, title, text, section and vector, the queries text and vector. Vectors are cut to --dimension values and each is made
--longest times as long as the shortest at most, because a metric that depends on lengths shows nothing on vectors of length 1. Writes
points.jsonl, one record a line, and chroma.<space>.json, the request and the server's answer to all queries. It judges nothing.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import chromadb
import numpy as np
import pyarrow.parquet as pq


def matrix(table):
    column = table["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def lengths(ids, longest):
    """From 1 to `longest`, by the id alone."""
    return np.array([1 + (longest - 1) * zlib.crc32(i.encode()) / 2**32 for i in ids], dtype=np.float32)


def server(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    process = subprocess.Popen([program, "run", "--path", folder, "--host", "127.0.0.1", "--port", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            client = chromadb.HttpClient(host="127.0.0.1", port=port)
            client.heartbeat()
            return process, client
        except Exception:
            time.sleep(0.2)
    process.terminate()
    sys.exit("the server did not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--count", type=int, default=40, help="queries")
    parser.add_argument("--dimension", type=int, default=16)
    parser.add_argument("--longest", type=float, default=3.0)
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    table = pq.read_table(options.corpus, columns=["id", "title", "text", "section", "vector"]).slice(0, options.rows)
    ids = table["id"].to_pylist()
    vectors = matrix(table)[:, : options.dimension] * lengths(ids, options.longest)[:, None]
    metadatas = [{"title": t, "section": s} for t, s in zip(table["title"].to_pylist(), table["section"].to_pylist())]
    documents = [text[:120] for text in table["text"].to_pylist()]
    queries = matrix(pq.read_table(options.queries).slice(0, options.count))[:, : options.dimension]
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "points.jsonl", "w") as out:
        for row in zip(ids, vectors.tolist(), documents, metadatas):
            out.write(json.dumps(dict(zip(("id", "embedding", "document", "metadata"), row))) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        process, client = server(folder)
        try:
            for space in ("cosine", "l2", "ip"):
                collection = client.create_collection(f"points-{space}", configuration={"hnsw": {"space": space}})
                for start in range(0, len(ids), 1000):
                    part = slice(start, start + 1000)
                    collection.add(ids=ids[part], embeddings=vectors[part], documents=documents[part], metadatas=metadatas[part])
                answer = collection.query(query_embeddings=queries, n_results=options.k, include=["distances", "documents", "metadatas"])
                request = {"query_embeddings": queries.tolist(), "n_results": options.k}
                response = {key: answer[key] for key in ("ids", "distances", "documents", "metadatas")}
                record = {"server": f"chroma {client.get_version()}", "space": space, "request": request, "response": response}
                (options.out / f"chroma.{space}.json").write_text(json.dumps(record) + "\n")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
