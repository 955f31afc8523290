"""Runs `convert` and `verify` of the program under test, and collects one row per case for the table that is printed.

What is converted, damaged and expected stands in the modules that use this one.
"""

import concurrent.futures
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

WIDE = 150


@dataclass
class Answer:
    """What one run of the program said."""

    status: int
    text: str
    errors: str
    seconds: float
    report: dict = field(default_factory=dict)

    def __getattr__(self, name):
        """A field of the JSON report: `answer.findings`; None where there is none."""
        if name.startswith("__") or name == "report":
            raise AttributeError(name)
        return self.report.get(name)

    @property
    def digests(self):
        return self.report.get("dump_digest"), self.report.get("dataset_digest")

    @property
    def clean(self):
        """Everything was compared, everything is the same, and both digests say so."""
        mine, theirs = self.digests
        return self.status == 0 and mine is not None and mine == theirs and not self.findings and not self.differences

    def said(self):
        """The answer on one line."""
        if self.status not in (0, 1) or not self.report:
            return f"status {self.status}: " + (self.errors or self.text).strip().replace("\n", " ")
        parts = [f"{d['kind']} {d['id']} ({', '.join(f['field'] for f in d['fields'])})" if d["fields"] else f"{d['kind']} {d['id']}"
                 for d in self.differences or []]
        parts += self.findings or []
        if not parts and "verified" in self.report:
            parts = [f"{self.verified} of {self.read} verified"] + [f"{n} {k}" for k in ("rejected", "deduplicated", "near") if (n := self.report[k])]
            parts += [n.replace("\n", " ") for n in self.notes or [] if "not compared" in n or "sample" in n]
        if "rows_before" in self.report or "bytes_written" in self.report:
            words = ("read", "written", "rejected", "deduplicated", "added", "changed", "unchanged", "removed")
            parts = [", ".join(f"{self.report[w]} {w}" for w in words if self.report.get(w) is not None), f"version {self.dataset_version}", *parts]
        return "; ".join(parts)


class Program:
    """The program under test, run in a scratch folder of its own."""

    def __init__(self, binary, scratch):
        self.binary, self.scratch = str(Path(binary).resolve()), Path(scratch)

    def run(self, *arguments):
        begin = time.monotonic()
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, cwd=self.scratch, timeout=600, check=False)
        answer = Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)
        if "--json" in arguments and done.stdout.lstrip().startswith("{"):
            answer.report = json.loads(done.stdout)
        return answer

    def convert(self, dumps, out, *flags):
        return self.run("convert", *listed(dumps), out, "--json", *flags)

    def made(self, dumps, out, *flags):
        """A conversion that must work; the dataset's path."""
        answer = self.convert(dumps, out, *flags)
        if answer.status not in (0, 1) or not answer.report.get("dataset"):
            raise RuntimeError(f"convert {' '.join(map(str, listed(dumps)))}: {answer.said()}")
        return Path(out)

    def verify(self, out, dumps, *flags):
        return self.run("verify", out, *listed(dumps), "--json", *flags)


def side_by_side(function, items):
    """What the function gives for each item, in order. Runs wait for the disk most of the time, hence several at once."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        yield from pool.map(function, items)


def listed(paths):
    return list(paths) if isinstance(paths, (list, tuple)) else [paths]


class Table:
    """case | status | what was said; `!!` before the cases that did not go as expected."""

    def __init__(self):
        self.bad = []
        self.cases = 0

    def part(self, title):
        print(f"\n== {title}", flush=True)

    def row(self, case, status, said, wrong=()):
        """`wrong` lists what is not as expected, if anything."""
        self.cases += 1
        wrong = listed(wrong)
        said = said if len(said) <= WIDE else said[: WIDE - 1] + "…"
        print(f"{'!!' if wrong else '  '} {case:<58} | {status!s:>2} | {said}", flush=True)
        for line in wrong:
            print(f"      not as expected: {line}", flush=True)
        if wrong:
            self.bad.append(case)

    def clean(self, case, answer, **wanted):
        """A verification that must find nothing; `wanted` are fields of its report."""
        wrong = [] if answer.clean else [f"status {answer.status}, digests {answer.digests}, findings {answer.findings}"]
        self.check(case, answer, wrong, **wanted)

    def check(self, case, answer, wrong=(), **wanted):
        wrong = listed(wrong)
        for name, value in wanted.items():
            got = answer.status if name == "status" else answer.report.get(name)
            if got != value:
                wrong.append(f"{name} is {got!r}, expected {value!r}")
        self.row(case, answer.status, answer.said(), wrong)

    def group(self, title, checks, *arguments):
        """Runs a function that adds rows; what it raises is a row too."""
        self.part(title)
        try:
            checks(self, *arguments)
        except Exception as error:  # noqa: BLE001: whatever a library raises is a finding
            trace = error.__traceback__
            while trace.tb_next:
                trace = trace.tb_next
            place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
            self.row(title, "-", f"{type(error).__name__}: {error}", [f"raised at {place}"])

    def finish(self):
        print(f"\n{self.cases - len(self.bad)} of {self.cases} cases as expected", *(f"\n  not: {case}" for case in self.bad))
        sys.stdout.flush()
        return 1 if self.bad else 0


def lines(path):
    """The lines of a plain file, without their newlines."""
    return Path(path).read_bytes().removesuffix(b"\n").split(b"\n")
