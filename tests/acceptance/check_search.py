"""Vector and full-text search through ContextFrame, against exact neighbours by numpy and words of the stored text.

A plain search without an approximate index must be exact, distances included; an approximate one is judged by recall.
"""

import re
from collections import Counter

import numpy as np
from lance.query import PhraseQuery

from check_contextframe import sample

QUERIES = 20
WORD = re.compile(r"[A-Za-z]+")
# Words of five letters and more that an English index leaves out.
STOP = set("about above after again against among because before being below between could doing during either every further"
           " having herself himself however itself might myself neither other ought ourselves rather shall should since their"
           " theirs themselves there these those through under until where which while within without would yours yourself"
           " yourselves".split())
# Above this, the sum of the squares is no float32 any more, and neither is a distance.
LARGEST = 1e37


def distances(metric, query, vectors):
    """Exact distances as Lance defines them: squared L2, 1 - cosine, 1 - dot product. NaN where undefined."""
    query, vectors = query.astype(np.float64), vectors.astype(np.float64)
    if metric == "l2":
        return ((vectors - query) ** 2).sum(axis=1)
    dot = vectors @ query
    if metric == "dot":
        return 1 - dot
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - dot / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))


def searchable(vectors):
    """Which vectors have a distance at all: no NaN, no overflow."""
    return np.nan_to_num((vectors.astype(np.float64) ** 2).sum(axis=1), nan=np.inf) < LARGEST


def queries(vectors):
    """Stored vectors, and means of two, which are stored nowhere."""
    places = sample(vectors, QUERIES // 2)
    plain = [vectors[i] for i in places]
    between = [(vectors[i] * 0.6 + vectors[j] * 0.4).astype(np.float32) for i, j in zip(places, reversed(places))]
    return [q for q in plain + between if np.isfinite(q).all() and q.any()]


def check_vectors(report, dataset, rows, index, options):
    usable = np.flatnonzero(~np.isnan(rows.vectors).any(axis=1)) if rows.members else []
    if index is None or len(usable) == 0:
        report.note("no vectors to search")
        return
    vectors = rows.vectors[usable]
    if not searchable(vectors).all():
        report.note("some vectors are too long for float32 distances: search is not tried")
        return
    place = {rows.uuids[at]: i for i, at in enumerate(usable)}
    recalls = []
    for number, query in enumerate(queries(vectors)):
        exact = distances(index.metric, query, vectors)
        possible = int(np.isfinite(exact).sum())
        k = min(10, possible)
        found = dataset.knn_search(query, k=k)
        report.equal(len(found), k, f"query {number}: results")
        if not report.expect(all(r.uuid in place for r in found), f"query {number}: a row without a vector was found"):
            continue
        chosen = np.array([exact[place[r.uuid]] for r in found])
        best = np.sort(exact[np.isfinite(exact)])[:k]
        scale = max(1.0, float(np.abs(best).max()))
        if len(chosen) == k:
            # A neighbour counts if it is as near as the k-th, so that ties do not lower the recall.
            recalls.append(float((chosen <= best[-1] + 1e-6 * scale).mean()))
        if not index.exact:
            continue
        told = np.array([r.metadata["_distance"] for r in found])
        close = np.allclose(told, chosen, rtol=1e-4, atol=1e-5 * scale)
        report.expect(close, f"query {number}: _distance is not the {index.metric} distance")
        report.expect(len(chosen) == k and np.allclose(np.sort(chosen), best, rtol=1e-4, atol=1e-5 * scale),
                      f"query {number}: not the {k} nearest by {index.metric}")
    if recalls:
        recall, wanted = float(np.mean(recalls)), 1.0 if index.exact else options.min_recall
        report.note(f"recall@10 {recall:.3f} over {len(recalls)} queries ({index.kind or 'no index'}, {index.metric})")
        report.expect(recall >= wanted, f"recall@10 {recall:.3f}, wanted {wanted}")
    query = vectors[0]
    k = min(5, int(np.isfinite(distances(index.metric, query, vectors)).sum()))
    kept = dataset.knn_search(query, k=k, filter="record_type = 'document'", prefilter=True)
    report.equal(len(kept), k, "results with prefilter")
    tuned = dataset.scanner(nearest={"column": "vector", "q": query, "k": k, "nprobes": 20, "refine_factor": 10},
                            columns=["uuid", "_distance"])
    report.equal(tuned.to_table().num_rows, k, "results with nprobes and refine")


def rare_words(texts):
    """(row, word) for plain words that stand in one text only, and whose beginning does too: the index stems words."""
    home, beginnings = {}, Counter()
    for i, text in enumerate(texts):
        words = {w.lower() for w in WORD.findall(text)}
        beginnings.update({w[:5] for w in words})
        for word in words:
            home.setdefault(word, i)
    best = {}
    for word in sorted(home):
        if not 7 <= len(word) <= 30 or word in STOP or beginnings[word[:5]] != 1:
            continue
        if re.search(rf"(?<!')\b{word}\b(?!')", texts[home[word]], re.IGNORECASE):
            best.setdefault(home[word], word)
    return sorted(best.items())


def phrase(text):
    """Two neighbouring words that are no stop words."""
    pairs = re.finditer(r"\b(?=([A-Za-z]{5,20}) ([A-Za-z]{5,20})\b)", text)
    return next((p.groups() for p in pairs if not STOP & {p.group(1).lower(), p.group(2).lower()}), None)


def check_text(report, dataset, rows):
    rare = rare_words(rows.texts)
    if not rare:
        report.note("no rare word in any text")
        return
    for at in sample(rare, 15):
        row, word = rare[at]
        found = dataset.full_text_search(word, k=100)
        report.expect(rows.uuids[row] in [r.uuid for r in found], f"{word!r} does not find id {rows.ids[row]!r}")
        report.expect(all(word[:3] in r.text_content.lower() for r in found), f"{word!r} finds a text without it")
    report.equal(dataset.full_text_search("qqzzxxvvqqzz", k=5), [], "search for a word that is nowhere")
    tried = 0
    for row in sample(rows.texts, 15):
        words = phrase(rows.texts[row])
        if not words:
            continue
        tried += 1
        query = PhraseQuery(" ".join(words), "text_content")
        got = dataset._native.scanner(full_text_query=query, columns=["uuid", "_score"]).to_table()["uuid"].to_pylist()
        report.expect(rows.uuids[row] in got, f"phrase {' '.join(words)!r} does not find id {rows.ids[row]!r}")
    report.expect(tried > 0 or len(rows.texts) < 5, "no phrase could be tried")
