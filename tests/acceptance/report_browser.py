"""Checks of a report's page in a headless browser, opened from the disk as one would from a USB stick."""

import json

import report_page

SIZES = {"wide": (1280, 900), "narrow": (390, 844), "smallest": (320, 640)}

NUMBERS = """Array.from(document.querySelectorAll('data'), d => [d.dataset.at, d.value, d.textContent, d.dataset.as])"""

# The weakest contrast of any text with what is behind it (WCAG 2.2, relative luminance), and where.
CONTRAST = """(() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = c => { const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
                       return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
  let worst = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, e = node.parentElement;
    if (!node.data.trim() || ['SCRIPT', 'STYLE', 'TITLE', 'title'].includes(e.tagName) || !e.getClientRects().length) continue;
    const svg = e instanceof SVGElement, ink = parse(getComputedStyle(e)[svg ? 'fill' : 'color']);
    let b = e, paper = null;
    while (b) { const c = parse(getComputedStyle(b).backgroundColor); if (c[3] === 1) { paper = c; break; } b = b.parentElement; }
    paper = paper || [255, 255, 255, 1];
    const [hi, lo] = [light(ink), light(paper)].sort((a, b) => b - a), ratio = (hi + 0.05) / (lo + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + ': ' + node.data.trim().slice(0, 40)];
  }
  return worst;
})()"""


def check(report, browser, page, value, pictures):
    url = page.as_uri()
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    report.run("the browser asks for nothing and complains about nothing", quiet, browser, url, pictures)
    report.run("numbers as the browser shows them", shown, browser, url, value)
    report.run("no page is wider than its window", widths, browser, url)
    report.run("every text can be told from its background, light and dark", contrast, browser, url)
    report.run("without a mouse", keyboard, browser, url, value)
    report.run("with a pointer", pointer, browser, url, value)
    report.run("without scripts", unscripted, browser, url)
    report.run("on paper", paper, browser, url, pictures)


def quiet(report, browser, url, pictures):
    for name, (width, height) in SIZES.items():
        for dark in (False, True):
            browser.open(url, width, height, dark)
            report.equal(browser.requests(), [url], f"requests, {name}, dark {dark}")
            report.equal(browser.complaints(), [], f"messages, {name}, dark {dark}")
            report.equal(browser.run("window.broken === undefined"), True, "a record's script ran")
            if pictures and name != "smallest":
                browser.screenshot(pictures / f"report-{name}{'-dark' if dark else ''}.png")


def shown(report, browser, url, value):
    browser.open(url)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = browser.run(NUMBERS)
    report.expect(len(found) > 150, f"only {len(found)} numbers")
    for at, exact, text, kind in found:
        there = report_page.at(value, at)
        report.expect(json.loads(exact) == there and report_page.close(text, there, kind), f"{at}: {exact} shown as {text!r}, {there} in the JSON")
    words = browser.run("document.querySelector('.verdict').innerText")
    report.expect(bool(words), "no verdict is shown")


def widths(report, browser, url):
    for name, (width, height) in SIZES.items():
        browser.open(url, width, height)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        report.equal(browser.run("document.documentElement.scrollWidth > document.documentElement.clientWidth"), False, f"{name}: scrolls sideways")
        charts = browser.run("Array.from(document.querySelectorAll('figure svg')).filter(s => s.getClientRects().length && s.clientWidth > 100).length")
        report.expect(charts >= 4, f"{name}: {charts} charts are shown")
        small = browser.run("Array.from(document.querySelectorAll('figure svg text')).filter(t => t.getClientRects().length && t.getBoundingClientRect().height < 9).length")
        report.equal(small, 0, f"{name}: letters in charts that nobody can read")


def contrast(report, browser, url):
    for dark in (False, True):
        browser.open(url, dark=dark)
        ratio, where = browser.run(CONTRAST)
        report.expect(ratio >= 4.5, f"dark {dark}: {ratio:.2f} at {where!r}, expected 4.5")
        report.note(f"weakest contrast, {'dark' if dark else 'light'}: {ratio:.2f}")
    colours = []
    for dark in (False, True):
        browser.open(url, dark=dark)
        colours.append(browser.run("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.querySelector('figure rect')).fill"))
    report.expect(colours[0] != colours[1], "light and dark look the same")


def keyboard(report, browser, url, value):
    browser.open(url)
    browser.press("Tab")
    report.equal(browser.run("document.activeElement.className"), "skip", "the first stop")
    report.expect(browser.run("document.activeElement.getBoundingClientRect().left >= 0"), "the first stop cannot be seen")
    stops = browser.run("""Array.from(document.querySelectorAll('.scroll, pre')).filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0).length""")
    report.equal(stops, 0, "what scrolls and cannot be reached by the keyboard")
    if not value["map"]:
        return
    for _ in range(400):
        browser.press("Tab")
        if browser.run("document.activeElement.id") == "points":
            break
    report.equal(browser.run("document.activeElement.id"), "points", "the map is reached by Tab")
    said = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        browser.press(key)
        said.append(browser.run("document.getElementById('reading').textContent"))
    report.expect(len(set(said)) >= 3, f"arrow keys read out {said}")
    titles = {p["title"] for p in value["map"]["points"]}
    known = [s for s in said if any(t and t[:20] in s for t in titles)]
    report.expect(len(known) >= 3, f"these are no titles: {said}")


def pointer(report, browser, url, value):
    if not value["map"]:
        return
    browser.open(url)
    browser.run("document.getElementById('points').scrollIntoView({behavior: 'instant', block: 'center'})")
    x, y = browser.run("(() => { const c = document.querySelectorAll('#points circle'), r = c[c.length - 1].getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.run("new Promise(done => setTimeout(done, 100))")
    last = value["map"]["points"][-1]["title"]
    said = browser.run("document.getElementById('reading').textContent")
    report.expect(last[:20] in said, f"pointing at {last!r} says {said!r}")


def unscripted(report, browser, url):
    browser.open(url, scripts=False)
    report.equal(browser.complaints(), [], "messages")
    nodes = browser.call("DOM.getDocument", depth=-1)["root"]
    text = json.dumps(nodes)
    report.expect(text.count('"SECTION"') >= 15 and text.count('"circle"') > 10, "the page is not whole")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


def paper(report, browser, url, pictures):
    browser.open(url, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    report.equal(browser.run("getComputedStyle(document.body).color"), "rgb(0, 0, 0)", "ink, printed from the dark page")
    report.equal(browser.run("getComputedStyle(document.querySelector('nav')).display"), "none", "navigation on paper")
    report.expect(browser.run("getComputedStyle(document.querySelector('figure .wide svg')).display") != "none", "charts on paper")
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    path = (pictures or page_folder(url)) / "report.pdf"
    browser.print(path)
    pages = path.read_bytes().count(b"/Type /Page\n") + path.read_bytes().count(b"/Type /Page ")
    report.expect(path.stat().st_size > 10_000, "nothing was printed")
    report.note(f"printed: {pages} pages, {path.stat().st_size:,} bytes")


def page_folder(url):
    from pathlib import Path
    from urllib.parse import unquote, urlparse

    return Path(unquote(urlparse(url).path)).parent
