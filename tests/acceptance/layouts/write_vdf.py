"""VDF dumps by the exporters of vdf-io themselves.

Needs vdf-io (`pip install --no-deps vdf-io`), chromadb, pinecone, qdrant-client, halo, pillow, tqdm, pandas. Chroma runs in this process;
of Pinecone only the network is replaced (`Index`), files and metadata are what the exporter writes.
"""

import json
import os
import shutil
import types
from pathlib import Path

from .rows import decimals


def metadata(row, step):
    """Fields that differ from file to file: a column missing, integers instead of doubles, nothing but nulls."""
    fields = {k: v for k, v in row.values.items() if v is not None and isinstance(v, (str, int, float, bool))}
    if step % 3 == 1:
        fields.pop("homepage", None)
        fields["score"] = int(fields["score"])
    if step % 3 == 2:
        fields["section"] = None
    return fields


def settle(made, out):
    """Moves what an exporter made in the working folder to its place, without the names of people and machines."""
    meta = made / "VDF_META.json"
    value = json.loads(meta.read_text())
    value["author"], value["exported_at"] = "someone", "2026-01-02T03:04:05.678901+00:00"
    value["file_structure"] = [p.replace(made.name, "vdf_20260102_030405_abcde") for p in value["file_structure"]]
    meta.write_text(json.dumps(value, indent=4))
    shutil.rmtree(out, ignore_errors=True)
    shutil.move(made, out)


def within(scratch, work):
    """The exporters write to the working folder."""
    before = os.getcwd()
    scratch.mkdir(parents=True, exist_ok=True)
    os.chdir(scratch)
    try:
        return work()
    finally:
        os.chdir(before)


def chroma(rows, out, scratch):
    """Two collections; then once more in batches, where the exporter keeps only the last one: a loss that its counts betray."""
    import chromadb
    from vdf_io.export_vdf.chroma_export import ExportChroma

    place = scratch / "chroma-data"
    shutil.rmtree(place, ignore_errors=True)
    client = chromadb.PersistentClient(path=str(place))
    half = len(rows) * 2 // 3
    for name, part in (("debs", rows[:half]), ("more debs", rows[half:])):
        collection = client.create_collection(name.replace(" ", "-"), metadata={"hnsw:space": "cosine"})
        for k in range(0, len(part), 1000):
            some = part[k : k + 1000]
            collection.add(ids=[r.id for r in some], embeddings=[r.vector for r in some], documents=[r.text for r in some],
                           metadatas=[metadata(r, r.n % 2) for r in some])
    for batch, name in ((100_000, "vdf-chroma"), (max(1, half // 2 + 1), "vdf-lossy")):
        def export(size=batch):
            exporter = ExportChroma({"persistent_path": str(place), "batch_size": size, "library_version": "0.1.248"})
            exporter.get_data()
            return Path(exporter.vdf_directory).resolve()
        settle(within(scratch, export), out / name)


def pinecone(rows, out, scratch):
    """Two indexes, one with namespaces, several files a namespace, lists of doubles, a field `vector` in the metadata."""
    from vdf_io.export_vdf import pinecone_export

    third = len(rows) // 3
    indexes = {"debs": {"": rows[:third], "old": rows[third : 2 * third]}, "notes": {"": rows[2 * third :]}}

    def stored(row, index):
        fields = metadata(row, row.n // max(1, third // 2))
        if index == "notes":
            fields = {"vector": f"plane {row.n}", "tags": row.values["tags"]} | ({"page": row.n} if row.n % 2 else {})
        return {"id": row.id, "values": decimals(row.vector), "metadata": fields}

    class Index:
        def __init__(self, name):
            self.name, self.spaces = name, {ns: {r.id: stored(r, name) for r in part} for ns, part in indexes[name].items()}

        def describe_index_stats(self):
            return {"dimension": len(rows[0].vector), "namespaces": {ns: {"vector_count": len(v)} for ns, v in self.spaces.items()}}

        def fetch(self, ids, namespace):
            return {"vectors": {i: self.spaces[namespace][i] for i in ids}}

    class Exporter(pinecone_export.ExportPinecone):
        DB_NAME_SLUG = pinecone_export.ExportPinecone.DB_NAME_SLUG

        def __init__(self, args):
            super(pinecone_export.ExportPinecone, self).__init__(args)
            self.collected_ids_by_modifying = False
            self.pc = types.SimpleNamespace(Index=Index, describe_index=lambda name: types.SimpleNamespace(metric="cosine"))

        def get_all_index_names(self):
            return list(indexes)

        def get_all_ids_from_index(self, namespace, **_):
            return list(self.index.spaces[namespace])

        def save_vectors_to_parquet(self, vectors, metadata, vectors_directory):
            # The exporter's own size limit cannot be below a megabyte; here each file gets a part of the vectors.
            ids, total = list(vectors), 0
            for part in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
                pick = {i: vectors[i] for i in part}, {i: metadata[i] for i in part}
                total += super().save_vectors_to_parquet(*pick, vectors_directory)
                del self.parquet_schema  # its unify_schemas fails where int64 meets double
            return total

    def export():
        exporter = Exporter({"library_version": "0.1.248", "model_name": "all-MiniLM-L6-v2", "max_file_size": 1024})
        exporter.get_data()
        return Path(exporter.vdf_directory).resolve()
    settle(within(scratch, export), out / "vdf-pinecone")


LAYOUTS = {"vdf-chroma": chroma, "vdf-lossy": chroma, "vdf-pinecone": pinecone}
