"""Pages of a list that is in memory, such as the fields of a schema or the assets along the lineage."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar, overload

from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import PageInfo
from tessera_gql.graphql.filters import or_none
from tessera_gql.store.pagination import PageRequest, validate_request

T = TypeVar("T")

ListSize = Annotated[int | None, argument("The number of items, the first ones; all of them if left out.")]


def take(items: Sequence[T], size: int | None) -> Sequence[T]:
    """Return the first items of a list, or all of them without a size. Raise Invalid for a negative one."""
    if size is None or size is UNSET:
        return items
    if size < 0:
        raise Invalid(f"`first` is {size}; a list has 0 or more items.", field=("first",))
    return items[:size]


@dataclass(frozen=True)
class SliceRequest:
    """The arguments of a connection field, as they came."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None


class Cursors(Sequence[str]):
    """The cursors of a long list by unique keys, which are encoded only as far as a page needs them."""

    def __init__(self, kind: str, keys: Sequence[str]) -> None:
        self._kind = kind
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        keys = self._keys[index]
        return self._encode(keys) if isinstance(keys, str) else [*map(self._encode, keys)]

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a cursor; raise ValueError for one of another list."""
        text = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
        kind, _, key = text.partition(":")
        if kind != self._kind or self._encode(key) != value:
            raise ValueError(value)
        return self._keys.index(key, start, len(self._keys) if stop is None else stop)

    def _encode(self, key: str) -> str:
        return base64.urlsafe_b64encode(f"{self._kind}:{key}".encode()).decode().rstrip("=")


def slice_page(cursors: Sequence[str], request: SliceRequest) -> tuple[slice, PageInfo]:
    """Find the part of a list that a page has, forwards or backwards. Raise Invalid for a bad size or cursor."""
    first, last = or_none(request.first), or_none(request.last)
    sizes = validate_request(PageRequest(order_by="cursor", first=first, last=last))
    start, end = 0, len(cursors)
    if (after := or_none(request.after)) is not None:
        start = _find(cursors, after, "after") + 1
    if (before := or_none(request.before)) is not None:
        end = _find(cursors, before, "before")
    if sizes.is_backward:
        start = max(start, end - sizes.size)
    end = max(start, min(end, start + sizes.size))
    page = cursors[start:end]
    page_info = PageInfo(
        has_next_page=end < len(cursors),
        has_previous_page=start > 0,
        start_cursor=page[0] if page else None,
        end_cursor=page[-1] if page else None,
    )
    return slice(start, end), page_info


def _find(cursors: Sequence[str], cursor: str, name: str) -> int:
    try:
        return cursors.index(cursor)
    except ValueError:
        raise Invalid(
            f"The cursor in `{name}` is of another list, or its item has left this one. Start without it.",
            field=(name,),
        ) from None
