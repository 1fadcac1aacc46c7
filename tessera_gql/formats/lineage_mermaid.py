"""Draw a picture of lineage as a Mermaid flowchart, as GitHub, GitLab and many wikis show it."""

from collections.abc import Iterator

from tessera_gql.escaping import escape_terminal
from tessera_gql.formats.lineage_picture import LineagePicture, PictureEdge, PictureNode, bound_picture

SAFE_PUNCTUATION = frozenset(" .,:*-_")


def draw_mermaid(picture: LineagePicture) -> str:
    """Draw the picture as a Mermaid flowchart from left to right. Raises ValueError if the start is no node."""
    bounded = bound_picture(picture)
    names = {node.key: f"a{number}" for number, node in enumerate(bounded.nodes)}
    lines = ["flowchart LR"]
    lines += [_draw_node(node, names[node.key], is_start=node.key == bounded.start) for node in bounded.nodes]
    lines += dict.fromkeys(_draw_edge(edge, names) for edge in bounded.edges)
    if bounded.omitted_nodes:
        lines.append(f"  %% {bounded.omitted_nodes} further assets are not drawn")
    return "\n".join(lines)


def _draw_node(node: PictureNode, name: str, *, is_start: bool) -> str:
    label = "<br>".join(_describe_node(node))
    return f'  {name}[["{label}"]]' if is_start else f'  {name}["{label}"]'


def _describe_node(node: PictureNode) -> Iterator[str]:
    yield _escape(node.fqn)
    yield _escape(node.team)
    if node.note:
        yield _escape(node.note)
    for column in node.columns:
        yield _escape(f"* {column}" if column in node.changed_columns else column)
    if node.extra_columns:
        yield f"{node.extra_columns} more" if node.columns else f"{node.extra_columns} columns"


def _draw_edge(edge: PictureEdge, names: dict[str, str]) -> str:
    arrow = "-.->" if edge.is_filter or edge.is_unknown else "==>" if edge.is_changed else "-->"
    columns = f"{edge.source_column or '*'} to {edge.target_column or '*'}"
    label = "lineage unknown" if edge.is_unknown else f"{columns}, filter" if edge.is_filter else columns
    has_columns = edge.source_column is not None or edge.target_column is not None
    text = f'|"{_escape(label)}"|' if has_columns or edge.is_unknown else ""
    return f"  {names[edge.source]} {arrow}{text} {names[edge.target]}"


def _escape(text: str) -> str:
    """Escape text for a label in quotes, in which Mermaid finds no HTML, no Markdown and no keyword."""
    line = escape_terminal(text)
    return "".join(char if char.isalnum() or char in SAFE_PUNCTUATION else f"#{ord(char)};" for char in line)
