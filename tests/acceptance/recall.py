"""recall@10 of a converted dataset against exact neighbours by numpy; prints one line of JSON.

    python tests/acceptance/recall.py --corpus corpus.parquet --queries queries.parquet --dataset OUT.lance

Measured twice: by ContextFrame's plain knn_search, which can set neither nprobes nor refine, and by the native scanner with
nprobes 20 and refine_factor 10. The neighbours are computed over the vectors in the dataset, after those of the corpus's own
records were compared with it bit for bit. The metric is the index's. It judges no dataset beyond that (see accept.py).
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
sys.path.insert(0, str(Path(__file__).parent))

from contextframe.frame import FrameDataset  # noqa: E402

K = 10


def matrix(path):
    column = pq.read_table(path, columns=["vector"])["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def corpus_places(path):
    """Every form of a record's id -> its row in the corpus."""
    table = pq.read_table(path, columns=["id", "num_id", "uuid"]).to_pydict()
    return {str(value): i for name in table for i, value in enumerate(table[name])}


def distances(metric, queries, vectors):
    """Exact distances [queries, vectors] in the order of nearness; rows that a metric cannot compare get infinity."""
    queries, vectors = queries.astype(np.float64), vectors.astype(np.float64)
    dot = queries @ vectors.T
    if metric == "dot":
        out = 1 - dot
    elif metric == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            out = 1 - dot / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(vectors, axis=1))
    else:
        out = (queries**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1)[None, :] - 2 * dot
    return np.where(np.isfinite(out), out, np.inf)


def exact(native, metric, queries, corpus, places):
    """The distance of each query's k-th neighbour, and how many vectors equal the corpus's."""
    best = np.full((len(queries), K), np.inf)
    equal = different = count = 0
    for batch in native.scanner(columns=["x_original_id", "vector"], batch_size=4096).to_batches():
        vectors = batch.column("vector").flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
        for id_, vector in zip(batch.column("x_original_id").to_pylist(), vectors):
            if id_ in places:
                same = vector.tobytes() == corpus[places[id_]].tobytes()
                equal, different = equal + same, different + (not same)
        count += batch.num_rows
        best = np.sort(np.hstack([best, distances(metric, queries, vectors)]), axis=1)[:, :K]
    return best[:, -1], equal, different, count


def index_facts(native):
    names = [index.name for index in native.describe_indices() if list(index.field_names) == ["vector"]]
    if not names:
        return {"index": None, "metric": "l2"}
    stats = native.stats.index_stats(names[0])
    part = stats["indices"][0]
    facts = {"index": stats["index_type"], "metric": part["metric_type"], "partitions": part["num_partitions"]}
    sub = part.get("sub_index", {})
    return facts | {name: sub[name] for name in ("num_sub_vectors", "nbits") if name in sub}


def measure(search, metric, queries, limits):
    """Mean recall and median milliseconds. A neighbour counts if it is as near as the k-th exact one."""
    hits, times = [], []
    for query, limit in zip(queries, limits):
        begin = time.perf_counter()
        found = search(query)
        times.append(time.perf_counter() - begin)
        near = distances(metric, query[None], np.array(found)) if len(found) else np.empty((1, 0))
        hits.append((near <= limit + 1e-6 * max(1.0, abs(limit))).sum() / K)
    return round(float(np.mean(hits)), 4), round(float(np.median(times)) * 1000, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--metric", choices=["cosine", "l2", "dot"], help="the metric that the index must have")
    parser.add_argument("--min-plain", type=float, default=0.0, help="exit 1 if ContextFrame's recall is below")
    parser.add_argument("--min-tuned", type=float, default=0.0, help="exit 1 if the tuned recall is below")
    options = parser.parse_args()
    dataset = FrameDataset.open(options.dataset)
    native = dataset._native
    facts = index_facts(native)
    metric = facts["metric"]
    queries = matrix(options.queries).astype(np.float32)
    limits, equal, different, rows = exact(native, metric, queries, matrix(options.corpus), corpus_places(options.corpus))

    def plain(query):
        return [record.vector for record in dataset.knn_search(query, k=K)]

    def tuned(query):
        nearest = {"column": "vector", "q": query, "k": K, "nprobes": 20, "refine_factor": 10}
        return native.scanner(nearest=nearest, columns=["vector", "_distance"]).to_table()["vector"].to_pylist()

    out = {"dataset": Path(options.dataset).name, "rows": rows, "queries": len(queries), "k": K, **facts,
           "corpus_vectors_equal": equal, "corpus_vectors_different": different}
    out["recall_contextframe"], out["ms_contextframe"] = measure(plain, metric, queries, limits)
    out["recall_tuned"], out["ms_tuned"] = measure(tuned, metric, queries, limits)
    print(json.dumps(out))
    wrong_metric = options.metric is not None and options.metric != metric
    low = out["recall_contextframe"] < options.min_plain or out["recall_tuned"] < options.min_tuned
    return 1 if wrong_metric or low or different or not equal else 0


if __name__ == "__main__":
    sys.exit(main())
