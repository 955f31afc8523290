"""Faults of what a dump's folder holds: shards that cannot be read, links that lead in circles, strange names, too many files.

Dumps that change while they are read are in inputs.py, bad records in tests/it and fixtures/.
"""

import os
import resource
import socket

from disks import nobody
from dumps import lines, plain, write, zstd
from registry import Faults
from tool import demand, report

FAULTS = Faults()
FLAGS = ("--index", "none")
INDEXED = ("--index", "ivf_pq", "--sub-vectors", "8")


def unreadable(kind, shard):
    if kind == "mode 000":
        write(shard, lines(0, 10)).chmod(0)
    elif kind == "folder":
        shard.mkdir()
    elif kind == "dangling link":
        shard.symlink_to("nowhere")
    elif kind == "link to itself":
        shard.symlink_to(shard.name)
    elif kind == "socket":
        # A relative name: the path of a socket may be no longer than 108 bytes.
        here = os.getcwd()
        os.chdir(shard.parent)
        socket.socket(socket.AF_UNIX).bind(shard.name)
        os.chdir(here)
    elif kind == "empty file":
        shard.touch()
    else:
        shard.write_bytes(zstd("".join(lines(0, 10_000)).encode())[:300_000])


@FAULTS("a shard without rights among good ones", "mode 000", 2)
@FAULTS("a folder named like a shard", "folder", 0)
@FAULTS("a dangling link named like a shard", "dangling link", 2)
@FAULTS("a link to itself named like a shard", "link to itself", 2)
@FAULTS("a socket named like a shard", "socket", 2)
@FAULTS("an empty shard among good ones", "empty file", 0)
@FAULTS("a zstd shard cut off among good ones", "zstd", 2)
def bad_shard(program, row, kind, status):
    source, folder = program.folder(), program.folder()
    folder.chmod(0o777)
    write(source / "a.jsonl", lines(100, 50))
    unreadable(kind, source / "b.jsonl")
    write(source / "c.jsonl", lines(200, 50))
    answer = program.run(folder, "convert", source, "out.lance", *FLAGS, **(nobody() if kind == "mode 000" else {})).demand(status)
    there = (folder / "out.lance").is_dir()
    demand(there == (status == 0), f"out.lance is {'there' if there else 'not there'}")
    demand(status == 0 or "b.jsonl" in answer.message, f"the message does not name the shard: {answer.message}")
    demand(not there or report(folder)["written"] == 100, "the good shards are not whole")
    row.saw(answer, "whole" if there else "absent")


@FAULTS("a link to its own folder", ".", 1)
@FAULTS("two links to their own folder", ".", 2)
@FAULTS("two folders with links to each other", "../b", 1)
@FAULTS("a link to the folder above", "..", 1)
def loops(program, row, target, count):
    source, folder = program.folder(), program.folder()
    for name in ("a", "b"):
        (source / name).mkdir()
        write(source / name / "points.jsonl", lines(ord(name) * 100, 50))
        for number in range(count):
            (source / name / f"loop-{number}").symlink_to(target if name == "a" else target.replace("b", "a"))
    answer = program.run(folder, "convert", source, "out.lance", *FLAGS, limit=20).demand(0, 2)
    there = (folder / "out.lance").is_dir()
    demand(there == (answer.status == 0), "status and dataset contradict each other")
    demand(not there or report(folder)["read"] == 100, f"records were read more than once: {there and report(folder)['read']}")
    demand(there or "loop" in answer.message or answer.says("nested"), f"the message does not tell why: {answer.message}")
    row.saw(answer, "whole" if there else "absent")


UGLY = b"a\xffb", b"a\nb", b"a\x1b[31mb\x1b]0;t\x07", b"a\xc2\x9bb", "a\u202eb".encode()


@FAULTS("names that are not UTF-8 or steer a terminal: a file", "file")
@FAULTS("the same: a folder", "folder")
@FAULTS("the same: a shard in a folder", "shard")
@FAULTS("the same: a broken shard in a folder", "broken")
@FAULTS("the same: a file that is no shard", "ignored")
@FAULTS("the same: a missing file", "missing")
@FAULTS("the same: the output", "output")
@FAULTS("the same: the output's folder", "where")
def ugly(program, row, kind):
    for name in UGLY:
        with row.trial(repr(name)):
            source, folder = os.fsencode(program.folder()), program.folder()
            base = os.path.join(source, name)
            dump, out, where = base, b"out.lance", folder
            text = "".join(lines(0, 20) + ["not JSON\n"]).encode()
            if kind in ("folder", "shard", "broken", "ignored"):
                inside = {"folder": b"points.jsonl", "shard": name + b".jsonl", "broken": name + b".json", "ignored": name}[kind]
                dump = base if kind == "folder" else source
                os.makedirs(dump, exist_ok=True)
                with open(os.path.join(dump, inside), "wb") as file:
                    file.write(text if kind != "broken" else b'[{"id":1,"vector":[1,2],"payload":{}},{')
                if kind == "ignored":
                    with open(os.path.join(dump, b"points.jsonl"), "wb") as file:
                        file.write(text)
            elif kind != "missing":
                with open(base, "wb") as file:
                    file.write(text)
            if kind == "output":
                out = name + b".lance"
            elif kind == "where":
                os.mkdir(os.path.join(os.fsencode(folder), name))
                out = name + b"/out.lance"
            for command in ([b"convert", dump, out, *FLAGS], [b"inspect", dump], [b"convert", dump, out, *FLAGS, b"-vv"]):
                answer = program.run(where, *command).demand(*((2,) if kind in ("missing", "broken") else (0, 1, 2)))
                demand(b"\xc2\x9b" not in answer.out + answer.err and "\u202e".encode() not in answer.out + answer.err, "raw control characters on the terminal")
                demand(answer.err.count(b"\n") < 3 or b"-vv" in command, f"a name breaks the message into lines: {answer.err!r}")
                row.saw(answer, command[0].decode())
            built = os.path.join(os.fsencode(folder), out)
            demand(not os.path.exists(built) or os.path.isdir(os.path.join(built, b"_versions")), "half a dataset")
            demand(kind in ("output", "where", "missing", "broken") or os.path.exists(built), f"nothing was converted: {answer.message}")


def too_many(program, row, work, limit):
    folder = program.folder()
    few = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))}
    answer = work.run(folder, **few)
    work.judge(folder, answer, work.answer.status, row=row)
    answer = program.run(folder, "index", work.out, *INDEXED, **few).demand(0)
    row.saw(answer, work.state(folder))


@FAULTS("64 open files, an ordinary dump")
def few_files(program, row):
    too_many(program, row, program.work("large", plain(20_000, 64), *INDEXED), 64)


def shards(count):
    def make(folder):
        dump = folder / "many"
        dump.mkdir()
        for number, line in enumerate(lines(0, count)):
            write(dump / f"points-{number:05}.jsonl", line)
        return dump

    return make


@FAULTS("10,000 shards")
def many_shards(program, row):
    work = program.work("many", shards(10_000), *INDEXED)
    demand(work.counts["written"] == 10_000, f"{work.counts}")
    row.saw(work.answer, f"whole, in {work.answer.seconds:.1f} s")


@FAULTS("10,000 shards, 64 open files")
def many_shards_few_files(program, row):
    too_many(program, row, program.work("many", shards(10_000), *INDEXED), 64)
