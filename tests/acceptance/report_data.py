"""The dataset that the report is tried on: records whose texts try to break a page, and vectors of every sort."""

import json
import math
import random
import subprocess

SCRIPT = "</title></svg></script><script>window.broken = 1</script>"
ODD = [
    SCRIPT,
    "<img src=x onerror='window.broken = 2'>",
    "\" onmouseover=\"window.broken = 3\" '",
    "&lt;b&gt; &amp;amp; &#60;",
    "\u202eturned\u202c \u2066isolated\u2069 \u200f",
    "שלום עולם مرحبا",
    "zero\u0000 bell\u0007 escape\u001b[31m",
    "\u2028\u2029\ufeff\ufffd\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Z\u0351\u036b\u0343a\u0329\u0332l\u0334g\u0321o" * 5,
    "w" * 3000,
    "]]><![CDATA[ --> <!-- ",
]


def vector(rng, group):
    values = [rng.gauss(math.cos(group * 2 + d), 0.35) for d in range(24)]
    return [round(v, 6) for v in values]


def make(program, folder):
    """Converts 700 records, some of them refused, doubled, zero or near each other, of two collections."""
    rng = random.Random(7)
    lines = []
    for n in range(700):
        payload = {"title": f"Record {n}", "text": f"text number {n}", "kind": f"kind {n % 5}", "n": n, "f": n / 3, "ok": n % 2 == 0}
        if n < len(ODD):
            payload = {"title": ODD[n], "text": ODD[n], "kind": ODD[n], ODD[n][:60]: ODD[n]}
        if n % 7 == 0:
            payload["gap"] = None
        lines.append({"id": n if n != 3 else 3, "vector": vector(rng, n % 5), "payload": payload})
    lines[20]["vector"] = [0.0] * 24
    lines[30]["vector"] = lines[31]["vector"]
    lines[40]["vector"] = [round(v * 2, 6) for v in lines[41]["vector"]]
    lines.append(dict(lines[50]))
    lines.append({"id": 9001, "vector": [1.0, 2.0], "payload": {"title": SCRIPT}})
    lines.append({"id": 9002, "vector": "<script>window.broken = 4</script>", "payload": {}})
    (folder / "odd <b> records.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    small = [{"id": n, "vector": vector(rng, 9), "payload": {"title": f"Other {n}", "text": "x"}} for n in range(60)]
    (folder / "other.jsonl").write_text("\n".join(json.dumps(line) for line in small) + "\n")
    dataset = folder / "odd.lance"
    run(program, folder, "convert", "odd <b> records.jsonl", "other.jsonl", "odd.lance", status=1)
    return dataset


def run(program, folder, *args, status=0):
    answer = subprocess.run([program, *args], cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode != status:
        raise RuntimeError(f"{args}: status {answer.returncode}, expected {status}\n{answer.stdout}\n{answer.stderr}")
    return answer.stdout


def beside(program, dataset):
    """Leaves the reports of other commands: a real verification, and the others in their shape with odd texts in them."""
    folder = dataset.parent
    verified = run(program, folder, "verify", "odd.lance", "odd <b> records.jsonl", "other.jsonl", "--json")
    (folder / "odd.verify.json").write_text(verified)
    way = {"overlap": 0.97, "precision": 0.97, "recall": 0.97, "f1": 0.97, "first5_in_order": 0.9, "rank_correlation": 0.99, "score_difference": 1.25e-6, "perfect": 150}
    hit = {"id": SCRIPT, "score": 0.875, "title": ODD[1]}
    files = {
        "compare": {"dataset": "odd.lance", "queries": 200, "k": 10, "metric": "cosine", "ways": {"plain": way, "tuned": way, "exact": way}, "nprobes": 8, "refine_factor": 4,
                    "causes": [ODD[0], "the index was built for l2"], "worst": [{"id": ODD[4], "recall": 0.25, "source": [hit, hit], "found": [hit]}]},
        "tune": {"dataset": "odd.lance", "k": 10, "metric": "cosine", "target_recall": 0.95, "queries": 200, "exact_seconds": 0.125, "plain": {"recall": 0.9123, "p50_ms": 0.75},
                 "points": [{"nprobes": n, "refine_factor": r, "recall": 1 - 0.3 / (n + (r or 0)), "p50_ms": 0.1 * n + 0.05 * (r or 0) + 0.2} for r in (None, 1, 10) for n in (1, 4, 16)],
                 "chosen": {"nprobes": 4, "refine_factor": 1, "recall": 0.9625, "p50_ms": 0.875}, "filtered": [{"share": 0.01, "prefilter": True, "recall": 1.0, "p50_ms": 2.5}],
                 "alternatives": [{"index": SCRIPT, "recall": 0.99, "bytes": 1234567, "build_seconds": 3.5}], "python": {"contextframe": SCRIPT, "pylance": "p", "lancedb": "l"}},
        "bench": {"machine": SCRIPT, "runs": [{"kind": kind, "threads": t, "warm": t == 1, "queries": 100, "p50_ms": 0.5, "p95_ms": 0.9, "p99_ms": 1.75, "qps": 1234.5}
                                              for kind in ("vector", "filtered", "text", "lookup") for t in (1, 2)]},
    }
    for name, value in files.items():
        (folder / f"odd.{name}.json").write_text(json.dumps(value))
