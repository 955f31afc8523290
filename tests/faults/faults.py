"""Runs the program under faults of disks, inputs and surroundings, one row each, and fails if it is not to be trusted in one.

    python3 tests/faults/faults.py BINARY [--only NAME] [--json FILE]

Needs Linux, Python 3.10 and a C compiler, nothing else; as root it makes faults that others cannot (small disks, files that may
not be read) and says so where it leaves one out. Deaths by a signal are in kills.py, bad records in tests/it.
"""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import calls
import disks
import inputs
import shards
import surroundings
from tool import Program, Skipped, Untrustworthy, shown

WIDTHS = (54, 84, 11, 56)
# Where the runs' folders are is of no interest.
FOLDERS = re.compile(r"/[^ ]*/faults-[^/]+/(runs|works)/\d+/")


@dataclasses.dataclass
class Row:
    """What was seen of one fault, over all of its runs."""

    fault: str
    messages: list = dataclasses.field(default_factory=list)
    statuses: list = dataclasses.field(default_factory=list)
    state: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    skipped: str | None = None
    seconds: float = 0.0

    @contextlib.contextmanager
    def trial(self, what=""):
        """One of several runs: what is wrong with it is noted, and the others are tried all the same."""
        try:
            yield
        except Untrustworthy as problem:
            text = FOLDERS.sub("", str(problem))
            self.problems.append(f"{what}: {text}" if what else text)

    def saw(self, answer, state):
        self.messages.append(FOLDERS.sub("", answer.message))
        self.statuses.append(answer.status)
        self.state.append(state)

    def cells(self):
        """The table's four cells; what was seen several times is counted."""
        message, state = counted(self.messages, 1), counted(self.state, 3)
        if self.problems or self.skipped:
            message = f"NOT TRUSTWORTHY: {self.problems[0]}" if self.problems else f"SKIPPED: {self.skipped}"
        statuses = " ".join(f"{s}×{n}" if n > 1 else str(s) for s, n in collections.Counter(self.statuses).most_common())
        return [self.fault, shown(message), statuses, state]


def counted(texts, most):
    """The most frequent texts, and how many others there are."""
    found = collections.Counter(shown(t, 120) for t in texts if t).most_common()
    parts = [text if count == 1 or len(found) == 1 else f"{text} ×{count}" for text, count in found[:most]]
    return "; ".join(parts + ([f"and {len(found) - most} more"] if len(found) > most else []))


def cut(text, width):
    return text if len(text) <= width else text[: width - 1] + "…"


def table_row(cells):
    return " | ".join(cut(cell, width).ljust(width) for cell, width in zip(cells, WIDTHS)).rstrip()


def attempt(program, fault):
    row = Row(fault.name)
    began = time.monotonic()
    try:
        with row.trial():
            fault.run(program, row)
    except Skipped as why:
        row.skipped = str(why)
    program.clean()
    row.seconds = time.monotonic() - began
    return row


def in_a_namespace(binary, row):
    """A user who is not root may mount in a namespace of his own, where the kernel allows that."""
    command = ["unshare", "-rm", sys.executable, __file__, binary, "--only", row.fault, "--json", "/dev/stdout", "--quiet"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return Row(**json.loads(done.stdout)[0])
    except (OSError, ValueError, IndexError):
        return row


# What is known to end badly, and why; shown as such in the table, and no reason to fail.
KNOWN = {
    "address space limit": "Rust's standard library panics where a thread cannot be started",
    "a thread cannot be started: EAGAIN": "the same, and in tokio's and rayon's pools",
    "from some thread on none can be started: EAGAIN": "the same",
    "dump replaced, --on-duplicate reject": "the dump must not change while it is read; originals of duplicates are read at the end",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--only", metavar="NAME", help="only faults whose name contains this")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--quiet", action="store_true", help="print no table")
    args = parser.parse_args()
    faults = [f for room in (disks, calls, inputs, shards, surroundings) for f in room.FAULTS if not args.only or args.only in f.name]
    rows, began = [], time.monotonic()
    say = (lambda *_: None) if args.quiet else (lambda text: print(text, flush=True))
    say(table_row(["fault", "message", "status", "afterwards"]))
    say("-|-".join("-" * width for width in WIDTHS))
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        program = Program(args.binary, scratch)
        for fault in faults:
            row = attempt(program, fault)
            if row.skipped and fault.mounts and os.geteuid() != 0:
                row = in_a_namespace(args.binary, row)
            rows.append(row)
            say(table_row(row.cells()))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump([dataclasses.asdict(row) for row in rows], out, indent=1)
    wrong = [r for r in rows if r.problems and r.fault not in KNOWN]
    known, skipped = [r for r in rows if r.problems and r.fault in KNOWN], [r for r in rows if r.skipped]
    runs = sum(len(r.statuses) for r in rows)
    say(f"\n{len(rows)} faults, {runs} runs under them, {len(wrong)} not trustworthy, {len(skipped)} skipped, {time.monotonic() - began:.0f} s")
    for row in wrong:
        # Those that differ in numbers only are one and the same.
        kinds = collections.Counter()
        first = {}
        for problem in row.problems:
            kind = re.sub(r"[0-9a-f]*[0-9][0-9a-f]*|(?<=\.tmp)\w+", "#", problem)
            kinds[kind] += 1
            first.setdefault(kind, problem)
        for kind, count in kinds.items():
            say(f"NOT TRUSTWORTHY  {row.fault}: {first[kind]}" + (f" (and {count - 1} more like it)" if count > 1 else ""))
    for row in known:
        say(f"KNOWN  {row.fault}: {KNOWN[row.fault]}")
    for row in skipped:
        say(f"SKIPPED  {row.fault}: {row.skipped}")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
