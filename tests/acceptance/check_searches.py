"""The figures of `tune`, `compare` and `search --exact` against numpy and pylance, to 0.001.

    python tests/acceptance/check_searches.py path/to/vec2lance [--corpus corpus.parquet --queries queries.parquet]

Without a corpus, on made-up vectors in clusters, whose lengths differ. Neighbours are computed in float64; the searches are made again by
pylance with the parameters that the program names.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")

import lance  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

K = 10
RECORDED = Path(__file__).parent / "recorded"
SPACES = {"cosine": "cosine", "l2": "l2", "ip": "dot"}


def distances(metric, queries, vectors):
    queries, vectors = queries.astype(np.float64), vectors.astype(np.float64)
    dot = queries @ vectors.T
    if metric == "dot":
        return 1 - dot
    if metric == "cosine":
        return 1 - dot / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(vectors, axis=1))
    return (queries**2).sum(1)[:, None] + (vectors**2).sum(1)[None, :] - 2 * dot


class Data:
    """Records and queries, and the dataset made of them."""

    def __init__(self, folder, options):
        self.folder, self.binary = folder, options.binary
        if options.corpus:
            table = pq.read_table(options.corpus, columns=["id", "title", "text", "vector"])
            self.ids, self.texts = table["id"].to_pylist(), table["text"].to_pylist()
            self.vectors = self.matrix(table)
            self.queries = self.matrix(pq.read_table(options.queries))
        else:
            rng = np.random.default_rng(3)
            centres = rng.standard_normal((40, 48))
            self.vectors = (centres[rng.integers(0, 40, 4000)] + 0.6 * rng.standard_normal((4000, 48))).astype(np.float32)
            self.queries = (centres[rng.integers(0, 40, 150)] + 0.6 * rng.standard_normal((150, 48))).astype(np.float32)
            self.ids = [f"r{i}" for i in range(4000)]
            self.texts = [f"common text of row {i}" for i in range(4000)]
        with open(folder / "points.jsonl", "w") as out:
            for id_, text, vector in zip(self.ids, self.texts, self.vectors.tolist()):
                out.write(json.dumps({"id": id_, "vector": vector, "payload": {"text": text}}) + "\n")
        pq.write_table(pa.table({"vector": pa.array(self.queries.tolist(), pa.list_(pa.float32()))}), folder / "queries.parquet")

    @staticmethod
    def matrix(table):
        column = table["vector"].combine_chunks()
        return column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32)

    def run(self, *args, status=0):
        done = subprocess.run([self.binary, *args], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != status:
            sys.exit(f"{args}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def json(self, *args):
        return json.loads(self.run(*args, "--json"))


def recall(dataset, queries, limits, exact, metric, places, **nearest):
    """Mean share of the k nearest; a row counts if it is as near as the k-th."""
    hits = []
    for query, limit, row in zip(queries, limits, exact):
        found = dataset.to_table(nearest={"column": "vector", "q": query, "k": K, **nearest}, columns=["x_original_id", "_distance"])
        near = [row[places[i]] for i in found["x_original_id"].to_pylist()]
        hits.append(sum(d <= limit + 2e-7 * max(1, abs(limit)) for d in near) / K)
    return float(np.mean(hits))


def same(what, told, own, problems, tolerance=0.001):
    good = abs(told - own) <= tolerance
    print(f"{'ok' if good else 'WRONG':<6} {what}: {told:.4f}, by numpy {own:.4f}")
    problems += [] if good else [what]


def check_tune(data, metric, problems):
    name = f"{metric}.lance"
    data.run("convert", "points.jsonl", name, "--from", "qdrant", "--metric", metric, "--index", "ivf_pq", "--partitions", "8", "--sub-vectors", str(data.queries.shape[1] // 4))
    tuned = data.json("tune", name, "--queries", "queries.parquet", "--no-alternatives", "--dry-run")
    dataset = lance.dataset(str(data.folder / name))
    exact = distances(metric, data.queries, data.vectors)
    limits = np.sort(exact, axis=1)[:, K - 1]
    places = {id_: i for i, id_ in enumerate(data.ids)}
    of = lambda **nearest: recall(dataset, data.queries, limits, exact, metric, places, **nearest)  # noqa: E731
    same(f"{metric}: plain recall", tuned["plain"]["recall"], of(), problems)
    for point in tuned["points"][:: max(1, len(tuned["points"]) // 6)] + [tuned["chosen"] or tuned["points"][-1]]:
        nearest = {key: point[key] for key in ("nprobes", "refine_factor") if point[key] is not None}
        same(f"{metric}: {nearest}", point["recall"], of(**nearest), problems)
    for filtered in tuned["filtered"]:
        if filtered["prefilter"]:
            below = f"{int((0.01 if filtered['share'] < 0.05 else 0.1) * (2**32 - 1)):08x}"
            check_filter(data, dataset, metric, exact, places, tuned, filtered, below, problems)
    check_exact(data, name, metric, exact, problems)


def check_filter(data, dataset, metric, exact, places, tuned, filtered, below, problems):
    kept = dataset.to_table(columns=["x_original_id"], filter=f"uuid < '{below}' AND record_type = 'document'")["x_original_id"].to_pylist()
    inside = np.array([places[i] for i in kept])
    chosen = tuned["chosen"] or {}
    nearest = {key: chosen[key] for key in ("nprobes", "refine_factor") if chosen.get(key) is not None}
    hits = []
    for query, row in zip(data.queries, exact):
        limit = np.sort(row[inside])[K - 1]
        found = dataset.to_table(nearest={"column": "vector", "q": query, "k": K, **nearest}, filter=f"uuid < '{below}'", prefilter=True,
                                 columns=["x_original_id", "_distance"])
        hits.append(sum(row[places[i]] <= limit + 2e-7 * max(1, abs(limit)) for i in found["x_original_id"].to_pylist()) / K)
    same(f"{metric}: {filtered['share']:.1%} of the rows", filtered["recall"], float(np.mean(hits[:200])), problems)


def check_exact(data, name, metric, exact, problems):
    worst = 0.0
    for query, row in zip(data.queries[:5], exact):
        (data.folder / "q.json").write_text(json.dumps([float(v) for v in query]))
        found = data.json("search", name, "--vector", "q.json", "--exact")["hits"]
        told = np.array([h["distance"] for h in found])
        worst = max(worst, float(np.abs(told - np.sort(row)[: len(told)]).max() / max(1.0, np.abs(told).max())))
    same(f"{metric}: largest difference of an exact distance", worst, 0.0, problems, 1e-6)


def check_recorded(data, space, problems):
    """The figures of `compare` on a real server's answers, computed again."""
    name, metric = f"chroma-{space}.lance", SPACES[space]
    answers = RECORDED / f"chroma.{space}.json"
    data.run("convert", str(RECORDED / "points.jsonl"), name, "--from", "chroma", "--metric", metric, "--index", "ivf_pq", "--sub-vectors", "4")
    compared = data.json("compare", name, "--queries", str(answers))
    recorded = json.loads(answers.read_text())
    dataset = lance.dataset(str(data.folder / name))
    settings = {"plain": {}, "tuned": {"nprobes": compared["nprobes"], "refine_factor": compared["refine_factor"]}}
    for way, nearest in settings.items():
        shares, correlations = [], []
        for query, ids in zip(recorded["request"]["query_embeddings"], recorded["response"]["ids"]):
            q = np.array(query, np.float32)
            found = dataset.to_table(nearest={"column": "vector", "q": q, "k": len(ids), **nearest}, columns=["x_original_id", "_distance"])
            found = found["x_original_id"].to_pylist()
            shares.append(len(set(ids) & set(found)) / len(ids))
            both = [i for i in ids if i in found]
            if len(both) > 1:
                ranks = np.argsort(np.argsort([found.index(i) for i in both]))
                correlations.append(np.corrcoef(np.arange(len(both)), ranks)[0, 1])
        same(f"chroma {space}: {way} recall", compared["ways"][way]["recall"], float(np.mean(shares)), problems)
        same(f"chroma {space}: {way} rank correlation", compared["ways"][way]["rank_correlation"], float(np.mean(correlations)), problems)
    same(f"chroma {space}: exact recall", compared["ways"]["exact"]["recall"], 1.0, problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("--corpus")
    parser.add_argument("--queries")
    options = parser.parse_args()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), options)
        for metric in SPACES.values():
            check_tune(data, metric, problems)
        for space in SPACES:
            check_recorded(data, space, problems)
    if problems:
        sys.exit("differs: " + "; ".join(problems))


if __name__ == "__main__":
    main()
