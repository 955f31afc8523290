"""Opens a converted dataset with the real ContextFrame and pylance and compares it with the dump it came from.

    python tests/acceptance/accept.py --source qdrant --dump points.jsonl --dataset points.lance

Exit status 0 when every check passes, 1 with a list of failures. It shares no code with the converter: the dump is read
anew by Python's own libraries. It is not for dumps larger than memory, and it does not run the converter.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
sys.path.insert(0, str(Path(__file__).parent))

import check_contextframe  # noqa: E402
import check_indices  # noqa: E402
import check_rows  # noqa: E402
import check_schema  # noqa: E402
import check_search  # noqa: E402
import check_writes  # noqa: E402
import dumps  # noqa: E402
import rejects  # noqa: E402
from report import Report  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--source", required=True, choices=["pinecone", "weaviate", "qdrant", "chroma", "milvus"])
    parser.add_argument("--dump", required=True, nargs="+", help="files or folders, as given to the converter, in that order")
    parser.add_argument("--dataset", required=True, help="the converted dataset")
    parser.add_argument("--id-field", help="Milvus entities: the field with the id")
    parser.add_argument("--vector-field", help="Milvus entities: the field with the vector")
    parser.add_argument("--vector", help="the named vector that went to the column `vector`")
    parser.add_argument("--collection", help="the only collection's name")
    parser.add_argument("--metric", choices=["cosine", "l2", "dot"], help="the metric that the vector index must have")
    parser.add_argument("--no-index", action="store_true", help="converted with --index none: there must be no vector index")
    parser.add_argument("--min-recall", type=float, default=0.7, help="recall@10 wanted of an approximate index (default 0.7)")
    parser.add_argument("--on-duplicate", choices=["last", "first"], default="last", help="as converted (default last)")
    parser.add_argument("--can-update", action="store_true", help="converted with --member-relationship reference: updates must just work")
    parser.add_argument("--skip-writes", action="store_true", help="leave out the checks that copy the dataset and write to the copy")
    return parser.parse_args()


def load_sources(report, options, refused):
    """The records that must be in the dataset, by id, and how many were read."""
    kept, read, broken = {}, 0, 0
    for source in dumps.read(options.dump, options):
        read += 1
        if refused.holds(source):
            continue
        if source.broken or not isinstance(source.id, str) or not source.id:
            broken += 1
            report.fail(f"{source.shard} record {source.record} cannot be read ({source.broken or 'no id'}) and was not rejected")
        elif options.on_duplicate == "last" or source.id not in kept:
            kept[source.id] = source
    report.equal(len(refused.unmet()), 0, "rejects that point at no record of the dump")
    return kept, read


def main():
    options = arguments()
    report = Report()
    dataset = report.run("opens", check_contextframe.open_dataset, options.dataset)
    if dataset is None:
        return report.finish()
    refused = rejects.Rejects(options.dataset)
    loaded = report.run("dump and rejects", load_sources, options, refused)
    if loaded is None:
        return report.finish()
    sources, read = loaded
    main_name = dumps.main_name(sources.values(), options.vector)
    native = dataset._native
    report.run("schema", check_schema.check, native, sources, main_name)
    rows = report.run("rows, vectors, payloads, metadata", check_rows.check, native, sources, main_name, options)
    if rows is None:
        return report.finish()
    report.run("report file", rejects.check_report, options.dataset, read, rows)
    report.run("collections and headers", check_contextframe.check_collections, dataset, rows, options)
    report.run("ContextFrame lookups", check_contextframe.check_lookups, dataset, rows)
    report.run("SQL filters", check_contextframe.check_filters, dataset, rows)
    index = report.run("indices", check_indices.check, native, rows, options)
    report.run("vector search", check_search.check_vectors, dataset, rows, index, options)
    report.run("full-text search", check_search.check_text, dataset, rows)
    if not options.skip_writes:
        report.run("writes on a copy", check_writes.check, options.dataset, rows, options)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
