"""What the members of a page depend on: its rows, one row more, or the cursors of the request alone."""

from tessera_gql.store.json_text import quote
from tessera_gql.store.json_trees import Constant, Edges, Items, JsonList, PageMember
from tessera_gql.store.pagination import QueryShape


def is_counted(part: PageMember, shape: QueryShape) -> bool:
    """Whether the rows decide if more follow in this direction; otherwise the cursors of the request do."""
    return (part is PageMember.HAS_PREVIOUS) is shape.is_backward


def empty_part(part: Constant | PageMember, shape: QueryShape) -> str:
    """Return a member of `pageInfo` as far as it does not depend on rows."""
    match part:
        case Constant(text):
            return quote(text)
        case PageMember.START | PageMember.END:
            return "null"
        case _:
            bound = "before" if part is PageMember.HAS_NEXT else "after"
            return "true" if not is_counted(part, shape) and bound in shape.bounds else "false"


def needs_position(tree: JsonList, shape: QueryShape) -> bool:
    """Whether the page must know its first and last row, and whether one more follows."""
    return any(part in {PageMember.START, PageMember.END} or is_counted(part, shape) for part in tree.page_members())


def has_rows(tree: JsonList, shape: QueryShape) -> bool:
    """Whether the page depends on its rows; a group without aggregates would be lost, or be one text for each row."""
    return needs_position(tree, shape) or any(isinstance(member, Items | Edges) for _, member in tree.members)
