"""Draws horizontal bars of seconds as an SVG, readable on light and dark ground, without fonts or programs from elsewhere.

Called by compare.py. Each panel (a group of bars) has its own scale, because they measure different work; the figures stand at
the bars. It is no plotting library.
"""

from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, HEAD = 860, 300, 18, 6, 40
STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}
.head{font-weight:600}.value{font-variant-numeric:tabular-nums}
.ours{fill:#0969da}.peer{fill:#8c959f}.axis{stroke:#8c959f;stroke-width:1}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.peer{fill:#7d8590}}
"""


def panel(name, bars, top):
    longest = max(bars.values()) or 1
    out = [f'<text class="head" x="8" y="{top + 24}">{escape(name)}</text>']
    y = top + HEAD
    for label, seconds in bars.items():
        width = max(seconds / longest * (WIDTH - LABEL - 90), 1)
        kind = "ours" if label.startswith("vec2lance") else "peer"
        middle = y + BAR / 2 + 4.5
        out.append(f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>')
        out.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>')
        digits = 2 if seconds < 100 else 0
        out.append(f'<text class="value" x="{LABEL + width + 8:.1f}" y="{middle}">{seconds:,.{digits}f} s</text>')
        y += BAR + GAP
    out.append(f'<line class="axis" x1="{LABEL}" x2="{LABEL}" y1="{top + HEAD - 4}" y2="{y - GAP + 4}"/>')
    return out, y + 6


def draw(groups, about):
    """`groups`: a panel's name -> a bar's label -> seconds. `about` stands at the foot."""
    body, top = [], 4
    for name, bars in groups.items():
        if bars:
            lines, top = panel(name, bars, top)
            body += lines
    body.append(f'<text x="8" y="{top + 20}">{escape(about)}</text>')
    height = top + 36
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    return "\n".join([head, "<title>Seconds, less is better</title>", f"<style>{STYLE}</style>", *body, "</svg>", ""])
