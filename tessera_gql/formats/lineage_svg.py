"""Draw a picture of lineage as SVG.

The picture has only classes and attributes, no style and no script, so that it can stand in a page with a strict
Content-Security-Policy; the page's style sheet has the colours. A standalone picture brings a style sheet of its own,
light and dark, and a legend. Each team has one of eight colours, and two letters and its name beside it. Changed
columns have a ground and a `*`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple
from zlib import crc32

from tessera_gql.escaping import escape_terminal
from tessera_gql.formats.lineage_picture import LineagePicture, PictureEdge, PictureNode, bound_picture

NODE_WIDTH, HEAD_HEIGHT, ROW_HEIGHT, FOOT = 236, 42, 20, 6
COLUMN_GAP, NODE_GAP, MARGIN = 78, 44, 34
UNFOLD_WIDTH = 40
NAME_CHARACTERS, DETAIL_CHARACTERS, COLUMN_CHARACTERS = 27, 32, 30
TEAM_COLOURS = 8
LEGEND_HEIGHT = 28
SAFE_HREF = re.compile(r"(?:/(?![/\\])|[?#]|https?://)[^\s]*")
LEGEND = "* changed column · thick: a change · dashed: a filter of rows · dotted: lineage unknown · letters: team"
STYLE = """
svg{color-scheme:light dark;--bg:#fff;--sub:#f6f7f9;--fg:#14171c;--fg3:#5b6470;
--line:#8b95a3;--bad:#b01f2b;--bad2:#fcebec;--on:#fff;
--c1:#0a6577;--c2:#6b3fa0;--c3:#8a4b00;--c4:#1d6b34;--c5:#9c1f6a;--c6:#2d4fb3;--c7:#6b5a00;--c8:#4a5361;
background:var(--sub);font:12px ui-sans-serif,system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--bg:#121417;--sub:#191c20;--fg:#e7e9ec;--fg3:#9aa3ae;
--line:#6a7482;--bad:#f58f90;--bad2:#2d181b;
--on:#121417;--c1:#5fc3d6;--c2:#c1a2f0;--c3:#e8b06a;--c4:#7fce97;--c5:#f09ccb;--c6:#9db4fa;--c7:#d6c35c;--c8:#b3bcc8}}
text{fill:var(--fg)}.n{fill:var(--bg);stroke:var(--line)}.n.off{stroke-dasharray:3 3}
.n.me{stroke:var(--fg);stroke-width:2}
.t1 .bar{fill:var(--c1)}.t2 .bar{fill:var(--c2)}.t3 .bar{fill:var(--c3)}.t4 .bar{fill:var(--c4)}
.t5 .bar{fill:var(--c5)}.t6 .bar{fill:var(--c6)}.t7 .bar{fill:var(--c7)}.t8 .bar{fill:var(--c8)}
.ini{fill:var(--on);font:600 9px ui-monospace,monospace;text-anchor:middle}.name{font-weight:600}
.sch,.cap,.hd{fill:var(--fg3);font-size:11px}.col{font:11.5px ui-monospace,monospace}
.hit.col{fill:var(--bad);font-weight:600}
.rowbg{fill:var(--bad2)}.cap.asked,.cap.you{fill:var(--bad);font-weight:600}
path{fill:none;stroke:var(--line);stroke-width:1.25}
path.hit{stroke:var(--bad);stroke-width:2.5}path.unk{stroke-dasharray:1 4;stroke-linecap:round}
path.filter{stroke-dasharray:6 4}
.plus rect{fill:var(--bg);stroke:var(--line)}.plus text{text-anchor:middle}
""".strip().replace("\n", "")


class Box(NamedTuple):
    """The place of a node in the picture, in pixels."""

    x: int
    y: int
    height: int


class Layout(NamedTuple):
    """The boxes by key of the node, and the size of the picture."""

    boxes: Mapping[str, Box]
    width: int
    height: int


def draw_svg(
    picture: LineagePicture, *, is_standalone: bool = False, team_classes: Mapping[str, str] | None = None
) -> str:
    """Draw the picture as an `svg` element; with colours and a legend of its own if it stands alone.

    `team_classes` has the class of each team's colour by name; else the teams of the picture have different ones.
    Its classes are those of the console: t1 to t8 for teams, "n" for a box with "me" and "off", "col" and "rowbg" with
    "hit", paths with "hit", "filter" and "unk", and "plus". Raises ValueError if the start is no node.
    """
    bounded = bound_picture(picture)
    layout = _arrange(bounded)
    nodes = {node.key: node for node in bounded.nodes}
    classes = team_classes or assign_team_classes(node.team for node in bounded.nodes)
    height = layout.height + (LEGEND_HEIGHT if is_standalone else 0)
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if is_standalone else ""
    size = f' width="{layout.width}" height="{height}"' if is_standalone else ""
    viewport = f'viewBox="0 0 {layout.width} {height}"{size}'
    parts = [
        f'<svg{namespace} {viewport} role="group" aria-label="{_clean(bounded.title)}">',
        f"<style>{STYLE}</style>" if is_standalone else "",
        *(_draw_edge(edge, nodes, layout) for edge in bounded.edges),
        *(part for node in bounded.nodes for part in _draw_node(node, bounded, layout.boxes[node.key], classes)),
        _draw_omission(bounded, layout),
    ]
    if is_standalone:
        parts.append(f'<text class="hd" x="{MARGIN}" y="{height - 12}">{LEGEND}</text>')
    return "".join([*parts, "</svg>"])


def choose_team_class(name: str) -> str:
    """Return the CSS class of a team's colour, t1 to t8, always the same for a name."""
    return f"t{crc32(name.casefold().encode('utf-8', 'surrogatepass')) % TEAM_COLOURS + 1}"


def assign_team_classes(names: Iterable[str]) -> dict[str, str]:
    """Assign a CSS class to each team by name: its own, or the next free one if an earlier team has that.

    Teams beyond the number of colours share them.
    """
    classes: dict[str, str] = {}
    for name in dict.fromkeys(names):
        first = int(choose_team_class(name)[1:]) - 1
        candidates = [f"t{(first + step) % TEAM_COLOURS + 1}" for step in range(TEAM_COLOURS)]
        used = set(classes.values())
        classes[name] = next((item for item in candidates if item not in used), candidates[0])
    return classes


def abbreviate_team(name: str) -> str:
    """Return two letters for a team: of its first two words, or of its name."""
    parts = re.findall(r"[^\W_]+", name)
    letters = parts[0][:1] + parts[1][:1] if len(parts) > 1 else "".join(parts)[:2]
    return letters.lower() or "?"


def _arrange(picture: LineagePicture) -> Layout:
    """Place the nodes: a column for each rank, in it the order of their neighbours nearer to the start."""
    columns = _order_columns(picture)
    heights = {node.key: _measure_height(node) for node in picture.nodes}
    totals = {rank: sum(heights[key] + NODE_GAP for key in keys) - NODE_GAP for rank, keys in columns.items()}
    height = max(totals.values())
    first = min(columns)
    boxes: dict[str, Box] = {}
    for rank, keys in columns.items():
        y = MARGIN + (height - totals[rank]) // 2
        for key in keys:
            boxes[key] = Box(MARGIN + UNFOLD_WIDTH + (rank - first) * (NODE_WIDTH + COLUMN_GAP), y, heights[key])
            y += heights[key] + NODE_GAP
    count = max(columns) - first + 1
    width = 2 * (MARGIN + UNFOLD_WIDTH) + count * NODE_WIDTH + (count - 1) * COLUMN_GAP
    return Layout(boxes, width, height + 2 * MARGIN)


def _order_columns(picture: LineagePicture) -> dict[int, list[str]]:
    """Return the keys of each rank, from top to bottom, so that few edges cross."""
    columns: dict[int, list[str]] = {}
    for node in picture.nodes:
        columns.setdefault(picture.ranks[node.key], []).append(node.key)
    neighbours: dict[str, list[str]] = {}
    for edge in picture.edges:
        neighbours.setdefault(edge.source, []).append(edge.target)
        neighbours.setdefault(edge.target, []).append(edge.source)
    positions: dict[str, float] = {}
    for rank in sorted(columns, key=abs):
        keys = columns[rank]
        initial = {key: index for index, key in enumerate(keys)}
        keys.sort(key=lambda key: (_average(positions, neighbours.get(key, ())), initial[key]))
        positions.update({key: (index + 0.5) / len(keys) for index, key in enumerate(keys)})
    return columns


def _average(positions: Mapping[str, float], keys: Sequence[str]) -> float:
    values = [positions[key] for key in keys if key in positions]
    return sum(values) / len(values) if values else 1.0


def _measure_height(node: PictureNode) -> int:
    rows = len(node.columns) + bool(node.extra_columns)
    return HEAD_HEIGHT + ROW_HEIGHT * rows + (FOOT if rows else 0)


def _draw_edge(edge: PictureEdge, nodes: Mapping[str, PictureNode], layout: Layout) -> str:
    source, target = nodes[edge.source], nodes[edge.target]
    start, end = layout.boxes[edge.source], layout.boxes[edge.target]
    x1, y1 = start.x + NODE_WIDTH, _anchor(source, start, edge.source_column)
    y2 = _anchor(target, end, edge.target_column)
    if end.x > start.x:
        x2, bend = end.x, (end.x - x1) // 2
        curve = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    else:  # back to the left, or within a column: around the right side of both
        x2, bend = end.x + NODE_WIDTH, COLUMN_GAP // 2
        curve = f"M{x1} {y1}C{x1 + bend} {y1 - (y1 == y2) * ROW_HEIGHT} {x2 + bend} {y2} {x2} {y2}"
    classes = [("hit", edge.is_changed), ("filter", edge.is_filter), ("unk", edge.is_unknown)]
    css = " ".join(name for name, applies in classes if applies)
    ends = ((source, edge.source_column), (target, edge.target_column))
    names = (f"{node.fqn}.{column}" if column else node.fqn for node, column in ends)
    kind = ", lineage of columns unknown" if edge.is_unknown else ", as a filter" if edge.is_filter else ""
    return f'<path class="{css}" d="{curve}"><title>{_clean(" → ".join(names) + kind)}</title></path>'


def _anchor(node: PictureNode, box: Box, column: str | None) -> int:
    """Return the height at which an edge joins a box: at the row of the column, or at the head."""
    if column is None or column not in node.columns:
        return box.y + HEAD_HEIGHT // 2
    return box.y + HEAD_HEIGHT + ROW_HEIGHT * [*node.columns].index(column) + ROW_HEIGHT // 2


def _draw_node(node: PictureNode, picture: LineagePicture, box: Box, classes: Mapping[str, str]) -> Iterator[str]:
    css = "n" + (" me" if node.key == picture.start else "") + (" off" if node.is_untouched else "")
    schema, _, name = node.fqn.rpartition(".")
    detail = ", ".join(dict.fromkeys(filter(None, (schema, node.team))))
    title = ", ".join(filter(None, (f"{node.fqn}, owned by {node.team}", node.note, _describe_changes(node))))
    x, y = box.x, box.y
    team_class = classes.get(node.team) or choose_team_class(node.team)
    yield f"{_open_link(node.href, team_class)}<title>{_clean(title)}</title>"
    yield f'<rect class="{css}" x="{x}.5" y="{y}.5" width="{NODE_WIDTH}" height="{box.height}" rx="5"/>'
    yield f'<rect class="bar" x="{x + 9}" y="{y + 9}" width="18" height="18" rx="3"/>'
    yield f'<text class="ini" x="{x + 18}" y="{y + 21}">{_clean(abbreviate_team(node.team))}</text>'
    yield f'<text class="name" x="{x + 35}" y="{y + 17}">{_clean(name, NAME_CHARACTERS)}</text>'
    yield f'<text class="sch" x="{x + 35}" y="{y + 32}">{_clean(detail, DETAIL_CHARACTERS)}</text>'
    yield from _draw_columns(node, x, y + HEAD_HEIGHT)
    yield _close_link(node.href)
    if node.note:
        css = f"cap {node.tone}".strip()
        yield f'<text class="{css}" x="{x + 1}" y="{y - 6}">{_clean(node.note, DETAIL_CHARACTERS + 6)}</text>'
    if (node.unfolded_count or node.is_unfolded) and _is_safe(node.unfold_href):
        yield _draw_unfolding(node, box, is_upstream=picture.ranks[node.key] < 0)


def _describe_changes(node: PictureNode) -> str:
    changed = [column for column in node.columns if column in node.changed_columns]
    return f"changed: {', '.join(changed)}" if changed else ""


def _draw_columns(node: PictureNode, x: int, y: int) -> Iterator[str]:
    for column in node.columns:
        is_changed = column in node.changed_columns
        if is_changed:
            yield f'<rect class="rowbg" x="{x + 1}" y="{y + 1}" width="{NODE_WIDTH - 1}" height="{ROW_HEIGHT - 1}"/>'
        label = _clean(f"* {column}" if is_changed else column, COLUMN_CHARACTERS)
        yield f'<text class="col{" hit" if is_changed else ""}" x="{x + 12}" y="{y + 15}">{label}</text>'
        y += ROW_HEIGHT
    if node.extra_columns:
        text = f"{node.extra_columns:,} more" if node.columns else f"{node.extra_columns:,} columns"
        yield f'<text class="sch" x="{x + 12}" y="{y + 15}">{text}</text>'


def _draw_unfolding(node: PictureNode, box: Box, *, is_upstream: bool) -> str:
    x = box.x - UNFOLD_WIDTH if is_upstream else box.x + NODE_WIDTH + 6
    y = box.y + HEAD_HEIGHT // 2 - 10
    assets = "the asset" if node.unfolded_count == 1 else f"{node.unfolded_count:,} assets"
    verb = "Hide" if node.is_unfolded else "Show"
    title = f"{verb} {assets} {'behind' if is_upstream else 'after'} {node.fqn}"
    count = "\u2212" if node.is_unfolded else f"+{node.unfolded_count}" if node.unfolded_count < 100 else "99+"
    return (
        f"{_open_link(node.unfold_href, 'plus')}<title>{_clean(title)}</title>"
        f'<rect x="{x}.5" y="{y}.5" width="32" height="20" rx="10"/>'
        f'<text x="{x + 16}" y="{y + 14}">{count}</text></a>'
    )


def _draw_omission(picture: LineagePicture, layout: Layout) -> str:
    if not picture.omitted_nodes:
        return ""
    assets = "1 further asset is" if picture.omitted_nodes == 1 else f"{picture.omitted_nodes:,} further assets are"
    return f'<text class="hd" x="{MARGIN}" y="{layout.height - 10}">{assets} not drawn.</text>'


def _is_safe(href: str) -> bool:
    return SAFE_HREF.fullmatch(href) is not None


def _open_link(href: str, css: str) -> str:
    return f'<a href="{_clean(href)}" class="{css}">' if _is_safe(href) else f'<g class="{css}">'


def _close_link(href: str) -> str:
    return "</a>" if _is_safe(href) else "</g>"


def _clean(text: str, max_characters: int | None = None) -> str:
    """Escape text for an element or an attribute; without characters that XML forbids or that reorder text."""
    if max_characters is not None and len(text) > max_characters:
        text = text[: max_characters - 1] + "…"
    return escape(escape_terminal(text))
