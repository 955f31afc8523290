"""Faults of inputs while a run reads them: dumps that change, pipes that end early or say nothing.

Shards that cannot be read at all are in shards.py, reads that fail in calls.py, bad records in tests/it and fixtures/.
"""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

from dumps import lines, write, zstd
from registry import Faults
from tool import HERE, Work, counts, demand, ended, names, prints, report, shown, until

FAULTS = Faults()
FLAGS = ("--index", "none")
# Small chunks and one thread: the run is in the middle of the dump when it is stopped.
SLOWLY = ("--threads", "1", "--memory", "256MiB", "--index", "none")
ROWS = 60_000


def long(folder):
    """About 40 MB in one file."""
    return write(folder / "points.jsonl", lines(0, ROWS, 64))


def stopped(work, folder, *more):
    """A run that is stopped while it converts."""
    process = work.start(folder, *more)
    data = folder / "out.lance.partial" / "data"
    demand(until(lambda: data.is_dir() and os.listdir(data), process), "the run ended before it began to write")
    process.send_signal(signal.SIGSTOP)
    return process


def gone_on(process):
    process.send_signal(signal.SIGCONT)
    return ended(process)


def documented():
    """Whether the README says that a mapped dump which is shortened ends the run by a crash."""
    readme = HERE.parent.parent / "README.md"
    return not readme.is_file() or "--no-mmap` turns what would be a crash into an error" in " ".join(readme.read_text(encoding="utf-8").split())


def after_a_change(program, work, folder, row):
    """The dump is another one now: the same command may refuse that and say so; it must not mix the two."""
    new = Work(program, work.dump, work.flags)
    answer = new.run(folder).demand(new.answer.status, 2)
    if answer.status == 2:
        told = answer.says("changed") or answer.says("not what it began with")
        demand(told and answer.says("--restart"), f"the message does not tell what to do: {shown(answer.err)}")
        row.state.append("then refused")
        new.run(folder, "--restart").demand(new.answer.status)
    demand(new.state(folder) == "whole", "the next run did not convert the dump as it is now")
    new.demand_same(folder, "the next run")


@FAULTS("dump loses its last records", 0.97)
@FAULTS("dump loses its last records, --no-mmap", 0.97, "--no-mmap")
@FAULTS("dump shrinks to a half", 0.5)
@FAULTS("dump shrinks to a half, --no-mmap", 0.5, "--no-mmap")
@FAULTS("dump shrinks to nothing but a line", 0.0001)
@FAULTS("dump shrinks to nothing but a line, --no-mmap", 0.0001, "--no-mmap")
def shrinks(program, row, part, *more):
    folder, source = program.folder(), program.folder()
    work = Work(program, long(source), (*SLOWLY, *more))
    process = stopped(work, folder)
    with open(work.dump, "r+b") as dump:
        dump.truncate(dump.read(int(work.dump.stat().st_size * part) + 1000).rfind(b"\n") + 1)
    answer = gone_on(process)
    mapped = "--no-mmap" not in more
    work.judge(folder, answer, 2, signals=[signal.SIGBUS] if mapped and documented() else [], row=row)
    demand(answer.status < 0 or answer.says("shrank"), f"the message does not tell why: {answer.message}")
    after_a_change(program, work, folder, row)


@FAULTS("dump grows by whole lines", b"")
@FAULTS("dump grows by whole lines, --no-mmap", b"", "--no-mmap")
@FAULTS("dump grows by half a line, --no-mmap", b'{"id":77777,"vector":[0.', "--no-mmap")
def grows(program, row, half, *more):
    folder, source = program.folder(), program.folder()
    work = Work(program, long(source), (*SLOWLY, *more))
    process = stopped(work, folder)
    with open(work.dump, "ab") as dump:
        dump.write("".join(lines(ROWS, 100, 64)).encode() + half)
    answer = gone_on(process).demand(0, 1, 2)
    if answer.status == 2:
        demand(answer.says("grew") or answer.says("changed"), f"the message does not tell why: {answer.message}")
        work.judge(folder, answer, 2, row=row)
        return
    found = counts(folder)
    told = answer.says("grew") or answer.says("changed")
    # As it was at first, or as it is now; and half a record is a reject.
    demand((found["read"] - found["rejected"], found["rejected"]) in [(ROWS, 0), (ROWS + 100, bool(half))], f"neither the old nor the new dump: {found}")
    row.saw(answer, f"{found['read'] - ROWS} records more, {'and it says so' if told else 'and not a word of it'}")


@FAULTS("dump replaced by a rename")
@FAULTS("dump replaced by a rename, --no-mmap", "--no-mmap")
def replaced(program, row, *more):
    folder, source = program.folder(), program.folder()
    work = Work(program, long(source), (*SLOWLY, *more))
    process = stopped(work, folder)
    os.replace(write(source / "new", lines(0, ROWS, 64, 3)), work.dump)
    answer = gone_on(process)
    if answer.status == 2:
        work.judge(folder, answer, 2, row=row)
        return
    answer.demand(0)
    found = prints(folder / "out.lance")
    new = Work(program, work.dump, work.flags)
    demand(found in (work.prints, new.prints), "the dataset is neither the old dump nor the new one")
    row.saw(answer, "whole, of the old dump" if found == work.prints else "whole, of the new dump")


@FAULTS("dump replaced, --on-duplicate reject")
def replaced_with_rejects(program, row):
    """The originals of duplicates are read again after all records: by then the file is another one."""
    folder, source = program.folder(), program.folder()
    dump = write(source / "points.jsonl", lines(0, ROWS, 64), lines(7, 5, 64))
    process = stopped(Work(program, dump, (*SLOWLY, "--on-duplicate", "reject")), folder)
    os.replace(write(source / "new", lines(900_000, ROWS + 5, 64, 3)), dump)
    answer = gone_on(process).demand(1, 2)
    if answer.status == 1:
        rejects = [json.loads(line) for line in (folder / "out.rejects.jsonl").read_text().splitlines()]
        wrong = [r for r in rejects if r["original"] and f'"id":{r["id"]},' not in r["original"]]
        demand(not wrong, f"the reject of id {wrong and wrong[0]['id']} has the original of another record: {wrong and shown(wrong[0]['original'], 60)}")
    row.saw(answer, f"{len(names(folder))} files")


@FAULTS("a later shard is replaced before its turn")
def later_replaced(program, row):
    folder, source = program.folder(), program.folder() / "dump"
    source.mkdir()
    write(source / "a.jsonl", lines(0, ROWS, 64))
    write(source / "b.jsonl", lines(ROWS, 1000, 64))
    work = Work(program, source, SLOWLY)
    process = stopped(work, folder)
    os.replace(write(source / "new", lines(ROWS, 500, 64, 3)), source / "b.jsonl")
    answer = gone_on(process)
    if answer.status == 2:
        work.judge(folder, answer, 2, row=row)
    else:
        answer.demand(0, 1)
        new = Work(program, source, SLOWLY)
        found = prints(folder / "out.lance")
        demand(found in (new.prints, work.prints), "the dataset is neither the old dump nor the new one")
        row.saw(answer, "whole, of the dump as it is now")


@FAULTS("stdin ends early")
def stdin_ends(program, row):
    text = "".join(lines(0, 2000)).encode()
    line = text.find(b"\n", 150_000) + 1
    array = b"[" + text.replace(b"\n", b",\n")[:-2] + b"]"
    # What is given, the flags, the status, and what the message must tell.
    cases = [
        ("in a line", text[: line + 40], (), 1, "cut-off"),
        ("at a line's end", text[:line], (), 0, ""),
        ("at a line's end, --expect-rows", text[:line], ("--expect-rows", "2000"), 1, "expected 2000"),
        ("in zstd", zstd(text)[:150_000], (), 2, "cut off"),
        ("in gzip", gzip.compress(text)[:5000], (), 2, "cut off"),
        ("in an array", array[:150_000], (), 2, ""),
        ("before the first byte", b"", (), 2, "empty"),
        ("in the first line", text[:40], (), 1, "cut-off"),
    ]
    for what, data, flags, status, words in cases:
        with row.trial(what):
            folder = program.folder()
            process = program.start(folder, "convert", "--collection", "points", "-", "out.lance", *FLAGS, *flags, stdin=subprocess.PIPE)
            answer = ended(process, data=data).demand(status, *([2] if what == "in the first line" else []))
            demand(not words or answer.says(words) or answer.status != status, f"the message does not say `{words}`: {answer.message}")
            there = (folder / "out.lance").exists()
            demand(there == (status < 2 and not flags and what != "in the first line"), f"out.lance is {'there' if there else 'not there'}")
            demand(there or not [n for n in names(folder) if n != "out.rejects.jsonl" and n != "out.report.json"] or program.resumes, f"left: {names(folder)}")
            if there:
                whole = data.count(b"\n")
                demand(report(folder)["written"] == whole, f"{report(folder)['written']} records written of {whole}")
            row.saw(answer, "whole as far as it went" if there else "absent")


# Writes the beginning of a dump, says that it has, and waits for its death.
WRITER = "import sys,time; out=open(sys.argv[1],'wb'); out.write(open(sys.argv[2],'rb').read(int(sys.argv[3]))); out.flush(); print('x',flush=True); time.sleep(60)"


@FAULTS("FIFO whose writer is killed")
def writer_killed(program, row):
    source = program.folder()
    whole = write(source / "whole.jsonl", lines(0, 30_000))
    write(source / "whole.zst", lines(0, 30_000), pack=zstd)
    for name, size, status in (("whole.jsonl", 5_000_000, 1), ("whole.zst", 5_000_000, 2), ("whole.jsonl", 0, 2)):
        with row.trial(f"{name} after {size} bytes"):
            folder, fifo = program.folder(), source / f"fifo-{name}-{size}"
            os.mkfifo(fifo)
            process = program.start(folder, "convert", fifo, "out.lance", *FLAGS)
            writer = subprocess.Popen([sys.executable, "-c", WRITER, fifo, source / name, str(size)], stdout=subprocess.PIPE)
            writer.stdout.readline()
            writer.kill()
            writer.wait()
            writer.stdout.close()
            answer = ended(process).demand(status)
            there = (folder / "out.lance").exists()
            demand(there == (status == 1), f"out.lance is {'there' if there else 'not there'}")
            if there:
                with open(whole, "rb") as text:
                    demand(report(folder)["written"] == text.read(size).count(b"\n"), "not as many records as lines")
            row.saw(answer, "whole as far as it went" if there else "absent")


@FAULTS("stdin that says nothing: one signal", signal.SIGINT, "-")
@FAULTS("stdin that says nothing: SIGTERM", signal.SIGTERM, "-")
@FAULTS("FIFO that nobody writes: one signal", signal.SIGINT, "fifo")
@FAULTS("FIFO in a folder of shards: one signal", signal.SIGINT, "folder")
def nothing_comes(program, row, name, kind):
    folder, source = program.folder(), program.folder()
    dump = "-"
    if kind == "folder":
        write(source / "a.jsonl", lines(0, 10))
        os.mkfifo(source / "b.jsonl")
        dump = source
    elif kind == "fifo":
        dump = source / "fifo.jsonl"
        os.mkfifo(dump)
    process = program.start(folder, "convert", dump, "out.lance", stdin=subprocess.PIPE)
    if not until(lambda: False, process, 0.7):
        process.send_signal(name)
    began = time.monotonic()
    try:
        process.wait(6)
    except subprocess.TimeoutExpired:
        process.kill()
        ended(process)
        demand(False, "6 s after the signal it still waits")
    answer = ended(process).demand(130, 2, signals=[name])
    demand(names(folder) == [], f"left: {names(folder)}")
    row.saw(answer, f"absent, after {time.monotonic() - began:.1f} s")
