"""Pictures of lineage: bounded, escaped, with cycles, and readable without colour."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tessera_gql.formats.lineage_mermaid import draw_mermaid
from tessera_gql.formats.lineage_picture import (
    MAX_COLUMNS,
    MAX_NODES,
    LineagePicture,
    NodeTone,
    PictureEdge,
    PictureNode,
    bound_picture,
    follow_changes,
)
from tessera_gql.formats.lineage_svg import TEAM_COLOURS, abbreviate_team, choose_team_class, draw_svg

HOSTILE = "</text><script>alert(1)</script>\"' ]]> & \x00\x1b[31m \u202e %% end"


def node(key: str, **values: object) -> PictureNode:
    return PictureNode(**({"key": key, "fqn": f"core.{key}", "team": "growth"} | values))  # type: ignore[arg-type]


def picture(*nodes: PictureNode, edges: tuple[PictureEdge, ...] = (), start: str = "orders") -> LineagePicture:
    return LineagePicture(start=start, title="Lineage of orders", nodes=nodes, edges=edges)


def test_what_an_asset_is_made_from_is_left_of_it_and_what_it_makes_right() -> None:
    edges = (PictureEdge(source="raw", target="orders"), PictureEdge(source="orders", target="report"))
    bounded = bound_picture(picture(node("report"), node("raw"), node("orders"), edges=edges))
    assert bounded.ranks == {"raw": -1, "orders": 0, "report": 1}
    root = ET.fromstring(draw_svg(bounded))
    positions = {
        group.findtext("title", "").split(",")[0]: float(group.find("rect").attrib["x"])  # type: ignore[union-attr]
        for group in root.iter("g")
    }
    assert positions["core.raw"] < positions["core.orders"] < positions["core.report"]


def test_a_cycle_and_an_edge_of_an_asset_to_itself_are_drawn() -> None:
    ring = ("orders", "a", "b", "orders", "orders")
    edges = tuple(PictureEdge(source=source, target=target) for source, target in pairwise(ring))
    root = ET.fromstring(draw_svg(picture(node("orders"), node("a"), node("b"), edges=edges)))
    assert len(root.findall("path")) == len(edges)


def test_only_the_nearest_assets_are_drawn_and_the_others_counted() -> None:
    keys = ["orders", *(f"n{number}" for number in range(5_000))]
    edges = tuple(PictureEdge(source=source, target=target) for source, target in pairwise(keys))
    bounded = bound_picture(picture(*map(node, keys), edges=edges))
    assert [item.key for item in bounded.nodes] == keys[:MAX_NODES]
    assert bounded.omitted_nodes == len(keys) - MAX_NODES
    drawing = draw_svg(picture(*map(node, keys), edges=edges))
    assert "4,941 further assets are not drawn." in drawing
    assert drawing.count('class="name"') == MAX_NODES


def test_of_a_wide_asset_the_changed_columns_are_kept() -> None:
    columns = tuple(f"c{number}" for number in range(100))
    wide = node("orders", columns=columns, changed_columns=frozenset({"c90"}))
    drawn = bound_picture(picture(wide)).nodes[0]
    assert len(drawn.columns) == MAX_COLUMNS
    assert drawn.columns[-1] == "c90"
    assert drawn.extra_columns == 100 - MAX_COLUMNS


@pytest.mark.parametrize("is_standalone", [False, True])
def test_hostile_text_stays_text_and_the_picture_well_formed(*, is_standalone: bool) -> None:
    hostile = node("orders", fqn=HOSTILE, team=HOSTILE, columns=(HOSTILE,), note=HOSTILE, href="javascript:alert(1)")
    hostile_edge = PictureEdge(source="orders", target="orders", source_column=HOSTILE)
    drawing = draw_svg(
        LineagePicture(start="orders", title=HOSTILE, nodes=[hostile], edges=[hostile_edge]),
        is_standalone=is_standalone,
    )
    assert "<script" not in drawing
    assert "javascript" not in drawing
    assert "\u202e" not in drawing
    root = ET.fromstring(drawing)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        *("svg", "style", "path", "title", "g", "rect", "text")
    }


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:text/html,x", "a b"]
)
def test_a_link_leads_only_to_a_path_or_an_http_address(href: str) -> None:
    assert "<a " not in draw_svg(picture(node("orders", href=href, unfold_href=href, unfolded_count=3)))
    assert '<a href="/assets/1?a=1&amp;b=2"' in draw_svg(picture(node("orders", href="/assets/1?a=1&b=2")))


def test_a_picture_in_a_page_has_no_style_of_its_own() -> None:
    drawing = draw_svg(picture(node("orders", columns=("id",))))
    assert "style" not in drawing
    assert "<style>" in draw_svg(picture(node("orders")), is_standalone=True)


def test_colour_is_never_the_only_sign() -> None:
    asked = node("orders", team="shop-platform", columns=("coupon", "id"), changed_columns=frozenset({"coupon"}))
    root = ET.fromstring(draw_svg(picture(asked)))
    texts = [element.text for element in root.iter("text")]
    assert "* coupon" in texts
    assert "sp" in texts
    assert "core, shop-platform" in texts
    assert "changed: coupon" in (root.findtext("g/title") or "")


def test_lines_of_filters_and_of_unknown_lineage_differ() -> None:
    edges = (
        PictureEdge(source="orders", target="a", is_filter=True, is_changed=True),
        PictureEdge(source="orders", target="b", is_unknown=True),
    )
    root = ET.fromstring(draw_svg(picture(node("orders"), node("a"), node("b"), edges=edges)))
    assert {path.attrib["class"] for path in root.findall("path")} == {"hit filter", "unk"}


def test_a_team_has_one_colour_whatever_its_case_and_two_letters() -> None:
    assert choose_team_class("Growth") == choose_team_class("growth")
    assert {choose_team_class(f"team {number}") for number in range(200)} == {
        f"t{number + 1}" for number in range(TEAM_COLOURS)
    }
    assert [abbreviate_team(name) for name in ("shop-platform", "Growth", "é", "…")] == ["sp", "gr", "é", "?"]


def test_an_asset_that_can_be_unfolded_has_a_link_with_the_number() -> None:
    drawing = draw_svg(picture(node("orders", unfolded_count=3, unfold_href="?open=orders")))
    assert "Show 3 assets after core.orders" in drawing
    assert "+3</text>" in drawing


def test_a_picture_without_its_start_is_refused() -> None:
    with pytest.raises(ValueError, match="none of its nodes"):
        draw_svg(picture(node("a")))


def test_a_note_stands_above_its_asset() -> None:
    noted = node("orders", note="growth is asked", tone=NodeTone.ASKED)
    assert ">growth is asked</text>" in draw_svg(picture(noted))
    assert 'class="cap asked"' in draw_svg(picture(noted))


def test_mermaid_has_the_same_nodes_and_edges() -> None:
    edges = (
        PictureEdge(source="orders", target="a", source_column="coupon", target_column="code", is_changed=True),
        PictureEdge(source="orders", target="a", source_column="id", is_filter=True),
        PictureEdge(source="a", target="orders", is_unknown=True),
    )
    text = draw_mermaid(picture(node("orders", columns=("coupon",), extra_columns=2), node("a"), edges=edges))
    assert text.splitlines() == [
        "flowchart LR",
        '  a0[["core.orders<br>growth<br>coupon<br>2 more"]]',
        '  a1["core.a<br>growth"]',
        '  a0 ==>|"coupon to code"| a1',
        '  a0 -.->|"id to *, filter"| a1',
        '  a1 -.->|"lineage unknown"| a0',
    ]


def test_hostile_text_is_inert_in_mermaid() -> None:
    text = draw_mermaid(picture(node("orders", fqn=HOSTILE, team='x"]\n  click a0 "javascript:alert(1)"')))
    assert len(text.splitlines()) == len(("flowchart", "node"))
    assert "<script" not in text
    assert text.count('"') == len("[]")


def test_changed_columns_are_followed_through_cycles_and_not_beyond_unknown_lineage() -> None:
    edges = (
        PictureEdge(source="orders", target="a", source_column="COUPON", target_column="code"),
        PictureEdge(source="a", target="orders", source_column="code", target_column="back"),
        PictureEdge(source="orders", target="b", source_column="total", target_column="gross"),
        PictureEdge(source="a", target="c", is_unknown=True),
        PictureEdge(source="c", target="b", source_column="x", target_column="gross"),
    )
    nodes = [
        node("orders", columns=("coupon", "total", "back")),
        *(node(key, columns=columns) for key, columns in (("a", ("code",)), ("b", ("gross",)), ("c", ("x",)))),
    ]
    followed = follow_changes(picture(*nodes, edges=edges), ["coupon"])
    assert {item.key: set(item.changed_columns) for item in followed.nodes} == {
        "orders": {"coupon", "back"},
        "a": {"code"},
        "b": set(),
        "c": set(),
    }
    assert [edge.is_changed for edge in followed.edges] == [True, True, False, True, False]
