"""Runs one thing at a time and says what it took: wall time, CPU time and peak memory of that process and no other.

Used by the cases. Standard library only, and small on purpose: on Linux a new process is charged with the memory of the one that
started it until it becomes another program, so a large driver would hide a small program's peak. It knows nothing of formats.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# ru_maxrss is in KiB, on macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Failed(Exception):
    """A run that should have succeeded did not."""


@dataclass
class Run:
    """What one process took. `seconds` is what counts in the comparison: the peer's own figure, or our whole wall time."""

    wall: float
    cpu: float
    peak: int
    status: int
    seconds: float = 0.0
    said: dict = field(default_factory=dict)
    report: dict = field(default_factory=dict)
    error: str = ""
    text: str = ""


def execute(command):
    """One process to its end. os.wait4 gives that process's own usage; getrusage would mix all children."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        out.seek(0)
        text, error = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    run = Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT, process.returncode, wall)
    run.text = text[:2000]
    run.error = "" if run.status == 0 else (error.strip() or text.strip())[-2000:]
    try:
        said = json.loads(text)
        run.said = said if isinstance(said, dict) else {}
    except ValueError:
        pass
    return run


def warm(path):
    """Reads a file, or a folder's, so that it comes from the page cache for everybody."""
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as raw:
            while raw.read(1 << 22):
                pass


def remove(dataset):
    """A dataset and what lies beside it."""
    shutil.rmtree(dataset, ignore_errors=True)
    shutil.rmtree(dataset.with_name(dataset.name + ".partial"), ignore_errors=True)
    for ending in (".report.json", ".rejects.jsonl", ".duplicates.jsonl"):
        dataset.with_name(dataset.name.removesuffix(".lance") + ending).unlink(missing_ok=True)


class Bench:
    """The program, the peers' Python, a folder for outputs, and the ways to run them."""

    def __init__(self, binary, python, work):
        self.binary, self.python, self.work = binary, python, work

    def out(self, name):
        return self.work / f"{name}.lance"

    def convert(self, dump, out, *options, index="none", may_fail=False):
        """Our conversion, by default without any index."""
        remove(out)
        options = [*options, "--index", index]
        run = execute([self.binary, "convert", dump, out, *options])
        report = out.with_name(out.name.removesuffix(".lance") + ".report.json")
        if report.exists():
            run.report = json.loads(report.read_text())
        return self._checked(run, "vec2lance convert", may_fail)

    def index(self, dataset, *options):
        return self._checked(execute([self.binary, "index", dataset, "--json", *options]), "vec2lance index")

    def peer(self, name, *arguments, script="peers.py"):
        run = execute([self.python, "-W", "ignore", HERE / script, name, *arguments])
        self._checked(run, f"{script} {name}")
        run.seconds = run.said.get("seconds", run.wall)
        return run

    def check(self, what, *arguments):
        return self.peer(what, *arguments, script="check.py").said

    @staticmethod
    def _checked(run, what, may_fail=False):
        if run.status != 0 and not may_fail:
            raise Failed(f"{what} ended with status {run.status}: {run.error}")
        return run

    def rounds(self, runners, count, counts=None):
        """Each runner once a round, in turn, so that a noisy minute hits all of them. `counts` gives some fewer rounds.

        Gives the runs of each, and what failed; who fails once is left out of the later rounds.
        """
        runs, failed = {name: [] for name in runners}, {}
        for number in range(count):
            for name, runner in runners.items():
                if name in failed or number >= (counts or {}).get(name, count):
                    continue
                # Earlier output still on its way to the disk would slow down whoever comes next.
                os.sync()
                try:
                    runs[name].append(runner())
                    say(f"  round {number + 1}  {name:<28} {runs[name][-1].seconds:8.2f} s")
                except Failed as error:
                    failed[name] = str(error)
                    say(f"  {name} FAILED: {error}")
        return {name: found for name, found in runs.items() if found and name not in failed}, failed


def say(text):
    print(text, file=sys.stderr, flush=True)


def median(runs, value=lambda run: run.seconds):
    return statistics.median(value(run) for run in runs)


def peak_mb(runs):
    return max(run.peak for run in runs) / 1e6


def stages(run, *names):
    """The sum of these stages of our report; all of them where none is named."""
    seconds = run.report.get("seconds") or run.said.get("seconds") or {}
    return sum(seconds.get(name, 0.0) for name in names or seconds)
