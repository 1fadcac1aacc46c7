"""Draw the lineage of an asset, one step each way, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from tessera_gql.console.formatting import find_hue, make_initials, shorten, split_fqn

MAX_NODES = 60
MAX_ROWS = 8
"""Columns that a box shows; the others are counted."""
WIDTH, HEAD, ROW, GAP = 236, 42, 20, 24
LAYERS = (34, 498, 962)
PICTURE_WIDTH = 1232
NAME_LENGTH, COLUMN_LENGTH = 27, 29


@dataclass
class Box:
    """An asset in the picture, with the columns that edges join."""

    fqn: str
    team: Mapping[str, Any]
    layer: int
    columns: list[str] = field(default_factory=list[str])
    top: int = 0

    @property
    def rows(self) -> list[str]:
        return self.columns[:MAX_ROWS]

    @property
    def height(self) -> int:
        has_more = len(self.columns) > MAX_ROWS
        return HEAD + ROW * (len(self.rows) + has_more) + (6 if self.columns else 0)

    def find_point(self, column: str | None, *, is_right: bool) -> tuple[int, int]:
        """Return where an edge of a column touches the box; an edge without a shown column touches its head."""
        row = self.rows.index(column) if column in self.rows else None
        offset = HEAD // 2 if row is None else HEAD + ROW * row + ROW // 2
        return LAYERS[self.layer] + (WIDTH if is_right else 0), self.top + offset


def draw_lineage(asset: Mapping[str, Any], link: Callable[..., str], changed: Sequence[str]) -> Markup:
    """Draw the asset between what it is made from and what is made from it. `changed` are columns of a proposal.

    An asset on both sides, as in a cycle, has a box on each.
    """
    center = Box(asset["fqn"], asset["owner"], 1)
    sides = {0: _collect_boxes(asset["dependencies"], "dependency", 0)}
    sides[2] = _collect_boxes(asset["dependents"], "dependent", 2)
    edges = _collect_edges(asset, center, sides)
    height = _place_boxes([center], sides)
    drawn = [_draw_edge(edge, changed) for edge in edges]
    drawn += [_draw_box(box, link, changed) for box in [*sides[0].values(), center, *sides[2].values()]]
    label = f"Lineage of {asset['fqn']}, one step each way; the table above says the same"
    start = Markup('<svg viewBox="0 0 {} {}" role="group" aria-label="{}">').format(PICTURE_WIDTH, height, label)
    return start + Markup("").join(drawn) + Markup("</svg>")


@dataclass(frozen=True)
class _Edge:
    """A line between two boxes; without columns between their heads."""

    start: Box
    end: Box
    source: str | None = None
    target: str | None = None
    kind: str = ""


def _collect_boxes(connection: Mapping[str, Any], side: str, layer: int) -> dict[str, Box]:
    assets = [node[side] for node in connection["nodes"]]
    boxes = {asset["fqn"]: Box(asset["fqn"], asset["owner"], layer) for asset in assets}
    return dict(list(boxes.items())[: MAX_NODES // 2 - (layer == 0)])


def _collect_edges(asset: Mapping[str, Any], center: Box, sides: Mapping[int, Mapping[str, Box]]) -> list[_Edge]:
    """Collect the edges, and add to each box the columns that they join. A box without known columns has one edge."""
    edges = [
        _Edge(sides[0][node["source"]["fqn"]], center, node["sourceColumn"], node["targetColumn"], node["kind"])
        for node in asset["sources"]["nodes"]
        if node["source"]["fqn"] in sides[0]
    ]
    edges += [
        _Edge(center, sides[2][node["target"]["fqn"]], node["sourceColumn"], node["targetColumn"], node["kind"])
        for node in asset["targets"]["nodes"]
        if node["target"]["fqn"] in sides[2]
    ]
    for edge in edges:
        for box, column in ((edge.start, edge.source), (edge.end, edge.target)):
            if column is not None and column not in box.columns:
                box.columns.append(column)
    joined = {id(box) for edge in edges for box in (edge.start, edge.end)}
    edges += [_Edge(box, center) for box in sides[0].values() if id(box) not in joined]
    edges += [_Edge(center, box) for box in sides[2].values() if id(box) not in joined]
    return edges


def _place_boxes(middle: Sequence[Box], sides: Mapping[int, Mapping[str, Box]]) -> int:
    """Stack the boxes of each layer, and center the middle one; return the height of the picture."""
    heights = []
    for boxes in (list(sides[0].values()), list(sides[2].values())):
        top = GAP
        for box in boxes:
            box.top = top
            top += box.height + GAP
        heights.append(top)
    height = max(*heights, middle[0].height + 2 * GAP)
    middle[0].top = (height - middle[0].height) // 2
    return height


def _draw_edge(edge: _Edge, changed: Sequence[str]) -> Markup:
    (left, y_left), (right, y_right) = (
        edge.start.find_point(edge.source, is_right=True),
        edge.end.find_point(edge.target, is_right=False),
    )
    bend = (left + right) // 2
    own_column = edge.source if edge.start.layer == 1 else None
    classes = ["hit"] if own_column in changed and own_column is not None else []
    classes += ["filter"] if edge.kind == "FILTER" else []
    path = f"M{left} {y_left}C{bend} {y_left} {bend} {y_right} {right} {y_right}"
    return Markup('<path class="{}" d="{}"/>').format(" ".join(classes), path)


def _draw_box(box: Box, link: Callable[..., str], changed: Sequence[str]) -> Markup:
    x, y = LAYERS[box.layer], box.top
    schema, name = split_fqn(box.fqn)
    href = link("assets", box.fqn, "lineage")
    title = f"{box.fqn}, owned by {box.team['name']}"
    parts = [
        Markup('<a href="{}" class="{}"><title>{}</title>').format(href, find_hue(box.team["id"]), title),
        Markup('<rect class="n{}" x="{}.5" y="{}.5" width="{}" height="{}" rx="5"/>').format(
            " me" if box.layer == 1 else "" if box.columns else " off", x, y, WIDTH, box.height
        ),
        Markup('<rect class="bar" x="{}" y="{}" width="18" height="18" rx="3"/>').format(x + 9, y + 9),
        _draw_text("ini", x + 18, y + 21, make_initials(box.team["name"])),
        _draw_text("name", x + 35, y + 17, shorten(name, NAME_LENGTH)),
        _draw_text("sch", x + 35, y + 32, shorten(f"{schema.rstrip('.')}, {box.team['name']}", NAME_LENGTH + 4)),
    ]
    for number, column in enumerate(box.rows):
        is_hit = box.layer == 1 and column in changed
        top = y + HEAD + ROW * number
        if is_hit:
            parts.append(
                Markup('<rect class="rowbg" x="{}" y="{}" width="{}" height="{}"/>').format(
                    x + 1, top + 1, WIDTH - 1, ROW - 1
                )
            )
        parts.append(_draw_text("col hit" if is_hit else "col", x + 12, top + 15, shorten(column, COLUMN_LENGTH)))
    if (hidden := len(box.columns) - MAX_ROWS) > 0:
        parts.append(_draw_text("sch", x + 12, y + HEAD + ROW * MAX_ROWS + 15, f"{hidden} more"))
    return Markup("").join([*parts, Markup("</a>")])


def _draw_text(class_name: str, x: int, y: int, text: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(class_name, x, y, escape(text))
