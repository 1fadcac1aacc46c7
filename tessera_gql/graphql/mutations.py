"""The one way into every mutation: one transaction, one answer; a refusal rolls back and becomes `errors`."""

import dataclasses
import typing
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry import UNSET

from tessera_gql.compute import rerun
from tessera_gql.errors import Invalid, Refusal
from tessera_gql.formats.storable import storable
from tessera_gql.graphql import memory
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.errors import UserError, camel
from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nodes import find
from tessera_gql.graphql.nouns import computed, named
from tessera_gql.policy.access import Actor
from tessera_gql.policy.visibility import is_private
from tessera_gql.store import idempotency
from tessera_gql.store.session import Session
from tessera_gql.workflows.manifest_progress import Phase, Tell, silent


@strawberry.input(description="What every mutation takes.")
class Input:
    client_mutation_id: str | None = optional("Comes back in the payload, for clients that match answers to calls.")


@strawberry.input(description="What every creating mutation takes.")
class CreatingInput(Input):
    idempotency_key: str | None = optional(
        "Makes a retry safe: the same key with the same input gets the first answer, and nothing happens twice."
    )


@strawberry.type(description="What every mutation answers.")
class Payload:
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty if it was not."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description="As in the input.")

    @computed("Everything else, as it is after the mutation.", named("Query") | None)
    def query(self) -> Any:
        return typing.cast("Any", True)  # noqa: FBT003 - any value that is not null: the root has no state


P = TypeVar("P", bound=Payload)
I = TypeVar("I", bound=Input)  # noqa: E741 - beside P


@dataclass(frozen=True)
class Call:
    """Who calls, in which transaction, and who hears how far it has come."""

    session: Session
    actor: Actor
    tell: Tell = silent


def mutation(verb: Callable[[Call, I], Awaitable[P]], description: str, **renamed: str) -> Any:
    """A mutation field from a verb's adapter, which says by its types what goes in and out."""
    hints = typing.get_type_hints(verb)
    payload: type[Payload] = hints.pop("return")
    taken: Any = hints.pop("asked")

    async def resolve(info: Info, input: Any) -> Any:  # noqa: A002 - the argument's name in the graph
        return await perform(info.context, verb, payload, input, renamed)

    resolve.__annotations__["input"] = Annotated[taken, strawberry.argument(description="What to do.")]
    return strawberry.mutation(resolver=resolve, graphql_type=payload | None, description=description)


async def perform(
    context: Context, verb: Callable[[Call, Any], Awaitable[Any]], payload: type[P], asked: Any, renamed: dict[str, str]
) -> P:
    try:
        _check(asked)
        answer = await _once(context, verb, payload, asked)
    except Refusal as refusal:
        answer = payload(errors=[UserError.of(refusal, renamed, asked)])
    answer.client_mutation_id = given(asked.client_mutation_id)
    return answer


async def _once(context: Context, verb: Callable[[Call, Any], Awaitable[Any]], payload: type[P], asked: Any) -> P:
    """The verb's answer, or the one it gave when it was first asked under this key. A dry run leaves no memory."""
    dry_run = given(getattr(asked, "dry_run", None)) is True
    memo = None if dry_run else memory.memo(context.actor, camel(verb.__name__), asked)

    async def attempt(may_defer: bool) -> P | dict[str, Any]:  # noqa: FBT001 - as `rerun` calls it
        async with context.write(dry_run=dry_run, may_defer=may_defer) as session:
            earlier = await idempotency.begin(session, memo) if memo else None
            if earlier is not None:
                return earlier
            call = Call(session, context.actor, context.tell)
            answer: P = await verb(call, asked)
            await _hide(call, answer)
            call.tell(Phase.COMMIT, 0, 0)
            if memo:
                await idempotency.finish(session, memo, memory.remembered(answer))
            return answer

    done = await rerun(context.computer, attempt)
    return await memory.recalled(payload, done, context.loaders) if isinstance(done, dict) else done


async def _hide(call: Call, answer: Payload) -> None:
    """Read the private things in a payload again, as the caller sees them; before the commit, for it may fail."""
    loaders = Loaders(lambda: nullcontext(call.session), call.actor)
    for name in memory.facts(type(answer)):
        node = getattr(answer, name)
        if isinstance(node, Node) and is_private(type(node).__name__):
            setattr(answer, name, await find(loaders, node.id))


def _check(asked: Any) -> None:
    for field in dataclasses.fields(asked):
        value = getattr(asked, field.name)
        # A JSON object was looked through when it was read.
        if value is not UNSET and not isinstance(value, dict) and (fault := storable(value)):
            raise Invalid(f"`{camel(field.name)}` can't be kept: {fault}.", field=(field.name,))
