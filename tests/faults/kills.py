"""Kills conversions at random moments, over and over, and proves that the next run makes the very same dataset.

    python3 tests/faults/kills.py BINARY [--kills 200] [--seed N] [--json FILE]

Each round begins in an empty folder, kills one, two or three runs in it, one after the other, and lets the next run to its end.
That must answer and leave what a run that nobody disturbs does: status, counts, digests by `verify`, names and numbers of files.
Most kills are SIGKILL, every fifth is SIGINT or SIGTERM. It says nothing of a power cut: a kill loses no page of the cache.
Faults that are no signals are in faults.py.
"""

import argparse
import collections
import dataclasses
import gzip
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time

from dumps import lines, write, zstd
from tool import Program, Untrustworthy, demand, ended, resumed, shown

# Large enough for a journal of several lines, small enough for two hundred kills in four minutes on two cores.
ROWS, DIMENSION = 24_000, 96
FLAGS = ("--index", "ivf_pq", "--sub-vectors", "8", "--on-duplicate", "last")
# Files whose first sight is a moment to kill at. Half of the kills come at one of these, the others at any moment.
MARKS = ("out.lance.partial", "out.lance.journal", "out.lance.partial/data", "out.lance.partial/_versions", "out.lance.partial/_indices",
         "out.rejects.jsonl", "out.lance", "out.report.json")
STAGES = ("planning", "converting", "commit", "indexing", "publish", "published")


def dump(folder):
    """About 20 MB in five shards of every wrapping, with records that are refused and ids that stand twice."""
    path = folder / "dump"
    path.mkdir()
    part = ROWS // 5
    bad = ["not JSON\n", '{"vector":[1],"payload":{}}\n', '{"id":1,"vector":[1,2],"payload":{}}\n', '{"id":2,"vector":"no"}\n']
    first, *others = (lines(number * part, part, DIMENSION) for number in range(5))
    write(path / "points-0.jsonl", first[:700], bad, first[700:])
    write(path / "points-1.jsonl.zst", others[0], bad, lines(17, 20, DIMENSION, 1), pack=zstd)
    write(path / "points-2.jsonl.gz", others[1], bad, pack=lambda data: gzip.compress(data, 1, mtime=0))
    write(path / "points-3.json", "[", ",".join(line.rstrip() for line in [*others[2], *lines(part + 5, 20, DIMENSION, 2), bad[2]]), "]")
    write(path / "points-4.jsonl", others[3], lines(4 * part, 20, DIMENSION, 3), bad[:1])
    return path


@dataclasses.dataclass
class Kill:
    """One death."""

    signal: str
    moment: str
    stage: str
    resumed: bool = False
    problem: str | None = None
    round: str = ""


class Rounds:
    """All rounds against one undisturbed run."""

    def __init__(self, program, work, seconds, seed):
        self.program, self.work, self.seconds = program, work, seconds
        self.random = random.Random(seed)
        self.kills, self.number, self.late = [], itertools.count(), 0

    def round(self, most):
        """Kills at most so many runs in one folder, and then holds the run that nobody kills against the undisturbed one."""
        folder = self.program.folder()
        mine = []
        wanted = min(most, self.random.choice((1, 1, 2, 2, 3)))
        try:
            while len(mine) < wanted:
                kill = self.kill(folder)
                if kill is None:
                    # It came too late: the run has ended as if nothing had been.
                    break
                mine.append(kill)
                if kill.stage == "published":
                    break
            self.check(folder, mine)
        except Untrustworthy as problem:
            if not mine:
                raise
            for kill in mine:
                kill.problem = str(problem)
        for kill in mine:
            kill.round = ", then ".join(f"{k.signal} {k.moment} ({k.stage})" for k in mine)
        self.kills += mine
        self.program.clean()

    def moment(self, folder):
        """When to kill: a text for people, and a function that waits until then."""
        random_ = self.random
        missing = [mark for mark in MARKS if not os.path.lexists(folder / mark)]
        if random_.random() < 0.5 and missing:
            mark, extra = random_.choice(missing), random_.choice((0, 0, random_.uniform(0, 0.03)))

            def see(process):
                while process.poll() is None and not os.path.lexists(folder / mark):
                    time.sleep(0.0002)
                time.sleep(extra)

            return f"{extra * 1000:.0f} ms after {mark} appears", see
        delay = random_.uniform(0, self.seconds)

        def wait(process):
            end = time.monotonic() + delay
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.0005)

        return f"after {delay * 1000:.0f} ms", wait

    def kill(self, folder):
        """Starts the conversion and kills it; None if it ended before."""
        soft = next(self.number) % 5 == 4
        sort = self.random.choice((signal.SIGINT, signal.SIGTERM)) if soft else signal.SIGKILL
        what, wait = self.moment(folder)
        process = self.work.start(folder)
        wait(process)
        process.send_signal(sort)
        answer = ended(process)
        kill = Kill(sort.name, what, stage(folder))
        try:
            # A signal that comes before the program has asked for it ends it as it ends any program.
            answer.demand(self.work.answer.status, 130, 2, signals=[sort])
            if answer.status == 2:
                demand(answer.says("already exists"), f"the run before the kill says: {answer.message}")
            if answer.status in (2, self.work.answer.status):
                self.late += 1
                return None
            demand(answer.status != 130 or answer.says("interrupted"), f"status 130 without a word: {answer.message}")
            self.work.state(folder)
        except Untrustworthy as problem:
            raise Untrustworthy(f"{sort.name} {what}: {problem}") from None
        return kill

    def check(self, folder, mine):
        """Lets the next run to its end and compares what it leaves."""
        work = self.work
        published = os.path.lexists(folder / work.out)
        answer = work.run(folder)
        if published and answer.status == 2:
            # Nothing was left to do; then nothing may be left behind or missing.
            demand(answer.says("already exists"), f"expected that it says so: {answer.message}")
        else:
            answer.demand(work.answer.status)
        demand(work.state(folder) == "whole", "no dataset")
        work.demand_same(folder, "the next run")
        again = answer.status != 2 and (resumed(folder, work.out) or answer.says("resum"))
        for kill in mine:
            kill.resumed = again


def stage(folder):
    """How far a run had come, told by what is on the disk."""
    partial = folder / "out.lance.partial"
    if os.path.lexists(folder / "out.lance"):
        return "published"
    if not partial.is_dir():
        return "planning"
    if (folder / "out.rejects.jsonl").exists():
        return "publish"
    if (partial / "_indices").is_dir() or (partial / "_codes.lance").is_dir():
        return "indexing"
    return "commit" if (partial / "_versions").is_dir() else "converting"


def table(kills):
    """One row for each stage of death."""
    yield f"{'stage of death':<16} | {'kills':>5} | {'resumed':>7} | {'identical':>9}"
    yield "-|-".join("-" * width for width in (16, 5, 7, 9))
    for name in STAGES:
        of = [kill for kill in kills if kill.stage == name]
        if of:
            yield f"{name:<16} | {len(of):>5} | {sum(k.resumed for k in of):>7} | {sum(k.problem is None for k in of):>9}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write every kill there")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        program = Program(args.binary, scratch)
        work = program.work("kills", dump, *FLAGS)
        times = []
        for _ in range(3):
            times.append(work.run(program.folder()).demand(work.answer.status).seconds)
        program.clean()
        seconds = statistics.median(times)
        size = sum(path.stat().st_size for path in work.dump.iterdir())
        print(f"undisturbed: {work.counts['read']} records of {size / 1e6:.0f} MB in {seconds:.2f} s, status {work.answer.status}, seed {args.seed}")
        print(f"digests: {' '.join(work.digests) if work.digests else 'none, the program has no verify; data files are compared'}", flush=True)
        rounds = Rounds(program, work, seconds, args.seed)
        while len(rounds.kills) < args.kills:
            demand(rounds.late < 5 * args.kills, "nearly every kill came too late")
            rounds.round(args.kills - len(rounds.kills))
    kills = rounds.kills
    print("\n".join(table(kills)))
    wrong = [kill for kill in kills if kill.problem]
    for problem, count in collections.Counter(kill.problem for kill in wrong).most_common(12):
        example = next(kill.round for kill in wrong if kill.problem == problem)
        print(f"NOT IDENTICAL ×{count}: {shown(problem)}\n    as after {example}")
    sorts = collections.Counter(kill.signal for kill in kills)
    print(", ".join(f"{count} {name}" for name, count in sorts.most_common()) + f"; {rounds.late} came too late and do not count")
    print(f"{len(kills) - len(wrong)} of {len(kills)} in {time.monotonic() - began:.0f} s")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            facts = {"seed": args.seed, "undisturbed": work.counts | {"seconds": seconds, "bytes": size, "digests": work.digests}}
            facts |= {"kills": len(kills), "identical": len(kills) - len(wrong), "resumed": sum(k.resumed for k in kills)}
            json.dump(facts | {"each": [dataclasses.asdict(kill) for kill in kills]}, out, indent=1)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
