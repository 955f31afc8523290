"""Makes up records of the Qdrant shape and writes them as dumps in every encoding; the same number is always the same record.

Knows nothing of the program.
"""

import gzip
import json

import numpy as np
import zstandard

DIMENSION = 96


def record(number, dimension=DIMENSION, variant=0, **more):
    """One record. Another variant has another vector and the same payload."""
    random = np.random.default_rng([number, variant])
    vector = [float(str(x)) for x in random.normal(size=dimension).astype(np.float32).round(4)]
    payload = {"title": f"Record {number}", "text": f"word{number} and some text that is found again", "n": number, "score": number / 7,
               "tags": [f"t{number % 7}"], "size": {"installed": number * 3, "parts": [1, 2.5, None]}, "nothing": None, "essential": number % 2 == 0}
    return {"id": number, "vector": vector, "payload": payload | more}


def vector(item):
    """The record's main vector as it must be in the dataset."""
    held = item["vector"]
    return np.array(held["default"] if isinstance(held, dict) else held, np.float32)


def records(first, count, **how):
    return [record(n, **how) for n in range(first, first + count)]


def text(item, **how):
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"), **how)


def jsonl(path, items):
    """JSON lines, compressed by the ending; an item may be a line already."""
    data = "".join((item if isinstance(item, str) else text(item)) + "\n" for item in items).encode()
    return packed(path, data)


def packed(path, data):
    if path.suffix == ".zst":
        data = zstandard.ZstdCompressor(level=3).compress(data)
    elif path.suffix == ".gz":
        data = gzip.compress(data, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def unpacked(path):
    raw = path.read_bytes()
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompress(raw)
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def turned(value):
    """The same value, the keys of every object in the opposite order."""
    return {k: turned(v) for k, v in reversed(value.items())} if isinstance(value, dict) else value


def array(path, items, indent=None):
    return packed(path, json.dumps(items, ensure_ascii=False, indent=indent).encode())


def wrapped(path, items):
    return packed(path, json.dumps({"points": items, "next_page_offset": None}).encode())


def shards(folder, items, endings):
    """The items in as many files as there are endings."""
    step = -(-len(items) // len(endings))
    for number, ending in enumerate(endings):
        jsonl(folder / f"part-{number:03}.{ending}", items[number * step : (number + 1) * step])
    return folder
