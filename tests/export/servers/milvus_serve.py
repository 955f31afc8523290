"""Serves a folder as Milvus Lite over gRPC on a free loopback port until stdin ends.

usage: milvus_serve.py FOLDER [PORT]     prints the port when it is ready
"""

import sys

from milvus_lite.adapter.grpc.server import start_server_in_thread

server, db, port = start_server_in_thread(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
print(port, flush=True)
# The test that started this holds the other end: it cannot outlive it.
sys.stdin.read()
server.stop(grace=1)
db.close()
