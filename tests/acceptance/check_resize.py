"""Holds the components of `--resize pca` and the rows made with them against numpy's SVD, on real and on made-up vectors.

Run: python3 check_resize.py target/release/vec2lance [DUMP.jsonl…]. Not a search: that is check_search.py's.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import lance
import numpy as np
import zstandard

HERE = pathlib.Path(__file__).resolve().parent


def made_up(path, rows, dimension):
    """Vectors that differ in a few directions, far from zero."""
    rng = np.random.default_rng(rows)
    vectors = rng.normal(size=(rows, dimension)) @ np.diag(1 / np.sqrt(np.arange(1, dimension + 1))) + 3
    with open(path, "w", encoding="utf-8") as out:
        for at, vector in enumerate(vectors.astype(np.float32)):
            out.write(json.dumps({"id": at, "vector": vector.tolist(), "payload": {"n": at}}) + "\n")
    return path


def check(binary, folder, dump, to):
    dataset = folder / "out.lance"
    command = [binary, "convert", dump, dataset, "--from", "qdrant", "--collection", "c", "--overwrite", "--verify", "--json"]
    command += ["--dimension", str(to), "--resize", "pca", "--memory", "512MiB"]
    report = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)
    records = [json.loads(line) for line in open(dump, encoding="utf-8")]
    vectors = np.array([r["vector"] for r in records], dtype=np.float32).astype(np.float64)
    rows, dimension = vectors.shape
    stored = np.load(folder / "out.pca.npz")
    mean, components, variances = (stored[f"qdrant/c/{dimension}/{name}"] for name in ("mean", "components", "variances"))
    _, singular, wanted = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    wanted = wanted[:to] * np.sign((wanted[:to] * components).sum(axis=1))[:, None]
    worst = np.abs(wanted - components).max()
    assert worst < 1e-4, f"components differ by {worst}"
    assert (components.max(axis=1) == np.abs(components).max(axis=1)).all(), "the value of largest size is not positive"
    assert np.abs(mean - vectors.mean(axis=0)).max() < 1e-9
    spread = singular**2 / (rows - 1)
    assert np.allclose(variances, spread[:to], rtol=1e-8)
    assert abs(report["resized"][0]["variance_kept"] - spread[:to].sum() / spread.sum()) < 1e-9
    assert report["peak_memory"] < 512 << 20, report["peak_memory"]
    table = lance.dataset(str(dataset)).to_table(columns=["x_original_id", "vector"], filter="record_type != 'collection_header'")
    by_id = dict(zip(table["x_original_id"].to_pylist(), table["vector"].to_pylist()))
    there = np.array([by_id[str(r["id"])] for r in records])
    assert np.allclose(there, (vectors - mean) @ components.T, atol=1e-5 * np.abs(vectors).max())
    print(f"{rows} x {dimension} -> {to}: components within {worst:.1e}, variance kept {report['resized'][0]['variance_kept']:.4f}")


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        real = folder / "points.jsonl"
        packed = HERE.parent.parent / "fixtures/qdrant/good/points.jsonl.zst"
        real.write_bytes(zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read())
        dumps = [(real, 128), (made_up(folder / "a.jsonl", 400, 50), 10), (made_up(folder / "b.jsonl", 3000, 97), 96)]
        dumps += [(pathlib.Path(dump).resolve(), 128) for dump in sys.argv[2:]]
        for dump, to in dumps:
            check(binary, folder, dump, to)


main()
