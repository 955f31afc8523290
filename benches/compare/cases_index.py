"""The cases about building the vector index, and about memory. See cases.py. Standard library only."""

import json
import shutil

from cases import OURS, Result
from run import median, peak_mb, remove, stages, warm

METRICS = ("cosine", "l2", "dot")
PEER = "pylance"
MIB = 1 << 20
LINE_BYTES, ROW_BYTES = 9650, 3200  # of a record of 768 dimensions: as short text, in Parquet


def index(bench, files, options):
    """IVF_PQ over the same rows, ours and pylance's with the same settings, each on a fresh copy of one dataset."""
    result = Result("Building IVF_PQ")
    rows, dims = options.index_rows, 384
    dump, queries = files.for_index(dims, rows)
    base = bench.out("base")
    bench.convert(dump, base)
    # pylance silently builds fewer where a partition would have less than 256 rows, and then the two are not the same index.
    partitions = max(min(64, rows // 256), 1)
    settings = ["--partitions", partitions, "--sub-vectors", 192]
    turn = iter(range(1 << 20))

    def copied(name):
        target = bench.out(name)
        remove(target)
        shutil.copytree(base, target)
        warm(target)
        return target

    for metric in METRICS if not options.metrics else options.metrics:
        runners = {
            OURS: lambda: bench.index(copied(f"ours-{next(turn) % 2}"), "--index", "ivf_pq", "--bits", 8, *settings, "--metric", metric),
            PEER: lambda: bench.peer("index", copied(PEER), *settings, "--metric", metric),
        }
        runs, failed = bench.rounds(runners, options.rounds, {PEER: options.index_rounds})
        result.keep(metric, runs, failed)
        _metric_lines(bench, result, metric, runs, queries)
        if OURS in runs:
            if len(runs[OURS]) == 1:
                runners[OURS]()
            _same_each_time(bench, result, metric)
    for name in ("base", "ours-0", "ours-1", PEER):
        remove(bench.out(name))
    source = "of a corpus" if files.corpus else "made"
    result.notes.append(f"{rows:,} vectors ({source}) × {dims}; asked for {partitions} partitions, 192 sub-vectors, 8 bits. "
                        "200 held-out questions. Recall is of the ten nearest: "
                        "plain sets nothing, tuned has nprobes=20 and refine_factor=10.")
    result.notes.append("Ours builds full-text and scalar indices in the same command; pylance's run builds the vector index only.")
    return result


def _metric_lines(bench, result, metric, runs, queries):
    names = {OURS: "ours-0", PEER: PEER}
    built = [name for name in names if name in runs]
    found = bench.check("recall", *(bench.out(names[name]) for name in built), "--queries", queries, "--metric", metric) if built else {}
    ours = median(runs[OURS]) if OURS in runs else None
    vector, how = _vector_alone(runs)
    kinds = {name: found[f"{names[name]}.lance"]["built"] for name in built}
    if len({json.dumps(kind) for kind in kinds.values()}) > 1:
        result.notes.append(f"**{metric}: NOT LIKE WITH LIKE**, neither times nor recall compare: built were {json.dumps(kinds)}")
    elif len(kinds) > 1:
        result.notes.append(f"{metric}: both built, by their own statistics: {json.dumps(kinds[OURS])}")

    def line(what, seconds, name, recall=None):
        out = {"metric": metric, "what": what, "seconds": round(seconds, 2)}
        out["times ours"] = round(seconds / ours, 2) if ours else ""
        out["times ours, vector only"] = round(seconds / vector, 2) if vector else ""
        if recall:
            # A line without them is a part of the run above it, whose CPU and memory cannot be told apart.
            out |= {"recall plain": recall["plain"], "recall tuned": recall["tuned"], "runs": len(runs[name])}
            out |= {"CPU s": round(median(runs[name], lambda run: run.cpu), 1), "peak MB": round(peak_mb(runs[name]))}
        result.rows.append(out)

    bars = result.bars[f"IVF_PQ, {metric}"] = {}
    if OURS in runs:
        line(f"{OURS}: whole process, all indices", ours, OURS, found[f"{names[OURS]}.lance"])
        bars[f"{OURS}, all indices"] = ours
        if vector:
            line(f"{OURS}: vector index only ({how})", vector, OURS)
            bars[f"{OURS}, vector index only"] = vector
        if said := runs[OURS][-1].said.get("seconds"):
            result.notes.append(f"{metric}: seconds in our last report: {json.dumps(said)}")
    if PEER in runs:
        line(f"{PEER}: vector index only", median(runs[PEER]), PEER, found[f"{PEER}.lance"])
        bars[f"{PEER}, vector index only"] = median(runs[PEER])


def _vector_alone(runs):
    """Seconds of our vector index, and how they are known: its stages in the report."""
    names = [name for name in (runs[OURS][0].said.get("seconds") or {}) if "vector" in name] if OURS in runs else []
    if names:
        return median(runs[OURS], lambda run: stages(run, *names)), "its report"
    return None, ""


def _same_each_time(bench, result, metric):
    facts = bench.check("hashes", bench.out("ours-0"), bench.out("ours-1"))
    if facts["same_bytes"]:
        result.notes.append(f"{metric}: two builds of ours gave the same bytes")
    elif facts["same_contents"]:
        result.notes.append(f"{metric}: two builds of ours hold the same codes, rows and centroids; the bytes differ only in the order "
                            "in which Lance wrote the schema's metadata")
    else:
        result.notes.append(f"**{metric}: TWO BUILDS OF OURS DIFFER**")
        result.failed.append(f"{metric}: the same index twice")
    result.runs[f"{metric}: hashes"] = facts


def memory(bench, files, options):
    """Peak memory against what --memory asked for; one run each, because a peak is no matter of noise."""
    result = Result("Memory")
    big = max(int(options.memory_gb * 1e9 / LINE_BYTES) // 2000 * 2000, 2000)
    period = min(max(options.rows // 2000 * 2000, 2000), big)
    inputs = {
        f"{options.memory_gb:g} GB of JSON lines ({big:,} × 768)": lambda: files.repeated(768, big, period),
        "one line of 64 MB, among 600 others": lambda: files.long_line(384, 600, 64_000_000),
        "one Parquet row group of 64 MB": lambda: files.parquet(768, 64_000_000 // ROW_BYTES, one_group=True),
        f"64 shards in zstd at once ({options.rows:,} × 768)": lambda: files.shards(files.jsonl(768, options.rows), 64),
    }
    for what, made in inputs.items():
        dump = made()
        warm(dump)
        for size in ("1GiB", "256MiB"):
            asked = ("--memory", size)
            runs, failed = bench.rounds({OURS: lambda: bench.convert(dump, bench.out(OURS), *asked, index="ivf_pq", may_fail=True)}, 1)
            result.keep(f"{what}, {size}", runs, failed)
            if OURS in runs:
                result.rows.append(_memory_line(what, size, runs[OURS][0]))
            remove(bench.out(OURS))
    result.notes.append("Peaks in MiB. The process's peak (wait4) counts the pages of files that are mapped, too.")
    return result


def _memory_line(what, size, run):
    limit = 1024 if size == "1GiB" else 256
    said = run.report.get("peak_memory")
    index_kind = (run.report.get("index") or {}).get("type") or "none"
    return {"input": what, "--memory": size, "status": run.status, "index": index_kind, "rejected": run.report.get("rejected", ""),
            "peak, wait4": round(run.peak / MIB), "peak, report": round(said / MIB) if said else "",
            "over the limit": round(run.peak / MIB - limit), "seconds": round(run.wall, 1),
            "why": run.error.splitlines()[-1] if run.error else ""}
