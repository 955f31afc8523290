"""Checks of a report's page as a text: no browser is needed. Shares no code with the program."""

import re
from html.parser import HTMLParser

import report_data

LIMIT = 2_000_000
SECTIONS = ["summary", "origin", "rejects", "verification", "collections", "fields", "vectors", "duplicates", "map", "search", "source", "run", "settings", "opening", "sign-off"]
VOID = {"meta", "link", "br", "img", "hr", "input", "circle", "rect", "line", "polyline", "polygon", "path"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.numbers, self.open, self.problems, self.words = [], [], [], [], {}
        self.feed(text)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "data":
            self.numbers.append([dict(attrs), ""])
        if tag not in VOID or (tag == "circle" and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.problems.append(f"</{tag}> where {self.open[-1:]} is open")

    def handle_data(self, data):
        if self.open and self.open[-1] == "data":
            self.numbers[-1][1] += data
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def at(value, pointer):
    """The value at a JSON pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def close(shown, value, kind):
    """Whether a number is shown as it is, to the last digit that is shown."""
    text = shown.replace("\u00a0", " ").replace(",", "")
    if kind == "count":
        return int(text) == round(value)
    if kind == "percent" and text in ("<0.1 %", ">99.9 %"):
        return 0 < value < 0.0005 if text[0] == "<" else 0.9995 <= value < 1
    scale = {"percent": 100, "mib": 1 / 2**20}.get(kind, 1)
    if kind == "bytes":
        text, unit = text.split()
        scale = 1 / {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    text = text.split()[0]
    mantissa, _, exponent = text.partition("e")
    digits = len(mantissa.partition(".")[2])
    step = 10.0 ** (int(exponent or 0) - digits)
    # Memory is rounded up, everything else to the nearest.
    wide = 1.0 if kind == "mib" else 0.5
    return abs(float(text) - value * scale) <= step * wide * (1 + 1e-6) + 1e-12


def alone(report, text):
    size = len(text.encode())
    report.expect(size < LIMIT, f"{size} bytes")
    page = Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            address = attrs.get(name)
            report.expect(not address or address.startswith("#") or address == "data:,", f"<{tag} {name}={address!r}>")
        report.expect(not any(name.startswith("on") for name in attrs), f"<{tag}> has a handler: {attrs}")
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    report.expect("url(" not in css and "@import" not in css, "the style sheet loads something")
    report.equal(len(page.of("script")), 1, "number of scripts")
    policy = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    report.expect(policy and "default-src 'none'" in policy[0] and "sha256-" in policy[0], f"the policy: {policy}")


def structure(report, text):
    page = Page(text)
    report.equal(page.problems[:5], [], "tags that do not fit")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    report.equal(len(ids), len(set(ids)), "ids")
    report.equal([a["id"] for a in page.of("section")], SECTIONS, "sections")
    targets = [a["href"][1:] for a in page.of("a") if a.get("href", "").startswith("#")]
    report.equal([t for t in targets if t not in ids], [], "links that lead nowhere")
    report.equal(page.of("html")[0].get("lang"), "en", "language")
    report.equal(len(page.of("h1")), 1, "number of h1")
    report.equal(len(page.of("table")), len(page.of("caption")), "tables with a caption")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    report.expect(all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"a heading's level is left out: {levels}")
    report.expect(all(a.get("scope") in ("row", "col") for a in page.of("th")), "a <th> without scope")
    for attrs in page.of("svg"):
        report.expect(attrs.get("aria-label") or attrs.get("aria-hidden") == "true", f"an image without words: {attrs}")
    report.equal(text.count("<figure>"), text.count("The same as a table"), "charts with a table")


def numbers(report, text, value):
    page = Page(text)
    report.expect(len(page.numbers) > 150, f"only {len(page.numbers)} numbers")
    for attrs, shown in page.numbers:
        try:
            found = at(value, attrs["data-at"])
        except (KeyError, IndexError, TypeError):
            report.fail(f"{attrs['data-at']} is not in the JSON")
            continue
        report.expect(float(attrs["value"]) == float(found), f"{attrs['data-at']}: {attrs['value']} on the page, {found} in the JSON")
        report.expect(close(shown, found, attrs["data-as"]), f"{attrs['data-at']}: shown as {shown!r}, but it is {found}")


def complete(report, text, value):
    """Figures that a page must not leave out where the JSON has them."""
    there = {attrs["data-at"] for attrs, _ in Page(text).numbers}
    wanted = ["/dataset/" + key for key in ("version", "rows", "headers", "records", "bytes", "files")]
    wanted += [f"/collections/listed/{n}/records" for n in range(min(100, len(value["collections"]["listed"])))]
    wanted += [f"/columns/{n}/filled" for n, column in enumerate(value["columns"]) if column["filled"]]
    wanted += [f"/indices/{n}/indexed" for n in range(len(value["indices"]))]
    parts = {
        "convert": ["read", "written", "rejected", "deduplicated", "without_vector", "zero_vectors", "seconds_total", "peak_memory", "threads", "memory"],
        "verify": ["verified", "missing", "unexpected", "doubled", "different"],
        "vectors": ["dimension", "present", "missing", "zero", "unit", "norms/smallest", "norms/mean", "norms/largest", "sampled"],
        "near": ["sampled", "of", "levels/0/vectors", "levels/4/vectors"],
        "map": ["sampled", "of", "variance/0", "variance/1", "groups/0/points"],
        "tune": ["target_recall", "chosen/recall", "chosen/nprobes", "plain/recall", "plain/p50_ms", "points/0/recall", "queries"],
        "compare": ["queries", "ways/plain/recall", "ways/tuned/overlap", "ways/exact/f1", "ways/plain/perfect"],
        "bench": ["runs/0/p50_ms", "runs/0/p99_ms", "runs/0/qps"],
    }
    for part, keys in parts.items():
        wanted += [f"/{part}/{key}" for key in keys if value[part]]
    for part in ("convert/seconds", "verify/seconds"):
        part, key = part.split("/")
        wanted += [f"/{part}/{key}/{stage}" for stage in (value[part] or {}).get(key, {})]
    wanted += [f"/rejects/codes/{n}/count" for n in range(len((value["rejects"] or {"codes": []})["codes"]))]
    report.equal([w for w in wanted if w not in there], [], "figures that are not on the page")
    if value["map"]:
        points = value["map"]["points"]
        report.equal(len([1 for tag, _ in Page(text).tags if tag == "circle"]) >= len(points), True, "a dot for each point")
        report.expect(text.count("<title>") - 1 >= len(points), "a title for each point")
    if value["convert"] and "rows" not in value["convert"]:
        convert = value["convert"]
        report.equal(convert["read"], convert["written"] + convert["rejected"] + convert["deduplicated"], "the sum")
        report.equal(value["dataset"]["records"], convert["written"], "records of the dataset")


def absent(report, text, value):
    report.equal([a["what"] for a in value["absent"]], ["verify", "compare", "tune", "bench"], "what is absent")
    page = Page(text)
    code = page.words.get("code", [])
    for entry in value["absent"]:
        report.expect(any(entry["command"] == line for line in code), f"the page does not give the command {entry['command']!r}")
    report.equal([a["id"] for a in page.of("section")], SECTIONS, "sections")


def odd_texts(report, text, value):
    """Whatever stands in the records is text on the page, and is there."""
    words = " ".join(" ".join(found) for found in Page(text).words.values())
    for odd in (report_data.SCRIPT, report_data.ODD[1], report_data.ODD[2], report_data.ODD[3], report_data.ODD[5], report_data.ODD[10].strip()):
        report.expect(odd in words, f"{odd!r} is not on the page as it is")
    bad = sorted({hex(ord(c)) for c in text if (ord(c) < 32 and c not in "\n") or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 or ord(c) in (0x200E, 0x200F, 127)})
    report.equal(bad, [], "control and direction characters")
    report.equal([value["vectors"][k] for k in ("zero", "missing", "dimension")], [1, 0, 24], "zero, missing, dimension")
    near = value["near"]
    report.equal([near["sampled"], near["of"]], [759, 759], "vectors that were compared")
    report.equal(near["levels"][0]["vectors"], 4, "vectors with an equal one: two the same, two of one direction")
    report.equal(value["rejects"]["count"], 2, "rejects")
