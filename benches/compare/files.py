"""Where the made files lie, and how they come to be: each once, by data.py, under a name that says all that it depends on.

Used by the cases. Standard library only. A file is written beside its place and renamed, so an interrupted run leaves none.
"""

import os
import shutil
import subprocess
from pathlib import Path

from run import HERE, say

# Part of each name: to be raised when data.py makes other bytes from the same options.
EDITION = 1


class Files:
    def __init__(self, python, folder, corpus=None, queries=None):
        self.python, self.folder, self.corpus, self.queries_file = python, folder, corpus, queries
        folder.mkdir(parents=True, exist_ok=True)

    def _made(self, name, what, *arguments):
        path = self.folder / f"{EDITION}-{name}"
        if path.exists():
            return path
        # The ending stays last: data.py and the program's readers go by it.
        part = self.folder / f"part-{os.getpid()}-{name}"
        say(f"  making {path.name}")
        try:
            subprocess.run([self.python, HERE / "data.py", what, "--out", part, *map(str, arguments)], check=True)
            part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
        return path

    def vectors(self, dims, rows):
        return self._made(f"vectors-{dims}-{rows}.npy", "vectors", "--dims", dims, "--rows", rows)

    def jsonl(self, dims, rows, floats="short", payload="small"):
        vectors = self.vectors(dims, rows)
        name = f"points-{dims}-{floats}-{payload}-{rows}.jsonl"
        return self._made(name, "jsonl", "--vectors", vectors, "--rows", rows, "--floats", floats, "--payload", payload)

    def repeated(self, dims, rows, period):
        """A large file whose vectors repeat; only for memory, where their size is what matters."""
        vectors = self.vectors(dims, min(rows, period))
        return self._made(f"repeated-{dims}-{rows}.jsonl", "jsonl", "--vectors", vectors, "--rows", rows, "--repeat", period)

    def long_line(self, dims, rows, length):
        vectors = self.vectors(dims, rows)
        return self._made(f"line-{dims}-{rows}-{length}.jsonl", "jsonl", "--vectors", vectors, "--rows", rows, "--long-line", length)

    def parquet(self, dims, rows, one_group=False):
        vectors = self.vectors(dims, rows)
        extra = ["--one-group"] if one_group else []
        name = f"{'group' if one_group else 'points'}-{dims}-{rows}.parquet"
        return self._made(name, "parquet", "--vectors", vectors, "--rows", rows, *extra)

    def compressed(self, source, ending):
        return self._made(f"{self._stem(source)}.jsonl{ending}", "compress", "--source", source)

    def shards(self, source, count):
        return self._made(f"{self._stem(source)}-{count}-shards", "shards", "--source", source, "--shards", count)

    def for_index(self, dims, rows):
        """(dump, questions): a corpus's where one was given, else made ones with longer texts, as the full-text index has to have."""
        if not self.corpus:
            return self.jsonl(dims, rows, payload="large"), self._made(f"queries-{dims}.npy", "queries", "--dims", dims, "--rows", 200)
        stem = f"{Path(self.corpus).stem}-{Path(self.corpus).stat().st_size}-{rows}"
        vectors = self._made(f"vectors-{stem}.npy", "vectors", "--corpus", self.corpus, "--rows", rows)
        dump = self._made(f"corpus-{stem}.jsonl", "jsonl", "--vectors", vectors, "--corpus", self.corpus, "--rows", rows)
        return dump, self.queries_file

    @staticmethod
    def _stem(source):
        return source.name.removeprefix(f"{EDITION}-").partition(".")[0]
