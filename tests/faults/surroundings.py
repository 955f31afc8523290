"""Faults of what surrounds a run: other runs, the clock, closed streams, the environment, names that are taken.

Signals are in kills.py.
"""

import os
import shutil
import signal
import time
from pathlib import Path

from dumps import lines, mixed, plain, write
from registry import Faults
from tool import demand, ended, names, resumed, shape, shown, until

FAULTS = Faults()
FLAGS = ("--index", "ivf_pq", "--sub-vectors", "8")


def small(program):
    return program.work("mixed", mixed, *FLAGS)


@FAULTS("two runs to one output")
def two(program, row):
    work = program.work("large", plain(20_000, 64), *FLAGS)
    folder = program.folder()
    first = work.start(folder)
    demand(until((folder / "out.lance.partial" / "data").is_dir, first), "the first run ended too early")
    first.send_signal(signal.SIGSTOP)
    second = work.run(folder)
    first.send_signal(signal.SIGCONT)
    answer = ended(first)
    second.demand(2)
    demand(second.says("another run is writing"), f"the message does not tell why: {second.message}")
    row.saw(second, "left alone")
    work.judge(folder, answer, work.answer.status, row=row)


@FAULTS("eight runs to one output at the same moment")
def eight(program, row):
    work = small(program)
    for _ in range(12):
        with row.trial():
            folder = program.folder()
            only_one(work, folder, [work.start(folder) for _ in range(8)], row)


@FAULTS("two runs, the first slow in claiming its folder", range(30, 331, 25))
def slow_claim(program, row, delays):
    """The first makes its folder and sleeps, the second comes, and the first wakes while that one is at work or has ended."""
    work = program.work("middle", plain(5000, 64), *FLAGS)
    for delay in delays:
        with row.trial(f"{delay} ms"):
            folder = program.folder()
            first = work.start(folder, env=program.preload(calls="mkdir", path="out.lance", at=1, delay=delay))
            demand(until(lambda: names(folder), first), "it claims nothing")
            only_one(work, folder, [first, work.start(folder)], row)


@FAULTS("two runs, the second slow in locking the folder of the first")
def slow_lock(program, row):
    """It opens the lock's file and sleeps; the first ends, its folder gets another name; then the second locks what it has opened."""
    work = program.work("large", plain(20_000, 64), *FLAGS)
    folder = program.folder()
    first = work.start(folder)
    demand(until((folder / "out.lance.partial" / ".vec2lance-lock").is_file, first), "the first run ended too early")
    second = work.start(folder, env=program.preload(calls="create", path=".vec2lance-lock", at=1, delay=2000))
    only_one(work, folder, [first, second], row)


def only_one(work, folder, runs, row):
    """Of several runs to one output, one writes it, and each of the others says that."""
    answers = [ended(run) for run in runs]
    state = work.state(folder)
    for answer in answers:
        answer.demand(work.answer.status, 2)
        told = answer.says("another run is writing") or answer.says("already exists") or answer.says("appeared while")
        demand(answer.status != 2 or told, f"a run lost, and says: {answer.message}")
    won = [answer for answer in answers if answer.status != 2]
    demand(len(won) == 1, f"{len(won)} of {len(runs)} runs say that they wrote the dataset, which is {state}")
    work.judge(folder, won[0], work.answer.status)
    row.saw(next(answer for answer in answers if answer.status == 2), "whole, by one")


@FAULTS("two runs of index on one dataset")
def two_indexing(program, row):
    work = program.work("large", plain(20_000, 64), *FLAGS)
    folder = program.folder()
    work.run(folder).demand(work.answer.status)
    first = program.start(folder, "index", work.out, *FLAGS)
    demand(until((folder / work.out / "_building" / ".vec2lance-lock").is_file, first), "the first run ended too early")
    # Between the lock's file and the lock itself lies a moment.
    time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    second = program.run(folder, "index", work.out, *FLAGS)
    first.send_signal(signal.SIGCONT)
    ended(first).demand(0)
    second.demand(2)
    demand(second.says("another run is writing"), f"the message does not tell why: {second.message}")
    row.saw(second, work.state(folder))


@FAULTS("clock of 1999", 930_000_000, None)
@FAULTS("clock of 2106", 4_300_000_000, None)
@FAULTS("clock before 1970", -1000, None)
@FAULTS("clock that runs backwards", "back", None)
@FAULTS("clock set back between convert and index", 4_300_000_000, 930_000_000)
def clock(program, row, first, second):
    work = small(program)
    folder = program.folder()
    # SOURCE_DATE_EPOCH would hide the clock from the header.
    env = {"SOURCE_DATE_EPOCH": ""}
    answer = work.run(folder, env=env | program.preload(clock=first)).demand(work.answer.status, *([2] if first == -1000 else []))
    if answer.status == 2:
        row.saw(answer, work.state(folder))
        return
    # Versions of the run itself may stay: which are old is told by the clock.
    found = shape(folder / work.out)
    demand(all(found[name] == work.shape[name] for name in ("data", "_indices")), f"other files than by the right clock: {found}, expected {work.shape}")
    row.saw(answer, "converted")
    for env in (program.preload(clock=second or first), {}):
        answer = program.run(folder, "index", work.out, *FLAGS, env=env).demand(0)
        row.saw(answer, "indexed")
    if program.verifies:
        program.run(folder, "verify", work.out, str(work.dump)).demand(0)


@FAULTS("stdout closed", 1)
@FAULTS("stderr closed", 2)
@FAULTS("stdin closed", 0)
@FAULTS("all three closed", 0, 1, 2)
def closed(program, row, *numbers):
    work = small(program)
    for more in ((), ("-v",)):
        folder = program.folder()
        answer = work.run(folder, *more, preexec_fn=lambda: [os.close(number) for number in numbers])
        work.judge(folder, answer, work.answer.status, row=row)


@FAULTS("stdout whose reader has gone", "gone")
@FAULTS("stdout on a full disk", "full")
@FAULTS("stderr on a full disk", "full", "stderr")
def broken_stream(program, row, kind, stream="stdout"):
    work = small(program)
    folder = program.folder()
    if kind == "gone":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    answer = work.run(folder, "-v", **{stream: writer})
    os.close(writer)
    # A report that cannot be printed is no success; but the dataset is there, and the message must say so.
    work.judge(folder, answer, *((2, work.answer.status) if kind == "full" and stream == "stdout" else (work.answer.status,)), row=row)


@FAULTS("TMPDIR that may not be written", "/proc/nowhere")
@FAULTS("TMPDIR that is a file", "/dev/null")
@FAULTS("HOME unset", None)
def variables(program, row, temporary):
    work = small(program)
    folder = program.folder()
    env = {"TMPDIR": temporary} if temporary else {"PATH": os.defpath}
    answer = work.run(folder, env=env, bare=temporary is None)
    answer.demand(work.answer.status)
    row.saw(answer, "converted")
    answer = program.run(folder, "index", work.out, *FLAGS, env=env, bare=temporary is None).demand(0)
    row.saw(answer, "indexed")


@FAULTS("empty environment")
def bare(program, row):
    work = small(program)
    folder = program.folder()
    answer = work.run(folder, env={}, bare=True).demand(work.answer.status)
    demand(names(folder) == work.left and shape(folder / work.out) == work.shape, f"left: {names(folder)}")
    row.saw(answer, "converted")


@FAULTS("current folder that was removed")
def no_folder(program, row):
    work = small(program)
    folder, target = program.folder(), program.folder()
    inside = folder / "inside"
    inside.mkdir()
    command = ["convert", str(work.dump), f"{target}/out.lance", *FLAGS]
    answer = program.run(inside, *command, preexec_fn=lambda: os.rmdir("../inside")).demand(work.answer.status, 2)
    row.saw(answer, work.state(target))


@FAULTS("a folder of the user where the dataset is built", "out.lance.partial")
@FAULTS("a file of the user where the dataset is built", "out.lance.partial", b"mine")
@FAULTS("a folder of the user where the journal would be", "out.lance.journal")
@FAULTS("a folder of the user where the report would be", "out.report.json")
@FAULTS("a folder of the user where the rejects would be", "out.rejects.jsonl")
@FAULTS("a folder of the user where the output would be", "out.lance")
@FAULTS("a dangling link where the output would be", "out.lance", None)
def taken(program, row, name, text=b""):
    work = small(program)
    folder = program.folder()
    if text is None:
        (folder / name).symlink_to("nowhere")
    elif text:
        (folder / name).write_bytes(text)
    else:
        (folder / name).mkdir()
        write(folder / name / "mine.txt", "mine")
    for more in ((), ("--overwrite",)):
        answer = work.run(folder, *more).demand(2, work.answer.status)
        mine = folder / name if text else folder / name / "mine.txt"
        demand(text is None or (mine.is_file() and mine.read_bytes() == b"mine"), "it took away what it has not made")
        if name != "out.lance":
            state = work.state(folder)
            demand(state == "absent" or answer.status < 2 or b"out.lance" in answer.err.replace(b"out.lance.", b""), f"a dataset is there, and status 2 does not say so: {answer.message}")
        else:
            state = "left alone"
            demand(answer.status == 2, f"status {answer.status}")
        row.saw(answer, state)


@FAULTS("killed, then another dump into the same output")
def other_dump(program, row):
    """What a killed run has left of one dump must not get into the dataset of another."""
    work, other = program.work("long", long, *FLAGS), small(program)
    folder = program.folder()
    run = work.start(folder)
    progress = folder / "out.lance.journal" / "progress.jsonl"
    begun = (lambda: progress.is_file() and progress.stat().st_size) if program.resumes else (folder / "out.lance.partial" / "data").is_dir
    demand(until(begun, run), "the run ended too early")
    run.kill()
    ended(run)
    answer = other.run(folder).demand(other.answer.status, 2)
    if answer.status == 2:
        row.saw(answer, "refused")
        demand(answer.says("--restart"), f"the message does not tell what to do: {shown(answer.err)}")
        answer = other.run(folder, "--restart").demand(other.answer.status)
    other.judge(folder, answer, other.answer.status, row=row)


@FAULTS("an unfinished run's files are damaged")
def damaged(program, row):
    """A run must not go on with files that are not what its journal says, nor die of a journal that is none."""
    if not program.resumes:
        row.state.append("nothing is kept")
        return
    work = program.work("long", long, *FLAGS)
    for what in ("data cut", "data gone", "journal cut", "journal gone", "journal empty", "journal junk", "ids cut", "progress cut", "rejects cut", "rejects gone",
                 "staging gone"):
        with row.trial(what):
            folder = program.folder()
            staging, journal = folder / "out.lance.partial", folder / "out.lance.journal"
            # A run that cannot write the third line of its journal: it has two to go on from.
            run = work.start(folder, env=program.preload(calls="write", path="progress.jsonl", at=3, more=1, delay=20_000))
            until(lambda: (journal / "progress.jsonl").exists() and (journal / "progress.jsonl").read_bytes().count(b"\n") > 1, run)
            time.sleep(0.05)
            run.kill()
            ended(run)
            harm(what, folder)
            answer = work.run(folder).demand(work.answer.status, 2)
            row.saw(answer, f"{what}: {'refused' if answer.status == 2 else 'resumed' if resumed(folder) else 'anew'}")
            if answer.status == 2:
                demand(answer.says("--restart"), f"the message does not tell what to do: {shown(answer.err)}")
                work.run(folder, "--restart").demand(work.answer.status)
            demand(work.state(folder) == "whole", "the damage is in the dataset")
            work.demand_same(folder, "the next run")
            demand((folder / "out.rejects.jsonl").read_bytes() == (work.sample / "out.rejects.jsonl").read_bytes(), "the rejects are others")


def long(folder):
    """About 28 MB with a reject now and then."""
    bad = [["not JSON\n"] if n % 3 == 0 else [] for n in range(45)]
    return write(folder / "points.jsonl", *(part for n in range(45) for part in (lines(1000 * n, 1000, 64), bad[n])))


def harm(what, folder):
    place, how = what.split()
    journal = folder / "out.lance.journal"
    roots = {"data": folder / "out.lance.partial" / "data", "staging": folder / "out.lance.partial", "rejects": folder / "out.rejects.jsonl.partial"}
    root = (roots | {"journal": journal, "ids": journal / "ids.bin", "progress": journal / "progress.jsonl"})[place]
    if how == "gone":
        (shutil.rmtree if root.is_dir() else Path.unlink)(root)
        return
    for path in [root] if root.is_file() else [p for p in root.rglob("*") if p.is_file()]:
        data = path.read_bytes()
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "junk": b"\xff junk \x00" * 9}[how])
