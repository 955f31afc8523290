"""How long converting takes, side by side with the plain Python way: pyarrow.json into pylance, five columns, no index.

Alternates both on the same file and prints medians and their ratio; the machine is noisy, so a single figure means nothing.
Not a test: it never fails on speed. Needs the environment of tests/acceptance (pylance, pyarrow) and a dump of Qdrant's shape:

    python tests/acceptance/make_dump.py --corpus corpus.parquet --shape qdrant --floats short --out dump.jsonl
    python benches/convert.py --binary target/release/vec2lance --dump dump.jsonl [--rounds 5]
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """
import sys, pyarrow as pa, pyarrow.json as pj, lance
t = pj.read_json(sys.argv[1], read_options=pj.ReadOptions(block_size=64 << 20))
d = len(t['vector'][0])
v = pa.FixedSizeListArray.from_arrays(t['vector'].combine_chunks().flatten().cast(pa.float32()), d)
p = t['payload'].combine_chunks()
lance.write_dataset(pa.table({'id': t['id'], 'vector': v, 'title': p.field('title'), 'text': p.field('text')}), sys.argv[2])
"""


def timed(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--dump", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ours, plain = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.lance"
        for _ in range(options.rounds):
            # Scalar and full-text indices are part of every conversion, so the stage `convert` is what compares.
            timed([options.binary, "convert", options.dump, out, "--index", "none"])
            ours.append(json.loads((Path(folder) / "out.report.json").read_text())["seconds"]["convert"])
            shutil.rmtree(out)
            plain.append(timed([sys.executable, "-c", PLAIN, options.dump, out])[0])
            shutil.rmtree(out)
    size = options.dump.stat().st_size / 1e6
    mine, theirs = statistics.median(ours), statistics.median(plain)
    result = {
        "mb": round(size, 1),
        "rounds": options.rounds,
        "vec2lance_convert_s": round(mine, 3),
        "pyarrow_pylance_s": round(theirs, 3),
        "ratio": round(theirs / mine, 2),
        "vec2lance_mb_per_s": round(size / mine, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
