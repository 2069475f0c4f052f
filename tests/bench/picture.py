"""The results as an SVG picture: a bar a program, as a multiple of the limit, on a logarithmic scale."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 900, 230, 110
BAR, GAP, TITLE = 15, 5, 34
OURS, THEIRS, GRID, INK, PALE = "#1f6feb", "#8b949e", "#d0d7de", "#1f2328", "#57606a"
STYLE = "font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 12px"


def text(x, y, words, fill=INK, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def line(x, top, bottom, colour, dashes=""):
    return f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"{dashes}/>'


class Scale:
    """Multiples of the limit to places between the margins."""

    def __init__(self, ratios):
        self.low = min([0.8, *ratios])
        self.high = max([10, *ratios]) * 1.05

    def x(self, ratio):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(ratio / self.low) / math.log(self.high / self.low)

    def marks(self):
        return [mark for mark in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if self.low <= mark <= self.high]


def block(row, scale, top):
    """The bars of one row; gives its parts and where the next one begins."""
    parts = [text(LEFT, top + 20, f"{row.row.title}, {row.rtt} ms", more=' font-weight="600"')]
    y = top + TITLE - 6
    for name in ["mailhaul", *row.rivals()]:
        ratio, ours = row.of_limit(name), name == "mailhaul"
        end = scale.x(ratio)
        parts.append(text(LEFT - 8, y + 12, name, INK if ours else PALE, "end", ' font-weight="600"' if ours else ""))
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{max(1.0, end - LEFT):.1f}" height="{BAR}" rx="2" fill="{OURS if ours else THEIRS}">'
            f"<title>{escape(name)}: {ratio:.2f} × the limit</title></rect>"
        )
        over = "over " if row.runs[name]["over"] else ""
        parts.append(text(end + 5, y + 12, f"{over}{ratio:.1f} ×", INK if ours else PALE))
        y += BAR + GAP
    return parts, y + 6


def svg(found):
    """A picture of all rows, one below the other. `found`: as table.py reads them."""
    scale = Scale([row.of_limit(name) for row in found for name in row.runs])
    parts, y = [], 44
    for row in found:
        more, y = block(row, scale, y)
        parts += more
    grid = [line(scale.x(mark), 40, y, GRID) for mark in scale.marks()]
    grid += [text(scale.x(mark), 34, f"{mark} ×", PALE, "middle") for mark in scale.marks()]
    limit = line(scale.x(1), 40, y, INK, ' stroke-dasharray="3 3"')
    head = text(LEFT, 16, "Time each program takes, as a multiple of what raw sockets need (1 ×; logarithmic)", more=' font-weight="600"')
    inner = "\n".join([head, *grid, limit, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" viewBox="0 0 {WIDTH} {y + 10}" style="{STYLE}" role="img">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{inner}\n</svg>\n'
    )
