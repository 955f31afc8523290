"""Makes dumps of the Qdrant shape, small ones and large ones, wrapped in every way. Knows nothing of the program.

Made by string work and not by `json`, because a dump of many megabytes must not take longer than the runs that read it.
"""

import gzip
import itertools


def lines(first, count, dimension=16, seed=0):
    """Records of a Qdrant-shaped dump as JSON lines."""
    # One long row of numbers, of which every vector is a part.
    numbers = [f"{((n * 7919 + seed * 104729) % 199999) / 100000 - 1:.5f}" for n in range(997 + dimension)]
    out = []
    for n in range(first, first + count):
        vector = ",".join(numbers[n * 31 % 997 : n * 31 % 997 + dimension])
        payload = f'{{"title":"Record {n}","text":"word{n} some text that is found again","n":{n},"tags":["t{n % 7}"]}}'
        out.append(f'{{"id":{n},"vector":[{vector}],"payload":{payload}}}\n')
    return out


def zstd(data):
    """Zstandard with raw blocks only (RFC 8878): Python has had a compressor of its own only since 3.14."""
    parts = [b"\x28\xb5\x2f\xfd\x00\x50"]
    blocks = [data[at : at + (1 << 17)] for at in range(0, len(data), 1 << 17)] or [b""]
    for number, block in enumerate(blocks):
        parts += [(len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little"), block]
    return b"".join(parts)


def write(path, *texts, pack=lambda data: data):
    path.write_bytes(pack("".join(itertools.chain(*texts)).encode()))
    return path


def mixed(folder, count=600, dimension=16):
    """A folder of shards of every wrapping, with a record that is refused and one whose id stands twice."""
    dump = folder / "dump"
    dump.mkdir()
    third = count // 3
    write(dump / "points-0.jsonl", lines(0, third, dimension), "not JSON\n")
    write(dump / "points-1.jsonl.zst", lines(third, third, dimension), pack=zstd)
    write(dump / "points-2.jsonl.gz", lines(2 * third, third, dimension), lines(5, 1, dimension, 1), pack=lambda data: gzip.compress(data, 1, mtime=0))
    return dump


def plain(count, dimension=16):
    """Makes a dump of one plain file."""
    return lambda folder: write(folder / "points.jsonl", lines(0, count, dimension))
