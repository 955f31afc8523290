"""Throughput of `vec2lance-export chroma` beside Chroma's official Python client, on one server, in turns.

    python chroma.py EXPORTER [--records N] [--dimension D] [--vectors FILE.parquet] [--rounds N]

Needs chromadb (and pyarrow for --vectors) in this Python. Starts a server of its own on a free port, fills it with N records of D random
values or with the column `vector` of a Parquet file, and then reads them in turns:

  pages     the official client: collection.get(limit, offset) with everything included, nothing kept
  written   the same, and each record as a line of JSON into a plain file: what a script of one's own would do
  server    the same pages as plain HTTP without reading the JSON, one and four at a time: what the server itself allows
  exporter  a whole snapshot: counts, ids, records, checks, compressed parts, manifest
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import chromadb
import numpy as np

PAGE = 1000
INCLUDE = ["embeddings", "documents", "metadatas", "uris"]


def vectors(args):
    if not args.vectors:
        return np.random.default_rng(1).standard_normal((args.records, args.dimension)).astype(np.float32)
    import pyarrow.parquet

    column = pyarrow.parquet.read_table(args.vectors, columns=["vector"]).column("vector").combine_chunks()[: args.records]
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), -1)


def fill(client, rows):
    collection = client.create_collection("bench", embedding_function=None)
    for at in range(0, len(rows), PAGE):
        numbers = range(at, min(at + PAGE, len(rows)))
        collection.add(
            ids=[f"id-{n:08}" for n in numbers],
            embeddings=rows[at : at + PAGE],
            documents=[f"Document {n}: " + "the quick brown fox jumps over the lazy dog. " * 4 for n in numbers],
            metadatas=[{"number": n, "share": n / 3, "even": n % 2 == 0, "tag": f"tag-{n % 17}"} for n in numbers],
        )
    return collection


def pages(collection, count):
    read = 0
    for offset in range(0, count, PAGE):
        read += len(collection.get(limit=PAGE, offset=offset, include=INCLUDE)["ids"])
    assert read == count, read


def written(collection, count, folder):
    with open(Path(folder) / "lines.jsonl", "w", encoding="utf-8") as out:
        for offset in range(0, count, PAGE):
            page = collection.get(limit=PAGE, offset=offset, include=INCLUDE)
            for at, record_id in enumerate(page["ids"]):
                record = {"id": record_id, "embedding": page["embeddings"][at].tolist(), "document": page["documents"][at]}
                out.write(json.dumps(record | {"metadata": page["metadatas"][at], "uri": page["uris"][at]}) + "\n")


def server(url, collection, count, at_once):
    address = f"{url}/api/v2/tenants/default_tenant/databases/default_database/collections/{collection.id}/get"

    def one(offset):
        body = json.dumps({"limit": PAGE, "offset": offset, "include": INCLUDE}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, body, {"content-type": "application/json"})) as answer:
            return len(answer.read())

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, range(0, count, PAGE)))


def exporter(program, url, count, folder):
    """Its peak of memory in MiB, by its own word: what wait4 says of a child begins with the memory of this process."""
    snapshot = Path(folder) / "snapshot"
    command = [program, "chroma", snapshot, "--url", url, "--collection", "bench", "--quiet", "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    manifest = json.loads((snapshot / "manifest.json").read_text())
    assert manifest["collections"][0]["count"] == count
    return report["peak_memory"] / (1 << 20)


def serve(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    child = subprocess.Popen([program, "run", "--host", "127.0.0.1", "--port", str(port), "--path", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat").read()
            return child, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.1)
    child.kill()
    sys.exit("the server does not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exporter")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--vectors", help="a Parquet file with a column `vector`")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rows = vectors(args)
    with tempfile.TemporaryDirectory() as data:
        child, url = serve(data)
        try:
            client = chromadb.HttpClient(host="127.0.0.1", port=int(url.rsplit(":", 1)[1]))
            collection = fill(client, rows)
            count, times, peaks = len(rows), {}, []
            print(f"{count} records of {rows.shape[1]} values, chromadb {chromadb.__version__}, {os.cpu_count()} processors")
            for number in range(args.rounds):
                for name, run in [
                    ("pages", lambda folder: pages(collection, count)),
                    ("exporter", lambda folder: peaks.append(exporter(args.exporter, url, count, folder))),
                    ("written", lambda folder: written(collection, count, folder)),
                    ("server, 1 at a time", lambda folder: server(url, collection, count, 1)),
                    ("server, 4 at a time", lambda folder: server(url, collection, count, 4)),
                ]:
                    folder = tempfile.mkdtemp()
                    began = time.perf_counter()
                    run(folder)
                    times.setdefault(name, []).append(time.perf_counter() - began)
                    shutil.rmtree(folder)
                print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}: " + ", ".join(f"{name} {all_[-1]:.2f} s" for name, all_ in times.items()), flush=True)
            median = {name: statistics.median(all_) for name, all_ in times.items()}
            for name, seconds in median.items():
                print(f"{name:22} {seconds:6.2f} s  {count / seconds:9.0f} records a second  {seconds / median['exporter']:5.2f} times the exporter's time")
            print(f"peak memory of the exporter: {max(peaks):.0f} MiB")
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()


main()
