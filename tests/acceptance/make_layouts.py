"""Writes dumps of every foreign layout from a Parquet corpus, by the real tools where they can be installed.

    python tests/acceptance/make_layouts.py --corpus corpus.parquet --out DIR --rows 24 --dimension 16 --text 120

What each needs is said in layouts/write_*.py; a layout whose tool is missing is named and left out. `fixtures/layouts` was made by
this. It checks nothing: check_layouts.py does.
"""

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from layouts import rows, write_bulk, write_parquet, write_rest, write_text, write_vdf  # noqa: E402

LAYOUTS = {**write_vdf.LAYOUTS, **write_parquet.LAYOUTS, **write_bulk.LAYOUTS, **write_rest.LAYOUTS, **write_text.LAYOUTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpus", required=True, type=Path, help="as make_dump.py reads it")
    parser.add_argument("--out", required=True, type=Path, help="a folder; each layout gets its own inside")
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--dimension", type=int, default=384, help="the first values of each vector, a multiple of 8 (default 384)")
    parser.add_argument("--text", type=int, help="cut texts to so many characters")
    parser.add_argument("--only", nargs="+", choices=sorted(LAYOUTS), help="these layouts and those that their writer makes with them")
    options = parser.parse_args()
    loaded = rows.load(options.corpus, options.rows, options.dimension, options.text)
    out, failed = options.out.resolve(), []
    with tempfile.TemporaryDirectory(prefix="layouts-") as scratch:
        # The database server runs as another user.
        Path(scratch).chmod(0o755)
        for writer in dict.fromkeys(LAYOUTS[name] for name in options.only or LAYOUTS):
            names = [name for name, by in LAYOUTS.items() if by is writer]
            try:
                writer(loaded, out, Path(scratch))
                print(f"ok   {' '.join(names)}", flush=True)
            except Exception as error:  # noqa: BLE001: the other layouts can still be made
                failed += names
                print(f"none {' '.join(names)}: {type(error).__name__}: {error}", flush=True)
                if not isinstance(error, ModuleNotFoundError):
                    traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
