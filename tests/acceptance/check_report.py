"""Makes a dataset of odd records, lets the program write its report, and checks that page: alone, against the JSON, and in a browser.

    python tests/acceptance/check_report.py --program target/release/vec2lance [--dataset OUT.lance] [--pictures FOLDER]

Needs nothing but the standard library, and for the last part a Chromium (browser.py says which names are looked for). Where there is
none, that part is left out and said so; with --need-browser that is a failure. Exit status 0 when every check passes, else 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import report_browser  # noqa: E402
import report_data  # noqa: E402
import report_page  # noqa: E402
from browser import Browser, find  # noqa: E402
from report import Report  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--program", required=True, help="the program")
    parser.add_argument("--dataset", help="a dataset of yours, instead of the one that is made")
    parser.add_argument("--color-by", help="the field that colours the map")
    parser.add_argument("--pictures", help="a folder for screenshots and the printed page")
    parser.add_argument("--need-browser", action="store_true", help="no browser is a failure")
    return parser.parse_args()


def made(program, dataset, page, *flags):
    """The page of one run, and the JSON of the same run."""
    answer = subprocess.run([program, "report", dataset, "-o", page, "--json", *flags], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"report ended with {answer.returncode}: {answer.stderr[:500]}")
    return page.read_text(encoding="utf-8"), json.loads(answer.stdout)


def same_again(report, program, dataset, folder, first):
    text, found = made(program, dataset, folder / "again.html")
    for value in (first, found):
        value.pop("made"), value.pop("seconds")
    report.equal(found, first, "the JSON of a second run")
    report.expect(len(text) > 10_000, "the second page is too short")


def main():
    options = arguments()
    program = str(Path(options.program).resolve())
    report = Report()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        flags = ["--color-by", options.color_by] if options.color_by else []
        if options.dataset:
            dataset, cases = Path(options.dataset).resolve(), {}
        else:
            dataset = report_data.make(program, folder)
            bare, value = made(program, dataset, folder / "bare.html")
            report.run("what is not there says how to get it", report_page.absent, bare, value)
            report_data.beside(program, dataset)
            cases = {"odd texts": report_page.odd_texts}
        page = folder / "page.html"
        text, value = made(program, dataset, page, *flags)
        report.run("one file, no address outside of it, under 2 MB", report_page.alone, text)
        report.run("HTML that a reader without eyes or mouse can use", report_page.structure, text)
        report.run("every number of the page is the JSON's", report_page.numbers, text, value)
        report.run("every figure that must be there is there", report_page.complete, text, value)
        for name, check in cases.items():
            report.run(name, check, text, value)
        binary = find()
        if binary:
            with Browser(binary) as browser:
                report_browser.check(report, browser, page, value, options.pictures and Path(options.pictures))
        else:
            print("SKIPPED: the page was not opened, for there is no headless browser here (Debian: apt-get install chromium-headless-shell)")
            report.run("a browser", lambda r: r.expect(not options.need_browser, "there is none, and --need-browser asks for one"))
        if not flags:
            report.run("a second run says the same", same_again, program, dataset, folder, value)
        print(f"{page.stat().st_size:,} bytes, {text.count('<data ')} numbers, browser {binary or 'none'}")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
