"""Faults of disks: full, too small for an index, without free inodes, read-only, and limits that act like them.

Small disks are tmpfs mounts, for which the system asks for root. Single calls that fail are in calls.py.
"""

import contextlib
import os
import resource
import signal
import subprocess

from dumps import mixed, plain
from registry import Faults
from tool import Skipped, demand, names

FAULTS = Faults()
FLAGS = ("--index", "ivf_pq", "--sub-vectors", "8")


def mount(*args):
    done = subprocess.run(["mount", *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"mounting needs root: {done.stderr.strip().splitlines()[0]}")


@contextlib.contextmanager
def disk(program, options):
    """A small disk, and a function that changes its options while it is mounted."""
    path = program.folder()
    try:
        mount("-t", "tmpfs", "-o", options, "tmpfs", path)
        # With both names given, mount adds no options of its own, some of which a namespace of users refuses.
        yield path, lambda more: mount("-t", "tmpfs", "-o", f"remount,{more}", "tmpfs", path)
    except FileNotFoundError:
        raise Skipped("there is no mount") from None
    finally:
        subprocess.run(["umount", "-l", path], capture_output=True, check=False)


def large(program):
    """About 10 MB of vectors, so that a disk fills little by little."""
    return program.work("large", plain(20_000, 64), *FLAGS)


def huge(program):
    """Enough for a journal that knows several finished fragments when the disk fills."""
    return program.work("huge", plain(45_000, 64), *FLAGS)


def fill(work, row, path, grow):
    """A run on a disk that is too small, room is made, and the same command is run again."""
    answer = work.run(path)
    work.judge(path, answer, 2, row=row)
    demand(answer.status != 2 or answer.says("space") or answer.says("inode"), f"the message does not tell that the disk is full: {answer.message}")
    grow()
    work.again(path, row)


@FAULTS("full disk while writing", 0.02, 0.2, 0.5, 0.8, 0.97, mounts=True)
def full_writing(program, row, *parts):
    work = huge(program)
    for part in parts:
        with row.trial(f"room for {part:.0%} of the rows"), disk(program, f"size={int(work.size['data'] * part)}") as (path, remount):
            fill(work, row, path, lambda: remount(f"size={work.size[''] * 4}"))
    demand(not program.resumes or "then resumed" in row.state, "no run says that it resumed")


@FAULTS("full disk while indexing", 0.0, 0.15, 0.4, 0.7, 0.9, mounts=True)
def full_indexing(program, row, *parts):
    work = large(program)
    for part in parts:
        # The dataset's files and a little more, then ever more of what the indices need.
        room = work.size[""] - work.size["_indices"] + 256 * 1024 + work.size["_indices"] * part
        with row.trial(f"room for {part:.0%} of the indices"), disk(program, f"size={int(room)}") as (path, remount):
            fill(work, row, path, lambda: remount(f"size={work.size[''] * 4}"))
    demand("then indexed" in row.state or "then resumed" in row.state, "no disk filled while indexing")


@FAULTS("no free inodes", 3, 8, 12, 20, 40, mounts=True)
def no_inodes(program, row, *counts):
    work = large(program)
    for count in counts:
        with row.trial(f"{count} inodes"), disk(program, f"size=200m,nr_inodes={count}") as (path, remount):
            fill(work, row, path, lambda: remount("nr_inodes=10000"))


@FAULTS("full disk with --overwrite: the old dataset stays", 0.5, 1.1, mounts=True)
def full_overwriting(program, row, *parts):
    work, old = large(program), program.work("mixed", mixed, *FLAGS)
    for part in parts:
        with disk(program, f"size={int(old.size[''] * 2 + work.size['data'] * part)}") as (path, remount):
            old.run(path).demand(old.answer.status)
            before = (path / "out.report.json").read_bytes()
            answer = work.run(path, "--overwrite").demand(2)
            demand(answer.says("space"), answer.message)
            if (path / "out.lance").is_dir() and "all rows are in" in answer.message:
                # The rows were whole: the new dataset stands in place of the old one, as the message says.
                state = work.state(path)
            else:
                demand(old.state(path) == "whole", "the old dataset is not what it was")
                demand((path / "out.report.json").read_bytes() == before, "the old report is not what it was")
                state = "as before"
            row.saw(answer, state)
            remount(f"size={work.size[''] * 8}")
            work.run(path, "--overwrite").demand(work.answer.status)
            demand(work.state(path) == "whole" and names(path) == sorted(work.left), f"left: {names(path)}")


@FAULTS("output on another device than the input", mounts=True)
def other_device(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    with disk(program, "size=100m") as (path, _):
        work.judge(path, work.run(path), work.answer.status, row=row)
        demand(names(path) == work.left, f"left: {names(path)}")


@FAULTS("read-only disk", mounts=True)
def read_only(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    with disk(program, "size=100m") as (path, remount):
        remount("ro")
        answer = work.run(path)
        demand(answer.says("read-only"), f"the message does not tell why: {answer.message}")
        work.judge(path, answer, 2, row=row)
        remount("rw")
        work.again(path, row)


def nobody():
    """Options that start a program as a user who may not do everything."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


@FAULTS("output folder that may not be written")
def no_right(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    folder = program.folder()
    folder.chmod(0o555)
    answer = work.run(folder, **nobody())
    work.judge(folder, answer, 2, row=row)
    demand(answer.says("permission denied"), f"the message does not tell why: {answer.message}")
    folder.chmod(0o755)
    work.again(folder, row)


@FAULTS("index: a dataset that may not be written")
def no_right_to_index(program, row):
    work = program.work("mixed", mixed, *FLAGS)
    folder = program.folder()
    work.run(folder).demand(work.answer.status)
    if os.geteuid() != 0:
        (folder / work.out).chmod(0o555)
    answer = program.run(folder, "index", work.out, **nobody()).demand(2)
    demand(answer.says("permission denied"), f"the message does not tell why: {answer.message}")
    (folder / work.out).chmod(0o755)
    row.saw(answer, work.state(folder))


@FAULTS("file size limit, SIGXFSZ ignored", False)
@FAULTS("file size limit, SIGXFSZ deadly", True)
def file_size(program, row, deadly):
    work = large(program)
    for part in (0.01, 0.3, 0.9):
        with row.trial(f"{part:.0%} of the largest file"):
            limit = int(work.largest * part)
            folder = program.folder()
            answer = work.run(folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)), restore_signals=deadly)
            # A program that has not asked for this signal dies of it, as most do; the work must not be lost by that.
            work.judge(folder, answer, 2, signals=[signal.SIGXFSZ] if deadly else [], row=row)
            work.again(folder, row)


@FAULTS("address space limit", 300, 400, 600, 1000, 1500, 2500)
def address_space(program, row, *limits):
    work = large(program)
    for limit in limits:
        with row.trial(f"{limit} MiB"):
            folder = program.folder()
            answer = work.run(folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20)), limit=20)
            work.judge(folder, answer, 2, work.answer.status, signals=[signal.SIGABRT], row=row)
            work.again(folder)
