"""Differences between two schemas. Counterexamples are computed only if they are selected."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Annotated, Any, Self, TypeAlias, TypeVar, cast

import strawberry
from graphql import GraphQLError
from strawberry import UNSET, argument

from tessera_gql import diff
from tessera_gql.compute.bounded_cache import BoundedCache
from tessera_gql.diff import Bump, Certainty, ChangeKind, Mode
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.declared_fields import load_declared_fields
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.slices import ListSize, take
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.compatibility import Judgement, Terms, canonical_bytes
from tessera_gql.policy.field_history import enclosing_paths
from tessera_gql.workflows.comparisons import compare_terms

S = TypeVar("S")
C = TypeVar("C")

CHUNK_SIZE = 200
"""Changes converted before control returns to the event loop: a few milliseconds, with all their fields."""
MAX_CHANGES = 20_000
"""Maximum number of changes in one response."""
MAX_KEPT_CHANGES = 5_000
"""Maximum number of changes of a comparison that is kept."""
MAX_KEPT_BYTES = 16_000_000
"""Maximum number of bytes, as JSON, of all comparisons that are kept."""

ReadSchemas: TypeAlias = Callable[[], tuple[Any, Any]]

_judgements: BoundedCache[tuple[Hashable, Hashable], Judgement] = BoundedCache(MAX_KEPT_BYTES)


@strawberry.type(description="One difference between two contract versions, and the modes in which it breaks.")
class Change:
    change: strawberry.Private[diff.Change]
    kind: ChangeKind = strawberry.field(description="The kind of the difference.")
    path: str = strawberry.field(
        description="The path of the field that changed, such as `items[].sku`; empty for the whole schema."
    )
    pointer: str = strawberry.field(
        description="A JSON pointer (RFC 6901) into the new schema, or into the old one for what was removed."
    )
    fields: list[str] = strawberry.field(
        description="The paths of the declared fields that the change touches; an empty path means all fields."
    )
    before: JSON | None = strawberry.field(description="The value before the change; null if there was none.")
    after: JSON | None = strawberry.field(description="The value after the change; null if there is none.")
    breaks: list[Mode] = strawberry.field(description="The compatibility modes in which the change is breaking.")
    message: str = strawberry.field(description="The change in one sentence, for people.")
    fingerprint: str = strawberry.field(
        description="A hash that identifies the change: the same whenever and wherever it is found."
    )

    @classmethod
    def of(cls, change: diff.Change, **attributes: Any) -> Self:
        """Convert a change of the diff engine; `attributes` are the further ones of a subclass."""
        names = ("kind", "path", "pointer", "before", "after", "message", "fingerprint")
        attributes |= {name: getattr(change, name) for name in names}
        return cls(change=change, fields=list(change.fields), breaks=sorted(change.breaks), **attributes)

    @computed_field("How certain it is that the change breaks.")
    def certainty(self) -> Certainty:
        return self.change.certainty

    @computed_field("A document that proves the break; null unless `certainty` is PROVEN.")
    def counterexample(self) -> JSON | None:
        return JSON(self.change.counterexample)

    @computed_field("A way to reach the same end without breaking in `hintModes`; null if none was found.")
    def hint(self) -> str | None:
        return self.change.hint

    @computed_field("The compatibility modes in which the hint was verified not to break; empty without a hint.")
    def hint_modes(self) -> list[Mode]:
        return sorted(self.change.hint_modes)


def to_changes(context: Context, changes: Sequence[diff.Change]) -> list[Change]:
    """Convert changes of the diff engine into schema objects; see `list_changes`."""
    return list_changes(context, changes, Change.of)


def list_changes(context: Context, changes: Sequence[S], convert: Callable[[S], C]) -> list[C]:
    """Convert changes into schema objects; a long list becomes an async iterator that does not block the event loop.

    Raise an error with the code QUERY_TOO_COMPLEX once the response holds more than MAX_CHANGES.
    """
    context.listed_changes += len(changes)
    if context.listed_changes > MAX_CHANGES:
        message = f"The answer would hold more than {MAX_CHANGES:,} changes, which is the limit. Leave some lists out."
        raise GraphQLError(
            message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": "changes", "allowed": MAX_CHANGES}
        )
    if len(changes) <= CHUNK_SIZE:
        return [convert(change) for change in changes]
    return cast("list[C]", _in_chunks(changes, convert))


async def _in_chunks(changes: Sequence[S], convert: Callable[[S], C]) -> AsyncIterator[C]:
    for number, change in enumerate(changes):
        if number % CHUNK_SIZE == 0:
            await asyncio.sleep(0)
        yield convert(change)


ModeArgument = Annotated[
    Mode | None, argument("The compatibility mode to judge by; the diff's own `mode` if left out.")
]


@strawberry.type(description="All differences between two contract versions, judged under one compatibility mode.")
class SchemaDiff:
    judgement: strawberry.Private[Judgement]
    read_schemas: strawberry.Private[ReadSchemas | None]
    mode: Mode = strawberry.field(description="The compatibility mode that decided `breaking` and `bump`.")
    bump: Bump = strawberry.field(description="The part of the version that these changes must raise at least.")

    @computed_field("All changes, ordered by their pointer.")
    def changes(self, info: Info, first: ListSize = UNSET) -> list[Change]:
        return to_changes(info.context, take(self.judgement.changes, first))

    @computed_field("The number of all changes.")
    def change_count(self) -> int:
        return len(self.judgement.changes)

    @computed_field("The changes that are breaking under `mode`.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.judgement.breaking)

    @computed_field(
        "The number of declared fields that both have and that no change touches; null in the payload of a publish."
    )
    async def unchanged_field_count(self, info: Info) -> int | None:
        if self.read_schemas is None:
            return None
        old, new = [await load_declared_fields(info.context, schema) for schema in self.read_schemas()]
        touched = {path for change in self.judgement.changes for path in (*change.fields, change.path) if path}
        paths = {field.path for field in old} & {field.path for field in new}
        return sum(touched.isdisjoint(enclosing_paths(path)) for path in paths)

    @computed_field("Whether no change is breaking under the compatibility mode.")
    def is_compatible(self, mode: ModeArgument = UNSET) -> bool:
        judging_mode = or_none(mode) or self.mode
        return not any(judging_mode in change.breaks for change in self.judgement.changes)

    @classmethod
    def of(cls, judgement: Judgement, read_schemas: ReadSchemas | None = None) -> "SchemaDiff":
        """Make it from a judgement, with the two schemas that were compared if they can be read."""
        return cls(judgement=judgement, read_schemas=read_schemas, mode=judgement.mode, bump=judgement.bump)

    def to_json(self) -> dict[str, Any]:
        """Return the value stored under an idempotency key."""
        return {
            "changes": [change.as_json() for change in self.judgement.changes],
            "breaking": [change.as_json() for change in self.judgement.breaking],
            "bump": self.bump.value,
            "mode": self.mode.value,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SchemaDiff":
        return cls.of(
            Judgement(
                changes=tuple(diff.Change.from_json(change) for change in value["changes"]),
                breaking=tuple(diff.Change.from_json(change) for change in value["breaking"]),
                bump=Bump(value["bump"]),
                mode=Mode(value["mode"]),
            )
        )


async def diff_terms(context: Context, old: Terms, new: Terms) -> SchemaDiff:
    """Compare two contracts under the compatibility mode of the old one. Raise Invalid for an invalid schema."""
    judgement = await compare_terms(context.computer.run, old, new)
    return SchemaDiff.of(judgement, lambda: (old.schema, new.schema))


async def diff_rows(
    context: Context, key: tuple[Hashable, Hashable], read_terms: Callable[[], tuple[Terms, Terms]]
) -> SchemaDiff:
    """Compare the terms of two rows as `diff_terms` does; the result is kept for rows whose terms never change."""
    if (judgement := _judgements.find(key)) is None:
        old, new = read_terms()
        judgement = await compare_terms(context.computer.run, old, new)
        if len(judgement.changes) <= MAX_KEPT_CHANGES:
            _judgements.keep(key, judgement, await asyncio.to_thread(_measure, judgement))

    def read_schemas() -> tuple[Any, Any]:
        old, new = read_terms()
        return old.schema, new.schema

    return SchemaDiff.of(judgement, read_schemas)


def _measure(judgement: Judgement) -> int:
    """Return the number of bytes that the changes take as JSON."""
    return len(canonical_bytes([change.as_json() for change in judgement.changes]))


@strawberry.type
class Queries:
    @computed_field("Compare two JSON Schemas, which need not belong to the catalog.")
    async def diff_schemas(
        self,
        info: Info,
        old: Annotated[JSON, argument("The JSON Schema before the change.")],
        new: Annotated[JSON, argument("The JSON Schema after the change.")],
        mode: Annotated[Mode, argument("The compatibility mode to judge by.")] = Mode.BACKWARD,
    ) -> SchemaDiff | None:
        return await diff_terms(info.context, Terms(old, None, mode), Terms(new, None, mode))
