"""Draw the figures of a benchmark as bars in an SVG file, readable on light and dark pages.

A bar is the median, the line across it reaches from the least to the greatest value, and the mark is the target.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from statistics import median

from bench._figures import Figure, format_figure

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/images/bench"
WIDTH, LABEL_WIDTH, VALUE_WIDTH = 860, 330, 150
HEAD_HEIGHT, ROW_HEIGHT, BAR_HEIGHT, TITLE_HEIGHT, MARGIN = 30, 24, 13, 34, 14
BARS_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH - 2 * MARGIN
TARGET_SCALE = 2.5
"""How many times the target the longest bar is."""
STYLE = (
    "svg{color-scheme:light dark;--bg:#fff;--fg:#14171c;--quiet:#5b6470;--bar:#2d6fb3;--pass:#1d7a3d;--fail:#b01f2b;"
    "--open:#8a6100;font:12px ui-sans-serif,system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){svg{--bg:#121417;--fg:#e7e9ec;--quiet:#9aa3ae;--bar:#6aa5e8;--pass:#7fce97;"
    "--fail:#f58f90;--open:#e8b06a}}"
    ".bg{fill:var(--bg)}text{fill:var(--fg)}.t{font-size:15px;font-weight:600}.h{font-weight:600}.q{fill:var(--quiet)}"
    ".e{text-anchor:end}.b{fill:var(--bar)}.PASS{fill:var(--pass)}.FAIL{fill:var(--fail)}.INCONCLUSIVE{fill:var(--open)}"
    "line{stroke:var(--fg)}.s{stroke-width:1.5}.m{stroke-width:2;stroke-dasharray:3 2}"
)
UNITS = {"x": "ratios", "ms": "milliseconds", "s": "seconds", "/s": "requests per second", "": "counts"}


def save_plot(title: str, figures: Sequence[Figure]) -> str:
    """Draw the figures into the file of this title, and return its path relative to RESULTS.md."""
    FOLDER.mkdir(exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".svg"
    (FOLDER / name).write_text(draw(title, figures))
    return f"../{FOLDER.relative_to(ROOT)}/{name}"


def draw(title: str, figures: Sequence[Figure]) -> str:
    """Draw the figures with a target against it, and the others in groups with a common scale from zero."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(_group_name(figure), []).append(figure)
    elements: list[str] = []
    top = MARGIN + TITLE_HEIGHT
    for name, group in groups.items():
        elements.append(_text(MARGIN, top + 16, name, "h"))
        top += HEAD_HEIGHT
        greatest = max(max(figure.values) for figure in group) or 1.0
        for figure in group:
            longest = TARGET_SCALE * figure.target if figure.target else greatest
            elements += _draw_row(figure, top, BARS_WIDTH / longest)
            top += ROW_HEIGHT
    height = top + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(title)}"><style>{STYLE}</style><rect class="bg" width="100%" height="100%"/>'
    )
    return "\n".join([head, _text(MARGIN, MARGIN + 16, title, "t"), *elements, "</svg>\n"])


def _group_name(figure: Figure) -> str:
    if figure.target:
        return "against the target, the dashed line"
    subject, comma, _ = figure.label.partition(", ")
    unit = UNITS.get(figure.unit, figure.unit)
    return f"{subject}: {unit}" if comma else unit


def _draw_row(figure: Figure, top: int, scale: float) -> Iterator[str]:
    """Draw the label, bar and value of a figure. A bar that is too long ends at the edge with a mark."""
    left, middle = MARGIN + LABEL_WIDTH, top + ROW_HEIGHT / 2
    bar_top, kind, value = middle - BAR_HEIGHT / 2, figure.verdict or "b", median(figure.values)
    values = min(figure.values), value, max(figure.values)
    low, bar, greatest = (max(0.0, min(item * scale, BARS_WIDTH)) for item in values)
    target_text = figure.target_text and f"({figure.target_text})"
    summary = " ".join(filter(None, [format_figure(value), figure.unit, target_text]))
    yield _text(left - 8, middle + 4, figure.label, "e")
    yield (
        f'<rect class="{kind}" x="{left}" y="{bar_top:g}" width="{max(1.0, bar):.1f}" height="{BAR_HEIGHT}">'
        f"<title>{escape(f'{figure.label}: {summary} {figure.verdict}'.strip())}</title></rect>"
    )
    if low < greatest:
        yield _line("s", left + low, middle, left + greatest, middle)
    if figure.target:
        at = left + figure.target * scale
        yield _line("m", at, bar_top - 4, at, bar_top + BAR_HEIGHT + 4)
    if value * scale > BARS_WIDTH:
        yield _text(left + BARS_WIDTH + 4, middle + 4, "…", "q")
    yield _text(WIDTH - MARGIN, middle + 4, summary, "e q")


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
