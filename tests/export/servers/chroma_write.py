"""Writes to a collection until stdin is closed: deletes, inserts, adds again, updates. Logs each version before it is written.

    chroma_write.py URL COLLECTION LOG
"""

import json
import random
import sys
import threading
from urllib.parse import urlsplit

import chromadb
import numpy as np


def main():
    address, name, log = urlsplit(sys.argv[1]), sys.argv[2], open(sys.argv[3], "w", encoding="utf-8")
    collection = chromadb.HttpClient(host=address.hostname, port=address.port).get_collection(name, embedding_function=None)
    rng = random.Random(3)
    ids = collection.get(include=[])["ids"]
    # From the first third and from all over: what is deleted moves up what was not listed yet.
    fleeting = ids[: len(ids) // 3 : 2] + ids[len(ids) // 3 :: 20]
    dimension = len(collection.get(ids=ids[:1], include=["embeddings"])["embeddings"][0])
    gone, made, counts = [], 0, {"deleted": 0, "added": 0, "again": 0, "updated": 0}
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

    def versions(some):
        vectors = np.asarray([[rng.gauss(0, 1) for _ in range(dimension)] for _ in some], dtype=np.float32)
        documents = [f"version {rng.random()}" for _ in some]
        for record_id, vector, document in zip(some, vectors, documents):
            log.write(json.dumps([record_id, vector.tolist(), document]) + "\n")
        log.flush()
        return {"ids": some, "embeddings": vectors, "documents": documents}

    # What they are before the first change: they may be exported as that.
    for at in range(0, len(fleeting), 1000):
        page = collection.get(ids=fleeting[at : at + 1000], include=["embeddings", "documents"])
        for record_id, vector, document in zip(page["ids"], page["embeddings"], page["documents"]):
            log.write(json.dumps([record_id, np.asarray(vector).tolist(), document]) + "\n")
    log.flush()
    print("ready", flush=True)
    while not ended.is_set():
        some = [fleeting.pop(rng.randrange(min(len(fleeting), 400))) for _ in range(min(40, len(fleeting)))]
        if some:
            collection.delete(ids=some)
            gone += some
            counts["deleted"] += len(some)
        made += 20
        collection.add(**versions([f"new-{made - i}" for i in range(20)]))
        counts["added"] += 20
        if len(gone) > 100:
            again = [gone.pop(rng.randrange(len(gone))) for _ in range(15)]
            collection.add(**versions(again))
            fleeting += again
            counts["again"] += 15
        if fleeting:
            changed = rng.sample(fleeting, min(20, len(fleeting)))
            collection.update(**versions(changed))
            counts["updated"] += len(changed)
    print(json.dumps(counts), flush=True)


main()
