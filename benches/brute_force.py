"""The exact search of `tune` beside numpy's product (BLAS) on the same vectors and cores; prints one line of JSON.

    python benches/brute_force.py path/to/vec2lance --rows 1000000 --dimension 384 --queries 1000 --folder /some/disk

numpy has the vectors in memory and only multiplies; the program reads them from its dataset and keeps the nearest ten. Each is measured
--times times, in turn, and the medians are compared. The dataset is made once and kept in the folder. Needs numpy, pyarrow.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STEP = 65536


def product(queries, vectors):
    begin = time.perf_counter()
    for start in range(0, len(vectors), STEP):
        queries @ vectors[start:start + STEP].T
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((1000, options.dimension), dtype=np.float32)
    vectors = centres[rng.integers(0, 1000, options.rows)]
    vectors += 0.5 * rng.standard_normal(vectors.shape, dtype=np.float32)
    queries = centres[rng.integers(0, 1000, options.queries)] + 0.5 * rng.standard_normal((options.queries, options.dimension), dtype=np.float32)
    column = lambda rows: pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), options.dimension)  # noqa: E731
    name = f"brute-{options.rows}-{options.dimension}.lance"
    if not (options.folder / name).exists():
        dump = options.folder / "brute.parquet"
        with pq.ParquetWriter(dump, pa.schema([("id", pa.string()), ("vector", column(vectors[:1]).type)])) as out:
            for start in range(0, options.rows, STEP):
                part = vectors[start:start + STEP]
                ids = pa.array([str(i) for i in range(start, start + len(part))])
                out.write_table(pa.table({"id": ids, "vector": column(part)}))
        subprocess.run([options.binary, "convert", dump, name, "--index", "ivf_pq", "--sub-vectors", "16", "--metric", "cosine"],
                       cwd=options.folder, check=True, stdout=subprocess.DEVNULL)
        dump.unlink()
    pq.write_table(pa.table({"vector": column(queries)}), options.folder / "brute-queries.parquet")
    command = [options.binary, "search", name, "--vector", "brute-queries.parquet", "--all", "--exact", "--json"]
    numpy_seconds, own_seconds, memory = [], [], 0
    for _ in range(options.times):
        numpy_seconds.append(product(queries, vectors))
        found = json.loads(subprocess.run(command, cwd=options.folder, check=True, capture_output=True, text=True).stdout)
        own_seconds.append(found["ms"] / 1000)
        memory = max(memory, found["peak_memory"] or 0)
    ours, theirs = float(np.median(own_seconds)), float(np.median(numpy_seconds))
    print(json.dumps({"rows": options.rows, "dimension": options.dimension, "queries": options.queries, "numpy_seconds": numpy_seconds,
                      "vec2lance_seconds": own_seconds, "speed": round(theirs / ours, 3), "peak_memory": memory}))


if __name__ == "__main__":
    main()
