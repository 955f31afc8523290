"""The cases about converting: JSON lines, Parquet, compressed, scale, startup. Those about indices and memory have their own file.

Each case is a function of (bench, files, options) and gives a Result; a Result is data for tables and nothing is printed here.
Standard library only.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field

from run import Failed, execute, median, peak_mb, stages, warm

MATRIX = ((768, "short", "small"), (768, "long", "small"), (384, "short", "large"), (1536, "long", "small"))
JSON_PEERS = ("duckdb", "polars", "pyarrow", "contextframe")
OURS = "vec2lance"
ROWS_ONLY = ("convert", "commit", "publish")
ROWS = "vec2lance: rows (convert, commit, publish)"


@dataclass
class Result:
    """Rows of a table, notes under it, bars of a chart (group -> name -> seconds), all runs, what differed or failed."""

    title: str
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    bars: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)
    different: int = 0
    failed: list = field(default_factory=list)

    def keep(self, key, runs, failed=None):
        self.runs[key] = {name: [asdict(run) for run in found] for name, found in runs.items()}
        for name, why in (failed or {}).items():
            self.failed.append(f"{key}: {name}")
            self.notes.append(f"**{key}: {name} failed**: {why.splitlines()[-1] if why else ''}")


def rows_seconds(run):
    """Writing the rows: the stages that the peers have too."""
    return stages(run, *ROWS_ONLY)


FLUSH = "`publish` flushes to the disk and the peers do not, unless `flushed` says so: there, an fsync of their files comes on top."


def verify(bench, result, key, truth, names, first=None, rows=None):
    """Each dataset against the vectors that the dump was made of, which makes them equal to each other too."""
    extra = ["--rows", rows] if rows else []
    paths = [bench.out(name) for name in names]
    found = bench.check("vectors", *paths, "--truth", truth, "--first", json.dumps(first or {}), *extra)
    wrong = {name: facts for name, facts in found.items() if facts["different"]}
    if wrong:
        result.different += sum(facts["different"] for facts in wrong.values())
        result.notes.append(f"**{key}: VECTORS DIFFER** from those that the dump was made of: {wrong}")
    else:
        counts = ", ".join(f"{name.removesuffix('.lance')} {facts['rows']:,}" for name, facts in sorted(found.items()))
        result.notes.append(f"{key}: vectors equal, bit for bit (rows compared: {counts})")


def lines_of(what, runs, size, rows, base=None, value=None, part=1):
    """One line of a table. `part` is the share of the rows that was read, where the rest is extrapolated."""
    seconds = median(runs, value or (lambda run: run.seconds)) / part
    line = {"what": what, "seconds": round(seconds, 3), "MB/s": round(size / 1e6 / seconds, 1), "rows/s": round(rows / seconds),
            "CPU s": round(median(runs, lambda run: run.cpu), 2), "peak MB": round(peak_mb(runs)), "runs": len(runs)}
    if base:
        # What the same work takes until it is safely on the disk: part of ours anyway, a step more for a peer.
        flushed = seconds + median(runs, lambda run: run.said.get("flush", 0.0)) / part
        line |= {"times ours": round(seconds / base, 2), "flushed s": round(flushed, 3), "flushed, times ours": round(flushed / base, 2)}
    return line


def jsonl(bench, files, options):
    result = Result("JSON lines to rows")
    for dims, floats, payload in MATRIX:
        rows = max(options.rows * 768 // dims if dims > 768 else options.rows, 1)
        key = f"{rows:,} × {dims}, {floats} floats, {payload} payload"
        dump, truth = files.jsonl(dims, rows, floats, payload), files.vectors(dims, rows)
        other = "text" if payload == "large" else "lang"
        limit = min(rows, options.contextframe_rows)
        warm(dump)
        runners = {OURS: lambda: bench.convert(dump, bench.out(OURS))}
        for name in JSON_PEERS:
            extra = ["--limit", limit] if name == "contextframe" else ["--other", other]
            runners[name] = lambda name=name, extra=extra: bench.peer(name, dump, bench.out(name), "--dims", dims, *extra)
        counts = {} if options.all_rounds else {"contextframe": 1}
        runs, failed = bench.rounds(runners, options.rounds, counts)
        result.keep(key, runs, failed)
        size = dump.stat().st_size
        if OURS not in runs:
            continue
        ours = median(runs[OURS], rows_seconds)
        result.rows.append({"file": key, **lines_of(ROWS, runs[OURS], size, rows, ours, rows_seconds)})
        result.rows.append({"file": key, **lines_of(f"{OURS}: whole process", runs[OURS], size, rows, ours)})
        bars = result.bars[key] = {OURS: ours}
        for name in (name for name in JSON_PEERS if name in runs):
            part, what = 1, f"{name} → pylance"
            if name == "contextframe":
                part, what = limit / rows, name if limit == rows else f"{name}, scaled from {limit:,} rows"
            result.rows.append({"file": key, **lines_of(what, runs[name], size, rows, ours, part=part)})
            bars[what] = median(runs[name]) / part
        verify(bench, result, key, truth, runs, {"contextframe.lance": limit})
        for name in runners:
            shutil.rmtree(bench.out(name), ignore_errors=True)
    result.notes.append("CPU and peak memory are of the whole process, Python's imports included; contextframe's are of the rows it read.")
    result.notes.append(FLUSH)
    return result


def parquet(bench, files, options):
    result = Result("Parquet (Pinecone's columns) to rows")
    rows, dims = options.rows, 768
    dump, truth = files.parquet(dims, rows), files.vectors(dims, rows)
    warm(dump)
    runners = {OURS: lambda: bench.convert(dump, bench.out(OURS)),
               "parquet": lambda: bench.peer("parquet", dump, bench.out("parquet"), "--dims", dims)}
    runs, failed = bench.rounds(runners, options.rounds)
    key, size = f"{rows:,} × {dims}", dump.stat().st_size
    result.keep(key, runs, failed)
    if OURS in runs:
        ours = median(runs[OURS], rows_seconds)
        result.rows.append(lines_of(ROWS, runs[OURS], size, rows, ours, rows_seconds))
        result.rows.append(lines_of(f"{OURS}: whole process", runs[OURS], size, rows, ours))
        if "parquet" in runs:
            result.rows.append(lines_of("pyarrow.parquet → pylance", runs["parquet"], size, rows, ours))
        verify(bench, result, key, truth, runs)
    result.notes.append(FLUSH)
    return result


def unpacking(bench, path):
    """Decompressing alone on one core: by Python's library, or the command where there is one; the faster counts."""
    runs = [bench.peer("decompress", path)]
    if command := shutil.which("zstd" if path.suffix == ".zst" else "gzip"):
        # To /dev/null through a shell: our own reading of a pipe would cost more than the decompressing.
        runs.append(execute(["sh", "-c", 'exec "$0" -dc "$1" > /dev/null', command, path]))
    fastest = min(runs, key=lambda run: run.seconds)
    if fastest.status:
        raise Failed(fastest.error)
    return fastest


def compressed(bench, files, options):
    result = Result("Compressed input")
    rows, dims = options.rows, 768
    plain = files.jsonl(dims, rows)
    zst, gz = files.compressed(plain, ".zst"), files.compressed(plain, ".gz")
    dumps = {"plain": plain, "zst": zst, "gz": gz, "zst, 8 shards": files.shards(plain, 8)}
    for dump in dumps.values():
        warm(dump)
    runners = {name: lambda name=name, dump=dump: bench.convert(dump, bench.out(OURS)) for name, dump in dumps.items()}
    runners |= {"unpack zst": lambda: unpacking(bench, zst), "unpack gz": lambda: unpacking(bench, gz)}
    runs, failed = bench.rounds(runners, options.rounds)
    result.keep(f"{rows:,} × {dims}", runs, failed)
    size = plain.stat().st_size
    for name in (name for name in dumps if name in runs):
        line = lines_of(f"{OURS}: {name}", runs[name], size, rows, value=rows_seconds)
        alone = runs.get("unpack gz" if name == "gz" else "unpack zst")
        if name != "plain" and alone and "plain" in runs:
            floor = max(median(alone), median(runs["plain"], rows_seconds))
            line |= {"unpacking alone": round(median(alone), 3), "÷ max(unpacking, plain)": round(line["seconds"] / floor, 2)}
        result.rows.append(line)
    result.notes.append("MB/s is of the text, not of the compressed file. Unpacking alone runs on one core, to nowhere.")
    return result


def scale(bench, files, options):
    result = Result("Rows a second, by size and threads")
    runners, sizes = {}, {}
    for rows in (options.scale_rows, options.scale_rows * 10):
        dump = files.jsonl(384, rows)
        warm(dump)
        for threads in (1, 2):
            key = f"{rows:,} × 384, {threads} thread{'s' * (threads > 1)}"
            sizes[key] = dump.stat().st_size, rows
            runners[key] = lambda dump=dump, threads=threads: bench.convert(dump, bench.out(OURS), "--threads", threads)
    runs, failed = bench.rounds(runners, options.rounds)
    result.keep("384", runs, failed)
    result.rows = [lines_of(key, found, *sizes[key], value=rows_seconds) for key, found in runs.items()]
    return result


def startup(bench, files, options):
    result = Result("Startup")
    dump = files.jsonl(384, 600, payload="large")
    warm(dump)
    runners = {
        "--help": lambda: execute([bench.binary, "--help"]),
        "inspect, 600 records": lambda: execute([bench.binary, "inspect", dump]),
        "convert, 600 records, whole process": lambda: bench.convert(dump, bench.out(OURS)),
    }
    runs, failed = bench.rounds(runners, 5 if options.quick else 20)
    result.keep("startup", runs, failed)
    for name, found in runs.items():
        worst = max(run.status for run in found)
        result.rows.append({"what": name, "ms": round(median(found) * 1000, 1), "CPU ms": round(median(found, lambda r: r.cpu) * 1000, 1),
                            "peak MB": round(peak_mb(found)), "status": worst, "runs": len(found)})
    return result
