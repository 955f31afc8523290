"""Fills a running Chroma through its official client: every type of value, and every way that a record can change.

    chroma_load.py URL COUNT

`records` gets COUNT records, of which some are then updated, deleted and added again. What it holds in the end is not noted:
chroma_check.py asks the server through the same client.
"""

import random
import sys
from urllib.parse import urlsplit

import chromadb
import numpy as np

PAGE = 1000
ODD = ["", " ", "é", "日本語", "🦊🔥", "\"quoted\"", "back\\slash", "line\nbreak\r\n", "tab\t", "\u2028\u2029", "العربية", "a" * 1000, "null", "0", "{}", "\u007f\u0001"]
KEYS = ["plain", "with space", "dot.ted", "sla/sh", "ключ", "🔑", "quote\"", "back\\slash", "CASE", "case", "z", "a"]


def value(rng, kind):
    """A value of one of Chroma's types."""
    return {
        "int": lambda: rng.choice([0, 1, -1, 2**62, -(2**63), 2**63 - 1, 2**53 + 1, rng.randrange(-(10**6), 10**6)]),
        "float": lambda: rng.choice([0.1, 1.0, -2.5, 1e300, -5e-324, 1e-7, 123456789.125, rng.random(), rng.gauss(0, 1e6)]),
        "bool": lambda: rng.random() < 0.5,
        "string": lambda: rng.choice(ODD) + str(rng.randrange(100)),
        "ints": lambda: [rng.randrange(-(2**62), 2**62) for _ in range(rng.randrange(1, 5))],
        "floats": lambda: [rng.choice([1.0, 0.1, -1e-9, rng.random()]) for _ in range(rng.randrange(1, 5))],
        "bools": lambda: [rng.random() < 0.5 for _ in range(rng.randrange(1, 5))],
        "strings": lambda: [rng.choice(ODD) + "." for _ in range(rng.randrange(1, 5))],
    }[kind]()


KINDS = ["int", "float", "bool", "string", "ints", "floats", "bools", "strings"]


def metadata(rng, number):
    if number % 17 == 0:
        return None
    picked = rng.sample(KEYS, rng.randrange(1, 6))
    # A key keeps its type: databases that check it do so by collection.
    return {f"{key} {kind}": value(rng, kind) for key in picked for kind in [rng.choice(KINDS)]} | {"number": number}


def record_id(number):
    return f"{ODD[number % len(ODD)]}id-{number:06}" if number % 5 == 0 else f"id-{number:06}"


def records(rng, numbers, dimension):
    numbers = list(numbers)
    vectors = np.asarray([[rng.gauss(0, 1) for _ in range(dimension)] for _ in numbers], dtype=np.float32)
    documents = [None if n % 7 == 0 else rng.choice(ODD) + f" document {n}" for n in numbers]
    uris = [f"file:///data/{n}.png?a=é&b" if n % 3 == 0 else None for n in numbers]
    return {
        "ids": [record_id(n) for n in numbers],
        "embeddings": vectors,
        "documents": documents,
        "uris": uris,
        "metadatas": [metadata(rng, n) for n in numbers],
    }


def pages(numbers):
    for at in range(0, len(numbers), PAGE):
        yield numbers[at : at + PAGE]


def fill(collection, rng, count, dimension):
    for page in pages(range(count)):
        collection.add(**records(rng, page, dimension))
    # Updated in place, some with keys of their metadata taken away.
    for page in pages(range(0, count, 11)):
        changed = records(rng, page, dimension)
        changed["metadatas"] = [m and m | {"updated": True, "number": None} for m in changed["metadatas"]]
        collection.update(**changed)
    # Metadata alone: it is merged with what was there.
    for page in pages(range(3, count, 13)):
        collection.update(ids=[record_id(n) for n in page], metadatas=[{"late": n / 3} for n in page])
    for page in pages(range(5, count, 6)):
        collection.delete(ids=[record_id(n) for n in page])
    # Every other one of those comes back, at the end.
    for page in pages(range(5, count, 12)):
        collection.add(**records(rng, page, dimension))
    for page in pages(range(count - count // 10, count + count // 10)):
        collection.upsert(**records(rng, page, dimension))


def main():
    address, count = urlsplit(sys.argv[1]), int(sys.argv[2])
    place = {"host": address.hostname, "port": address.port}
    rng = random.Random(20)
    client = chromadb.HttpClient(**place)

    def make(name, client=client, **more):
        return client.create_collection(name, embedding_function=None, **more)

    # Not cosine: there the server gives each vector's direction times its length, a bit or two away from what was written.
    fill(make("records", configuration={"hnsw": {"space": "l2"}}, metadata={"of": "tests", "n": 1, "f": 1.5, "b": True}), rng, count, 32)

    fill(make("cosine", configuration={"hnsw": {"space": "cosine"}}), rng, 300, 24)

    # Every bit pattern that is a number.
    bits = np.frombuffer(random.Random(7).randbytes(4 * 16 * 400), dtype=np.float32).reshape(400, 16)
    bits = bits[np.isfinite(bits).all(axis=1)]
    make("bits", configuration={"hnsw": {"space": "ip"}}).add(ids=[f"{i}" for i in range(len(bits))], embeddings=bits)
    edge = np.asarray([[0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, 1.17549435e-38, 0.1]], dtype=np.float32)
    make("edges").add(ids=["edges"], embeddings=edge)

    make("never-filled")
    emptied = make("emptied")
    emptied.add(ids=["a", "b"], embeddings=[[1.0, 2.0], [3.0, 4.0]])
    emptied.delete(ids=["a", "b"])
    make("old-metric", metadata={"hnsw:space": "ip"}).add(ids=["x"], embeddings=[[0.5, 0.25]], documents=["one"])
    # More collections than a page of them holds.
    for number in range(120):
        make(f"many-{number:03}")

    admin = chromadb.AdminClient(chromadb.Settings(chroma_api_impl="chromadb.api.fastapi.FastAPI", chroma_server_host=place["host"], chroma_server_http_port=place["port"]))
    admin.create_database("second")
    admin.create_tenant("other tenant é")
    admin.create_database("second", "other tenant é")
    admin.create_database("third", "other tenant é")
    for tenant, database in [("default_tenant", "second"), ("other tenant é", "second"), ("other tenant é", "third")]:
        with_tenant = chromadb.HttpClient(**place, tenant=tenant, database=database)
        collection = make("records", client=with_tenant)
        fill(collection, rng, 60, 4)
        collection.add(ids=["where"], embeddings=[[1, 2, 3, 4]], documents=[f"{tenant} {database}"])


main()
