"""Compares vec2lance with its peers, side by side on the same files; anyone can run it.

    python3 benches/compare/compare.py --binary target/release/vec2lance [CASE ...]

Makes an environment and the files in a cache folder on the first run, alternates ours and theirs, and writes results.md,
results.json and chart.svg. A noisy machine makes a single figure worthless, hence rounds and medians. It fails (status 1) if a
vector differs or something could not be run, never on speed. Needs Python 3.10 to 3.12 and nothing beyond it.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cases
import cases_index
import chart
from files import Files
from run import HERE, Bench, Failed, execute, say

CASES = {"jsonl": cases.jsonl, "parquet": cases.parquet, "compressed": cases.compressed, "index": cases_index.index,
         "scale": cases.scale, "startup": cases.startup, "memory": cases_index.memory}
CONTEXTFRAME = "contextframe==0.1.1"


def environment(cache):
    """The Python of a virtual environment with the peers; made anew when the requirements changed."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        sys.exit("compare.py: the peers need Python 3.10 to 3.12; run it with one of these")
    wanted = (HERE / "requirements.txt").read_bytes() + CONTEXTFRAME.encode() + sys.version.encode()
    mark, folder = hashlib.sha256(wanted).hexdigest(), cache / "venv"
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not (stamp.exists() and stamp.read_text() == mark):
        say(f"installing the peers into {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([*pip, "--no-deps", CONTEXTFRAME], check=True)
        stamp.write_text(mark)
    return python


def machine():
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return {"cpu": model, "cores": cores, "memory_gib": memory, "system": f"{platform.system()} {platform.release()} {platform.machine()}"}


def arguments():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vec2lance" / "compare"
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(CASES)}; default all")
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--out", type=Path, help=f"folder for the results; default {cache}")
    parser.add_argument("--cache", type=Path, default=cache, help="folder for the environment, the files, and outputs while they last")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, 2 rounds: to see that all works, not to measure")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--all-rounds", action="store_true", help="contextframe takes part in every round, not only in the first")
    parser.add_argument("--rows", type=int, help="of jsonl, parquet, compressed: default 50000 × 768")
    parser.add_argument("--contextframe-rows", type=int, help="contextframe reads only so many, and is scaled; default 10000")
    parser.add_argument("--index-rows", type=int, help="default 63666 × 384")
    parser.add_argument("--index-rounds", type=int, default=1, help="rounds of pylance's index, which takes minutes (default 1)")
    parser.add_argument("--metrics", nargs="+", choices=cases_index.METRICS, help="of the index case; default all")
    parser.add_argument("--scale-rows", type=int, help="the smaller size of the scale case; default 20000")
    parser.add_argument("--memory-gb", type=float, help="size of the memory case's file; default 5")
    parser.add_argument("--corpus", type=Path, help="Parquet with vector (384 float32), title, text: real records for the index case")
    parser.add_argument("--queries", type=Path, help="Parquet with a column vector: the questions that go with the corpus")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}")
    if (options.corpus is None) != (options.queries is None):
        parser.error("--corpus and --queries go together")
    defaults = {"rows": 50_000, "contextframe_rows": 10_000, "index_rows": 63_666, "scale_rows": 20_000, "memory_gb": 5.0}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, type(value)(value / 10) if options.quick else value)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.out = options.out or options.cache
    return options


def table(rows):
    """Markdown; columns in the order in which they first appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))

    def cell(value):
        return f"{value:,}" if isinstance(value, (int, float)) else str(value).replace("|", "\\|")

    lines = ["| " + " | ".join(names) + " |", "|" + "|".join("---" if isinstance(rows[0].get(n), str) else "---:" for n in names) + "|"]
    return "\n".join(lines + ["| " + " | ".join(cell(row.get(name, "")) for name in names) + " |" for row in rows])


def markdown(name, result):
    parts = [f"## {result.title} (`{name}`)"]
    if result.rows:
        parts.append(table(result.rows))
    if result.notes:
        parts.append("\n".join(f"- {note}" for note in result.notes))
    return "\n\n".join(parts) + "\n"


def write(options, about, results):
    """Everything so far, after each case, so that a case that ends badly takes nothing with it."""
    facts = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    settings = "quick: not a measurement" if options.quick else f"medians of {options.rounds} rounds"
    place = f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']}"
    head = f"# vec2lance and its peers\n\n{place}; {settings}.\n\n{versions}.\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.md").write_text("\n".join([head, *(markdown(name, result) for name, result in results.items())]))
    plain = {name: vars(result) for name, result in results.items()}
    (options.out / "results.json").write_text(json.dumps({**about, "cases": plain}, indent=1, default=str) + "\n")
    groups = {group: bars for result in results.values() for group, bars in result.bars.items()}
    if groups:
        foot = f"Seconds, less is better. {facts['cpu']}, {facts['cores']} cores; {settings}."
        (options.out / "chart.svg").write_text(chart.draw(groups, foot))


def main():
    options = arguments()
    binary = options.binary.resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"compare.py: {options.binary} is no program")
    options.cache.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    python = environment(options.cache)
    files = Files(python, options.cache / "files", options.corpus, options.queries)
    versions = {"vec2lance": execute([binary, "--version"]).text.split()[-1], **execute([python, HERE / "peers.py", "versions"]).said}
    chosen = {name: str(value) for name, value in vars(options).items() if name not in ("binary", "out", "cache", "corpus", "queries")}
    about = {"machine": machine(), "versions": versions, "options": chosen, "load": {}}
    results, broken = {}, []
    work = Path(tempfile.mkdtemp(prefix="work-", dir=options.cache))
    try:
        for name in options.cases or CASES:
            about["load"][name] = os.getloadavg()[0]
            say(f"{name} (load {about['load'][name]:.1f})")
            begin = time.perf_counter()
            try:
                results[name] = CASES[name](Bench(binary, python, work), files, options)
            except (Failed, OSError, subprocess.CalledProcessError, KeyError, ValueError) as error:
                traceback.print_exc()
                broken.append(name)
                results[name] = cases.Result(name, notes=[f"**the case failed**: {error}"])
            write(options, about, results)
            print(markdown(name, results[name]), flush=True)
            say(f"{name}: {time.perf_counter() - begin:.0f} s in all")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    different = sum(result.different for result in results.values())
    say(f"results: {options.out / 'results.md'}; " + (f"{different} VECTORS DIFFER" if different else "no vector differs"))
    failed = broken + [what for result in results.values() for what in result.failed]
    if failed:
        say(f"could not be run: {'; '.join(failed)}")
    return 1 if different or failed else 0


if __name__ == "__main__":
    sys.exit(main())
