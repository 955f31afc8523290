"""Makes the files that are compared: Qdrant-shaped JSON lines, Pinecone-shaped Parquet, shards, and odd files for memory.

    python data.py vectors --dims 768 --rows 50000 --out v.npy
    python data.py jsonl --vectors v.npy --rows 50000 --floats short --payload small --out points.jsonl

Every file depends on its options only, not on the clock or on the number of cores. The vectors lie in a .npy of their own,
which is also what results are held against. These are good dumps for measuring; they say nothing about what a real model's
embeddings look like (--corpus takes real ones), and bad input lies in fixtures/.
"""

import argparse
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STEP = 2000
CENTRES, RANK = 256, 32
WORDS = 8000
FOREIGN = ("Überblick", "naïve", "façade", "résumé", "données", "東京", "検索", "поиск", "вектор", "δεδομένα", "señal", "😀", "→")


def mixture(dims, rows, stream):
    """Unit vectors around centres, correlated along a few directions, so that k-means and PQ have something to find.

    `stream` tells the rows of the dump (0) from the held-out questions (1), which come from the same distribution.
    """
    fixed = np.random.default_rng([dims, 7])
    centres = fixed.normal(size=(CENTRES, dims)) / np.sqrt(dims)
    weights = fixed.dirichlet(np.ones(CENTRES))
    directions = fixed.normal(size=(RANK, dims)) / np.sqrt(dims) / np.sqrt(1 + np.arange(RANK))[:, None]
    out = np.empty((rows, dims), np.float32)
    for begin in range(0, rows, STEP):
        rng = np.random.default_rng([dims, 8 + stream, begin])
        count = min(STEP, rows - begin)
        vectors = centres[rng.choice(CENTRES, size=count, p=weights)]
        vectors = vectors + rng.normal(scale=0.5, size=(count, RANK)) @ directions
        vectors += rng.normal(scale=0.4 / np.sqrt(dims), size=(count, dims))
        out[begin : begin + count] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return out


def from_corpus(path, rows):
    """Real vectors; more than the corpus has are its own again, each moved a little."""
    column = pq.read_table(path, columns=["vector"])["vector"].combine_chunks()
    matrix = column.flatten().to_numpy().reshape(len(column), -1)
    out = matrix[np.arange(rows) % len(matrix)].astype(np.float32)
    for begin in range(len(matrix), rows, STEP):
        block = out[begin : begin + STEP]
        block += np.random.default_rng(begin).normal(scale=0.02, size=block.shape).astype(np.float32)
    return out


def vocabulary():
    """Made-up words, and those of other scripts."""
    rng = np.random.default_rng(11)
    parts = ["".join(pair) for pair in np.array(np.meshgrid(list("bdfgklmnprstvz"), list("aeiou"))).reshape(2, -1).T]
    made = ["".join(rng.choice(parts, size=n)) for n in rng.integers(1, 5, size=WORDS - len(FOREIGN))]
    return np.array(made + list(FOREIGN), dtype=object)


class Payloads:
    """The payloads of a step of records: a few typed fields, or also 400 to 1500 characters of text; or a corpus's own."""

    def __init__(self, kind, corpus):
        self.kind = kind
        self.words = vocabulary()
        frequency = 1 / (10 + np.random.default_rng(12).permutation(WORDS))
        self.weights = frequency / frequency.sum()
        self.corpus = pq.read_table(corpus, columns=["title", "text"]) if corpus else None

    def step(self, begin, count):
        rng = np.random.default_rng([13, begin])
        texts = self.texts(rng, begin, count)
        titles = rng.choice(self.words, size=(count, 4), p=self.weights).tolist()
        years, flags = rng.integers(1990, 2026, count).tolist(), rng.integers(0, 2, count).tolist()
        ratings = rng.random(count).round(3).tolist()
        for i in range(count):
            fields = {"title": " ".join(titles[i]), "year": years[i], "rating": ratings[i], "lang": ("en", "fr", "ja")[(begin + i) % 3],
                      "published": bool(flags[i]), "tags": titles[i][:2]}
            if texts:
                fields |= texts[i]
            # A third with non-ASCII characters escaped, as many exporters do by default.
            yield json.dumps(fields, ensure_ascii=(begin + i) % 3 == 0, separators=(",", ":"))

    def texts(self, rng, begin, count):
        if self.corpus is not None:
            return self.corpus.take(pa.array(np.arange(begin, begin + count) % self.corpus.num_rows)).to_pylist()
        if self.kind == "small":
            return None
        sizes = rng.integers(60, 230, count)
        words = rng.choice(self.words, size=int(sizes.sum()), p=self.weights)
        marks = rng.random(len(words))
        words = np.where(marks < 0.02, words + '."\n', np.where(marks < 0.04, '"' + words, np.where(marks < 0.045, words + "\\\t", words)))
        ends = np.cumsum(sizes)
        pieces = [" ".join(words[end - size : end])[:1500] for size, end in zip(sizes, ends)]
        return [{"text": piece, "author": f"é. {n % 97}"} for n, piece in enumerate(pieces)]


def number_texts(vectors, floats):
    """The text of each vector. Long: the float32 widened to double, as Python writes it. Short: the fewest digits."""
    if floats == "long":
        return [json.dumps(v, separators=(",", ":"))[1:-1] for v in vectors.astype(np.float64).tolist()]
    width = vectors.shape[1]
    texts = pa.array(vectors.ravel()).cast(pa.string()).to_pylist()
    return [",".join(texts[i : i + width]) for i in range(0, len(texts), width)]


def lines(options):
    """The records as lines. Beyond --repeat, the numbers' text is that of earlier records: only its size matters then."""
    vectors = np.load(options.vectors, mmap_mode="r")
    payloads = Payloads(options.payload, options.corpus)
    period = options.repeat and max(options.repeat // STEP, 1) * STEP
    kept = {}
    for begin in range(0, options.rows, STEP):
        count = min(STEP, options.rows - begin)
        at = begin % period if period else begin
        numbers = kept.get(at) or number_texts(vectors[at : at + count], options.floats)
        if options.repeat:
            kept[at] = numbers
        yield from (f'{{"id":{begin + i},"vector":[{numbers[i]}],"payload":{p}}}\n' for i, p in enumerate(payloads.step(begin, count)))


def make_jsonl(options):
    with options.out.open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines(options)):
            out.write(line)
            if options.long_line and number == options.rows // 2:
                text = "A long line, é. " * (options.long_line // 17)
                head, _, _ = line.partition('"payload":')
                head = head.replace(f'"id":{number},', f'"id":{options.rows},', 1)
                out.write(head + '"payload":' + json.dumps({"text": text}, ensure_ascii=False) + "}\n")


def make_parquet(options):
    """Pinecone's bulk-import columns; with --one-group as one row group without compression."""
    vectors = np.load(options.vectors, mmap_mode="r")
    payloads = Payloads(options.payload, options.corpus)
    schema = pa.schema([("id", pa.string()), ("values", pa.list_(pa.float32())), ("metadata", pa.string())])
    tables = []
    for begin in range(0, options.rows, STEP):
        block = vectors[begin : min(begin + STEP, options.rows)]
        values = pa.ListArray.from_arrays(np.arange(0, block.size + 1, block.shape[1], dtype=np.int32), pa.array(block.ravel()))
        ids = pa.array([str(begin + i) for i in range(len(block))])
        tables.append(pa.Table.from_arrays([ids, values, pa.array(payloads.step(begin, len(block)))], schema=schema))
    size = options.rows if options.one_group else 5 * STEP
    pq.write_table(pa.concat_tables(tables), options.out, row_group_size=size, compression="none" if options.one_group else "zstd")


def compress(source, out):
    if out.suffix == ".zst":
        import zstandard

        with source.open("rb") as raw, out.open("wb") as packed:
            zstandard.ZstdCompressor(level=3).copy_stream(raw, packed)
    else:
        with source.open("rb") as raw, gzip.open(out, "wb", compresslevel=4) as packed:
            shutil.copyfileobj(raw, packed, 1 << 20)


def make_shards(options):
    """The same records as a folder of shards in zstd, in the same order, each of about the same size."""
    import zstandard

    total = options.source.stat().st_size
    options.out.mkdir()
    with options.source.open("rb") as raw:
        for shard in range(options.shards):
            limit = total * (shard + 1) // options.shards
            path = options.out / f"points-{shard:03}.jsonl.zst"
            with path.open("wb") as packed, zstandard.ZstdCompressor(level=3).stream_writer(packed) as out:
                while raw.tell() < limit and (line := raw.readline()):
                    out.write(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["vectors", "queries", "jsonl", "parquet", "compress", "shards"])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--dims", type=int, default=768)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--vectors", type=Path, help=".npy with at least --rows (or --repeat) rows")
    parser.add_argument("--corpus", type=Path, help="Parquet with vector, title, text: real records instead of made ones")
    parser.add_argument("--floats", choices=["short", "long"], default="short")
    parser.add_argument("--payload", choices=["small", "large"], default="small")
    parser.add_argument("--repeat", type=int, help=f"vectors repeat after so many rows, a multiple of {STEP}")
    parser.add_argument("--long-line", type=int, help="one record more, of so many bytes, in the middle")
    parser.add_argument("--one-group", action="store_true", help="Parquet: one row group, not compressed")
    parser.add_argument("--source", type=Path, help="of compress and shards")
    parser.add_argument("--shards", type=int)
    options = parser.parse_args()
    if options.what in ("vectors", "queries"):
        stream = int(options.what == "queries")
        made = from_corpus(options.corpus, options.rows) if options.corpus else mixture(options.dims, options.rows, stream)
        with options.out.open("wb") as out:
            np.save(out, made)
    elif options.what == "compress":
        compress(options.source, options.out)
    else:
        {"jsonl": make_jsonl, "parquet": make_parquet, "shards": make_shards}[options.what](options)


if __name__ == "__main__":
    main()
