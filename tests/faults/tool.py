"""Runs the program in folders of its own and judges what it leaves. No fault stands here.

A run may fail, and then it has to say so in one line, leave no dataset or a whole one, and let the next run finish the work.
Whole means: `verify` finds no difference; where the program has no `verify`, the data files equal those of an undisturbed run.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Some runs are stopped while they work, and some are made slow.
LIMIT = 60
EPOCH = "1700000000"


class Untrustworthy(Exception):
    """The program did what a trustworthy tool does not do."""


class Skipped(Exception):
    """This machine cannot make the fault."""


def demand(condition, what):
    if not condition:
        raise Untrustworthy(what)


def shown(text, limit=400):
    """Text of the program for our own terminal."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"


@dataclasses.dataclass
class Answer:
    """What a run answered; a status below 0 is the signal that ended it, None that it did not end."""

    status: int | None
    out: bytes
    err: bytes
    seconds: float

    @property
    def message(self):
        """The line that says what went wrong; warnings may stand before it."""
        lines = self.err.decode("utf-8", "backslashreplace").splitlines()
        return next((line for line in lines if line.startswith("error: ")), lines[0] if lines else "")

    def says(self, *words):
        text = (self.out + self.err).decode("utf-8", "replace").lower()
        return all(word.lower() in text for word in words)

    def demand(self, *statuses, signals=()):
        """That the run ended by itself, with one of these statuses, and said why in the proper form."""
        demand(self.status is not None, f"it hung: no end after {self.seconds:.0f} s")
        text = self.out + self.err
        demand(b"panicked" not in text, f"a panic: {shown(self.err)}")
        raw = [c for c in text.decode("utf-8", "replace") if c not in "\n\t" and not c.isprintable() and not c.isspace()]
        demand(not raw, f"raw control characters on the terminal: {raw[:4]!r}")
        if self.status < 0:
            name = signal.Signals(-self.status).name
            demand(-self.status in signals, f"it died of {name}: {shown(self.err)}")
            return self
        demand(self.status in statuses, f"status {self.status}, expected {' or '.join(map(str, statuses))}: {shown(self.err)}")
        if self.status > 1 and self.err:
            demand(self.message.startswith("error: "), f"no error message: {shown(self.err)}")
        return self


class Program:
    """The binary, copied to where every user may run it, and what it can do."""

    def __init__(self, binary, scratch):
        self.scratch = Path(scratch)
        self.scratch.chmod(0o755)
        self.path = self.scratch / "program"
        shutil.copyfile(binary, self.path)
        self.path.chmod(0o755)
        self.numbers = itertools.count()
        self.works = {}
        self.verifies = b"\n  verify " in self.run(self.scratch, "--help").out
        self.resumes = b"--restart" in self.run(self.scratch, "convert", "--help").out
        self.library = None

    def start(self, folder, *args, env=None, bare=False, **popen):
        """Starts it in `folder`. Nothing of our own environment leaks in; `bare` leaves nothing at all."""
        clean = {} if bare else {"PATH": os.defpath, "HOME": str(self.scratch), "NO_COLOR": "1", "COLUMNS": "100", "SOURCE_DATE_EPOCH": EPOCH}
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
        return subprocess.Popen([self.path, *args], cwd=folder, env=clean | (env or {}), **popen)

    def run(self, folder, *args, limit=LIMIT, **options):
        return ended(self.start(folder, *args, **options), limit)

    def preload(self, **settings):
        """The environment in which calls fail; failing.c says how."""
        if self.library is None:
            self.library = self.scratch / "failing.so"
            cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
            if cc is None:
                raise Skipped("no C compiler")
            subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", self.library, HERE / "failing.c", "-ldl"], check=True)
        return {"LD_PRELOAD": str(self.library)} | {f"FAIL_{name.upper()}": str(value) for name, value in settings.items()}

    def folder(self, kind="runs"):
        """A new one. Those of runs are taken away after each fault."""
        path = self.scratch / kind / str(next(self.numbers))
        path.mkdir(parents=True)
        return path

    def clean(self):
        shutil.rmtree(self.scratch / "runs", ignore_errors=True)

    def work(self, name, make, *flags):
        """The dump of that name, made once, and the command that converts it."""
        if name not in self.works:
            self.works[name] = Work(self, make(self.folder("works")), flags)
        return self.works[name]


def ended(process, limit=LIMIT, data=None):
    """Gives a run these bytes on its stdin and waits for its end; one that does not end is killed."""
    began = time.monotonic()
    try:
        out, err = process.communicate(data, timeout=limit)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        status = None
    return Answer(status, out or b"", err or b"", time.monotonic() - began)


class Work:
    """One dump, the command that converts it, and what an undisturbed run leaves."""

    def __init__(self, program, dump, flags=(), out="out.lance"):
        self.program, self.dump, self.flags, self.out = program, dump, tuple(flags), out
        folder = program.folder("works")
        self.answer = program.run(folder, *self.command).demand(0, 1)
        self.counts = counts(folder, out)
        self.left = names(folder)
        self.prints = prints(folder / out)
        self.size = {part: size(folder / out / part) for part in ("data", "_indices", "")}
        self.largest = max(path.stat().st_size for path in (folder / out / "data").iterdir())
        self.shape = shape(folder / out)
        self.digests = self.verify(folder)
        self.sample = folder

    @property
    def command(self):
        return ["convert", str(self.dump), self.out, *self.flags]

    def run(self, folder, *more, **options):
        return self.program.run(folder, *self.command, *more, **options)

    def start(self, folder, *more, **options):
        return self.program.start(folder, *self.command, *more, **options)

    def verify(self, folder):
        """What `verify` says of the dataset in that folder; None if the program has no `verify`."""
        if not self.program.verifies:
            return None
        answer = self.program.run(folder, "verify", self.out, str(self.dump), "--json")
        demand(answer.status in (0, 1) and answer.out, f"HALF a dataset: verify answers {answer.status}: {shown(answer.err or answer.out)}")
        found = json.loads(answer.out)
        # Indices that were never built are no fault of the rows.
        missing = [text for text in found.get("findings", []) if re.fullmatch(r"the index \w+ is missing", text)]
        clean = answer.status == 0 or (missing and missing == found["findings"] and not found["differences"] and not (folder / self.out / "_indices").is_dir())
        demand(clean, f"HALF a dataset: verify says: {shown('; '.join(found.get('findings', [])) or found['line'])}")
        return found["dump_digest"], found["dataset_digest"]

    def state(self, folder, against=None):
        """`absent`, or `whole` and with or without its indices; everything else is the fault that matters most."""
        dataset = folder / self.out
        if not os.path.lexists(dataset):
            return "absent"
        demand((dataset / "_versions").is_dir(), f"HALF a dataset: it holds {', '.join(names(dataset)) or 'nothing'}")
        if self.program.verifies:
            found = self.verify(folder)
            demand(self.digests is None or found == self.digests, "HALF a dataset: the digests differ")
        else:
            found = prints(dataset)
            demand(found in [self.prints, *(against or [])], f"HALF a dataset: {len(found)} data files that are not those of a whole run")
        return "whole" if (dataset / "_indices").is_dir() or not (self.sample / self.out / "_indices").is_dir() else "whole, no indices"

    def unfinished(self, folder):
        """What is left beside dataset, report and lists; only a run that can be resumed may leave something."""
        rest = [name for name in names(folder) if name not in self.left]
        stem = self.out.removesuffix(".lance")
        expected = re.compile(re.escape(stem) + r"\.(lance\.partial|lance\.journal|rejects\.jsonl\.partial|duplicates\.jsonl\.partial|report\.json\.partial)$")
        strange = [name for name in rest if not expected.match(name)]
        demand(not strange, f"left behind: {', '.join(map(shown, strange))}")
        return rest

    def judge(self, folder, answer, *statuses, signals=(), row=None, same=True):
        """What a run under a fault must have left: with `same`, exactly the files of an undisturbed one if it succeeded."""
        answer.demand(*statuses, signals=signals)
        try:
            state, rest = self.state(folder), self.unfinished(folder)
        except Untrustworthy as problem:
            raise Untrustworthy(f"status {answer.status}, and {problem}") from None
        died = answer.status < 0
        demand(died or self.program.resumes or not rest, f"left behind: {', '.join(rest)}")
        demand(state == "absent" or answer.status in (0, 1) or died or self.out.encode() in answer.err, f"a dataset is there, and status {answer.status} does not say so: {answer.message}")
        if answer.status in (0, 1):
            demand(state == "whole", f"status {answer.status}, and afterwards: {state}")
            if same:
                self.demand_same(folder, "the run")
        for name in (n for n in names(folder) if n.endswith((".json", ".jsonl"))):
            readable(folder / name)
        if row is not None:
            row.saw(answer, state + (f", {' '.join(rest)}" if rest else ""))
        return state

    def demand_same(self, folder, run):
        """That a run has left what an undisturbed one leaves."""
        demand(names(folder) == self.left, f"after {run} there are {', '.join(map(shown, names(folder)))}")
        demand(counts(folder, self.out) == self.counts, f"{run} counts {counts(folder, self.out)}, expected {self.counts}")
        demand(shape(folder / self.out) == self.shape, f"{run} has files {shape(folder / self.out)}, expected {self.shape}")

    def again(self, folder, row=None, *more):
        """The same command, undisturbed: it must finish the work. Gives the answer."""
        state = self.state(folder)
        if state == "whole, no indices":
            answer = self.program.run(folder, "index", self.out, *index_flags(self.flags)).demand(0)
            demand(self.state(folder) == "whole", "index built nothing")
            note = "then indexed"
        elif state == "whole":
            answer = self.run(folder, *more).demand(2)
            demand(answer.says("already exists"), f"expected that it says so: {answer.message}")
            note = "then left alone"
        else:
            answer = self.run(folder, *more).demand(self.answer.status)
            demand(self.state(folder) == "whole", "the next run did not finish the work")
            self.demand_same(folder, "the next run")
            note = "then resumed" if resumed(folder, self.out) else "then anew"
        demand(not [n for n in names(folder) if "partial" in n or "journal" in n], f"left for ever: {', '.join(names(folder))}")
        if row is not None:
            row.state.append(note)
        return answer


def index_flags(flags):
    """The flags of `convert` that `index` has as well."""
    own = {"--index", "--sub-vectors", "--partitions", "--bits", "--metric", "--memory", "--threads"}
    return [part for name, value in zip(flags, flags[1:]) if name in own for part in (name, value)]


def names(folder):
    return sorted(os.listdir(folder))


def readable(path):
    """The values in a file of JSON; one that ends in the middle is a fault."""
    text = path.read_text(encoding="utf-8")
    try:
        return [json.loads(part) for part in (text.splitlines() if path.name.endswith(".jsonl") else [text])]
    except ValueError as error:
        raise Untrustworthy(f"{shown(path.name)} is cut off: {error}") from None


def report(folder, out="out.lance"):
    path = folder / (out.removesuffix(".lance") + ".report.json")
    demand(path.is_file(), "there is no report")
    return readable(path)[0]


def counts(folder, out="out.lance"):
    found = report(folder, out)
    return {name: found[name] for name in ("status", "read", "written", "rejected", "deduplicated", "without_vector", "headers")}


def resumed(folder, out="out.lance"):
    """Whether the run says that it went on with what another has left."""
    found = report(folder, out)
    return bool(found.get("resumed")) or any("resumed" in note for note in found["notes"])


def prints(dataset):
    """The content of the data files, whatever their names."""
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in (dataset / "data").glob("*.lance"))


def shape(dataset):
    """Numbers of files that a run must not leave more of than another."""
    return {name: len(os.listdir(dataset / name)) for name in ("data", "_versions", "_indices", "_deletions", "_transactions") if (dataset / name).is_dir()}


def size(path):
    return sum((Path(folder) / name).stat().st_size for folder, _, files in os.walk(path) for name in files)


def until(condition, process, limit=20):
    """Waits for a moment of a run; says whether it came before the run's end."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(0.0005)
    return False
