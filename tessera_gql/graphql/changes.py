"""Differences between two versions. Counterexamples are searched for only when they are asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, TypeVar, cast

import strawberry
from graphql import GraphQLError
from strawberry import UNSET

from tessera_gql import diff
from tessera_gql.diff import Bump, Certainty, ChangeKind, Mode
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.nouns import computed
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.publish import Judgement, Terms
from tessera_gql.workflows.comparisons import judged


@strawberry.type(description="One difference between two versions, and whom it breaks.")
class Change:
    change: strawberry.Private[diff.Change]
    kind: ChangeKind = strawberry.field(description="What kind of difference it is.")
    path: str = strawberry.field(
        description="The field it belongs to, as in `items[].sku`; empty for the whole schema."
    )
    pointer: str = strawberry.field(
        description="Where it is in the schema (RFC 6901), or in the old one if it is gone."
    )
    fields: list[str] = strawberry.field(description="The declared fields it touches; an empty name touches everyone.")
    before: JSON | None = strawberry.field(description="What was there.")
    after: JSON | None = strawberry.field(description="What is there now.")
    breaks: list[Mode] = strawberry.field(description="The modes in which it is breaking.")
    message: str = strawberry.field(description="The change in a sentence.")
    fingerprint: str = strawberry.field(description="The same for the same change, whenever it is found.")

    @computed("How sure it is that it breaks.")
    def certainty(self) -> Certainty:
        return self.change.certainty

    @computed("A document that shows the break, if `certainty` is PROVEN.")
    def counterexample(self) -> JSON | None:
        return JSON(self.change.counterexample)

    @computed("A way to the same end that does not break, if one was found.")
    def hint(self) -> str | None:
        return self.change.hint


def facts(change: diff.Change) -> dict[str, Any]:
    """The fields of a Change, for it and for what extends it."""
    return {
        "change": change,
        "kind": change.kind,
        "path": change.path,
        "pointer": change.pointer,
        "fields": list(change.fields),
        "before": change.before,
        "after": change.after,
        "breaks": sorted(change.breaks),
        "message": change.message,
        "fingerprint": change.fingerprint,
    }


def to_change(change: diff.Change) -> Change:
    return Change(**facts(change))


S = TypeVar("S")
C = TypeVar("C")

PORTION = 200
"""Changes after which others of the event loop get their turn: a few milliseconds, with all their fields."""
MAX_CHANGES = 20_000
"""Changes that one answer may hold."""


def listed(context: Context, changes: Sequence[diff.Change]) -> list[Change]:
    """As `list_changes`, for changes that were just found."""
    return list_changes(context, changes, to_change)


def list_changes(context: Context, changes: Sequence[S], show: Callable[[S], C]) -> list[C]:
    """The changes as the graph shows them; many as an asynchronous iterator that does not hold the event loop.

    Raises an error coded QUERY_TOO_COMPLEX once the answer holds too many.
    """
    context.changes_listed += len(changes)
    if context.changes_listed > MAX_CHANGES:
        message = f"The answer would hold more than {MAX_CHANGES:,} changes, which is the limit. Leave some lists out."
        raise GraphQLError(
            message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": "changes", "allowed": MAX_CHANGES}
        )
    if len(changes) <= PORTION:
        return [show(change) for change in changes]
    return cast("list[C]", _in_portions(changes, show))


async def _in_portions(changes: Sequence[S], show: Callable[[S], C]) -> AsyncIterator[C]:
    for number, change in enumerate(changes):
        if number % PORTION == 0:
            await asyncio.sleep(0)
        yield show(change)


ModeArgument = Annotated[Mode | None, strawberry.argument(description="The mode that judges; `mode` if left out.")]


@strawberry.type(description="Everything that differs between two versions, judged under one mode.")
class SchemaDiff:
    judgement: strawberry.Private[Judgement]
    mode: Mode = strawberry.field(description="The mode that judged `breaking` and `bump`.")
    bump: Bump = strawberry.field(description="The smallest honest step of the version.")

    @computed("Every change, ordered by where it is.")
    def changes(self, info: Info) -> list[Change]:
        return listed(info.context, self.judgement.changes)

    @computed("The changes that break under `mode`.")
    def breaking(self, info: Info) -> list[Change]:
        return listed(info.context, self.judgement.breaking)

    @computed("Whether nothing breaks under the mode.")
    def is_compatible(self, mode: ModeArgument = UNSET) -> bool:
        wanted = mode or self.mode
        return not any(wanted in change.breaks for change in self.judgement.changes)

    @classmethod
    def of(cls, judgement: Judgement) -> "SchemaDiff":
        return cls(judgement=judgement, mode=judgement.mode, bump=judgement.bump)

    def memory(self) -> dict[str, Any]:
        """As kept under an idempotency key."""
        return {
            "changes": [change.as_json() for change in self.judgement.changes],
            "breaking": [change.as_json() for change in self.judgement.breaking],
            "bump": self.bump.value,
            "mode": self.mode.value,
        }

    @classmethod
    def recall(cls, memory: dict[str, Any]) -> "SchemaDiff":
        return cls.of(
            Judgement(
                changes=tuple(diff.Change.from_json(change) for change in memory["changes"]),
                breaking=tuple(diff.Change.from_json(change) for change in memory["breaking"]),
                bump=Bump(memory["bump"]),
                mode=Mode(memory["mode"]),
            )
        )


async def compared(context: Context, old: Terms, new: Terms) -> SchemaDiff:
    """The difference under the old terms' mode; raises Invalid for what is no schema."""
    return SchemaDiff.of(await judged(context.computer.run, old, new))


@strawberry.type
class Queries:
    @computed("What differs between two schemas that need not be in the catalog.")
    async def diff_schemas(
        self,
        info: Info,
        old: Annotated[JSON, strawberry.argument(description="The JSON Schema before.")],
        new: Annotated[JSON, strawberry.argument(description="The JSON Schema after.")],
        mode: Annotated[Mode, strawberry.argument(description="The mode that judges.")] = Mode.BACKWARD,
    ) -> SchemaDiff | None:
        return await compared(info.context, Terms(old, None, mode), Terms(new, None, mode))
