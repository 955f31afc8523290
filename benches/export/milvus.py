"""Export of one collection from Milvus Lite beside pymilvus' query iterator on the same server, in turns.

usage: milvus.py EXPORTER [--rows 20000] [--dim 384] [--parquet FILE] [--rounds 3] [--batches 1000,16384]

Needs what tests/export/servers/requirements.txt names (and pyarrow for --parquet, whose column "vector" is then loaded). Both sides
write JSON lines to a file: that of pymilvus by the shortest code that keeps the bits. "raw" is the server alone: pages of the same
query, thrown away as they come off the wire.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("exporter")
parser.add_argument("--rows", type=int, default=20000)
parser.add_argument("--dim", type=int, default=384)
parser.add_argument("--parquet")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batches", default="1000,16384")
arguments = parser.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
folder = tempfile.mkdtemp(prefix="milvus-bench-")


def load(client, DataType):
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=arguments.dim)
    schema.add_field("text", DataType.VARCHAR, max_length=2000)
    index = client.prepare_index_params()
    index.add_index(field_name="vec", index_type="FLAT", metric_type="COSINE")
    client.create_collection("bench", schema=schema, index_params=index)
    if arguments.parquet:
        import pyarrow.parquet

        column = pyarrow.parquet.read_table(arguments.parquet, columns=["vector"]).column("vector")
        vectors = (value.as_py() for value in column)
    else:
        dice = random.Random(1)
        vectors = ([dice.gauss(0, 1) for _ in range(arguments.dim)] for _ in range(arguments.rows))
    rows = []
    for i, vector in zip(range(arguments.rows), vectors):
        rows.append({"id": i, "vec": vector, "text": f"The text of number {i}."})
        if len(rows) == 2000:
            client.insert("bench", rows)
            rows = []
    if rows:
        client.insert("bench", rows)


def with_pymilvus(url, batch):
    """In a process of its own, as the exporter is."""
    code = f"""
import json, struct
from pymilvus import MilvusClient
client = MilvusClient({url!r})
iterator = client.query_iterator("bench", batch_size={batch}, output_fields=["*"])
count = 0
with open({folder!r} + "/theirs.jsonl", "w") as out:
    while rows := iterator.next():
        for row in rows:
            row["vec"] = [float(v) for v in row["vec"]]
            out.write(json.dumps(row) + "\\n")
        count += len(rows)
assert count == {arguments.rows}, count
"""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def with_exporter(url, *more):
    out = os.path.join(folder, "snapshot")
    shutil.rmtree(out, ignore_errors=True)
    begun = time.monotonic()
    command = [arguments.exporter, "milvus", "--url", url, "--collection", "bench", "--quiet", "--json", *more, out]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took = time.monotonic() - begun
    with open(os.path.join(out, "manifest.json")) as file:
        assert json.load(file)["collections"][0]["count"] == arguments.rows
    return took, json.loads(done.stdout)


def raw(url, batch):
    """The pages alone: bytes of answers, not decoded."""
    import grpc
    from pymilvus.grpc_gen import common_pb2, milvus_pb2

    options = [("grpc.max_receive_message_length", -1)]
    call = grpc.insecure_channel(url.removeprefix("http://"), options=options).unary_unary(
        "/milvus.proto.milvus.MilvusService/Query", request_serializer=milvus_pb2.QueryRequest.SerializeToString, response_deserializer=len
    )
    begun = time.monotonic()
    for first in range(0, arguments.rows, batch):
        params = [common_pb2.KeyValuePair(key=k, value=v) for k, v in [("iterator", "True"), ("limit", str(batch))]]
        call(milvus_pb2.QueryRequest(collection_name="bench", expr=f"id >= {first}", output_fields=["*"], query_params=params))
    return time.monotonic() - begun


server = subprocess.Popen(
    [sys.executable, os.path.join(here, "../../tests/export/servers/milvus_serve.py"), os.path.join(folder, "db")],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
try:
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"
    from pymilvus import DataType, MilvusClient

    load(MilvusClient(url), DataType)
    times = {}
    for turn in range(arguments.rounds):
        for batch in map(int, arguments.batches.split(",")):
            took, _ = with_pymilvus(url, batch)
            times.setdefault(f"pymilvus, pages of {batch}", []).append(took)
            took, report = with_exporter(url, "--batch", str(batch))
            times.setdefault(f"vec2lance-export, pages of {batch} at most", []).append(took)
            times.setdefault(f"raw, pages of {batch}", []).append(raw(url, batch))
        took, report = with_exporter(url)
        times.setdefault("vec2lance-export, as it is", []).append(took)
        print(f"round {turn + 1}: {json.dumps({name: round(all[-1], 2) for name, all in times.items()})}", file=sys.stderr)
    for name, all in times.items():
        middle = statistics.median(all)
        print(f"{name:48} {middle:7.2f} s  {arguments.rows / middle:8.0f} records/s  ({min(all):.2f} to {max(all):.2f})")
    print(json.dumps(report)[:2000])
finally:
    server.stdin.close()
    server.wait(30)
    shutil.rmtree(folder, ignore_errors=True)
