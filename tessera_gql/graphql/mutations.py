"""Execution of mutation fields: one transaction each; a refusal rolls it back and becomes `errors` in the payload."""

import dataclasses
import typing
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, cast

import strawberry
from strawberry import UNSET, argument

from tessera_gql.compute import run_deferrable
from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid, Refusal
from tessera_gql.formats.storage_faults import find_storage_fault
from tessera_gql.graphql import idempotency
from tessera_gql.graphql.context import Context, FindOperation, Info, refuse_documents
from tessera_gql.graphql.errors import UserError, to_camel_case
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nodes import load_node
from tessera_gql.graphql.type_registry import computed_field, lazy_type
from tessera_gql.policy.access import Actor
from tessera_gql.policy.visibility import is_private_type
from tessera_gql.store import idempotency as store
from tessera_gql.store.session import Session
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress


@strawberry.input(description="The input fields of every mutation.")
class Input:
    client_mutation_id: str | None = optional(
        "Any text; it is returned in the payload, so that a client can match replies to calls."
    )


@strawberry.input(description="The input fields of every mutation that creates something.")
class CreatingInput(Input):
    idempotency_key: str | None = optional(
        "Makes a retry safe: the same key with the same input returns the first payload and does nothing twice."
    )


@strawberry.input(description="The input fields of every mutation of an object that has versions.")
class VersionedInput(Input):
    expected_row_version: int | None = optional("The `rowVersion` you read; refused with STALE if it changed since.")


@strawberry.type(description="The payload fields of every mutation.")
class Payload:
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="The reasons why the mutation was refused; empty if it succeeded."
    )
    client_mutation_id: str | None = strawberry.field(
        default=None, description="The `clientMutationId` of the input; null if there was none."
    )

    @computed_field("The query root, to read the state after the mutation.", lazy_type("Query") | None)
    def query(self) -> Any:
        return typing.cast("Any", True)  # noqa: FBT003 - any value that is not null: the root has no state


def payload_field(
    description: str, *, load: Callable[[Any], Any] | None = None, name: str | None = None, graphql_type: Any = None
) -> Any:
    """Declare a field of a payload, null if the mutation was refused.

    `load` restores the value from what its `to_json` stored under an idempotency key; nodes need none.
    """
    return strawberry.field(
        default=None, description=description, name=name, graphql_type=graphql_type, metadata={"load": load}
    )


P = TypeVar("P", bound=Payload)
I = TypeVar("I", bound=Input)  # noqa: E741 - next to P


@dataclass(frozen=True)
class Call:
    """Context of one mutation: its transaction, its caller, and what it needs of the process."""

    session: Session
    actor: Actor
    report_progress: ReportProgress = ignore_progress
    find_operation: FindOperation = refuse_documents
    default_mode: Mode | None = None
    """The compatibility mode that the settings give new assets."""


def mutation(handler: Callable[[Call, I], Awaitable[P]], description: str, **field_names: str) -> Any:
    """Declare a mutation field whose handler runs in one transaction.

    `field_names` maps names that a workflow uses in its errors to those of the input.
    """

    @wraps(handler)
    async def run(context: Context, arguments: I) -> P:
        check_storable(arguments)
        return await run_once(context, handler, typing.get_type_hints(handler)["return"], arguments)

    return context_mutation(run, description, field_names)


def context_mutation(
    handler: Callable[[Context, I], Awaitable[P]],
    description: str,
    field_names: Mapping[str, str] = MappingProxyType({}),
    *,
    input_description: str = "The input of the mutation.",
) -> Any:
    """Declare a mutation field whose handler opens its transactions itself.

    Input and payload are the annotations of the handler. A refusal becomes the payload's `errors`.
    """
    hints = typing.get_type_hints(handler)
    payload, input_type = hints["return"], hints["arguments"]

    async def resolve(info: Info, input: Any) -> Any:  # noqa: A002 - the name in the schema
        try:
            result = await handler(info.context, input)
        except Refusal as refusal:
            result = payload(errors=[UserError.from_refusal(refusal, field_names, input)])
        result.client_mutation_id = or_none(input.client_mutation_id)
        return result

    resolve.__annotations__["input"] = Annotated[input_type, argument(input_description)]
    return strawberry.mutation(resolver=resolve, graphql_type=payload | None, description=description)


async def run_once(
    context: Context, handler: Callable[[Call, Any], Awaitable[Any]], payload: type[P], arguments: Any
) -> P:
    """Run the handler, or return the payload stored under the idempotency key. A dry run stores nothing."""
    return cast("P", await run_part(context, handler, payload, arguments))


async def run_part(
    context: Context, handler: Callable[[Call, Any], Awaitable[Any]], payload: type[P], arguments: Any
) -> P | None:
    """Run the handler as `run_once` does; it returns None in all but the last of the call's transactions."""
    dry_run = or_none(getattr(arguments, "dry_run", None)) is True
    operation = to_camel_case(handler.__name__)
    identified = None if dry_run else idempotency.to_idempotent_call(context.actor, operation, arguments)

    async def attempt(may_defer: bool) -> P | dict[str, Any] | None:  # noqa: FBT001 - as `run_deferrable` calls it
        async with context.write(dry_run=dry_run, may_defer=may_defer) as session:
            earlier_payload = await store.claim_key(session, identified) if identified else None
            if earlier_payload is not None:
                return earlier_payload
            call = Call(session, context.actor, context.report_progress, context.find_operation, context.default_mode)
            result: P | None = await handler(call, arguments)
            if result is None:
                if identified:
                    await store.release_key(session, identified)
                return None
            await _reload_private_nodes(call, result)
            call.report_progress(Phase.COMMIT, 0, 0)
            if identified:
                await store.store_payload(session, identified, idempotency.dump_payload(result))
            return result

    result = await run_deferrable(context.computer, attempt)
    return await idempotency.load_payload(payload, result, context.loaders) if isinstance(result, dict) else result


async def _reload_private_nodes(call: Call, payload: Payload) -> None:
    """Reload private objects of the payload with the caller's visibility, before the commit because it may fail."""
    loaders = Loaders(lambda: nullcontext(call.session), call.actor)
    for name in idempotency.payload_fields(type(payload)):
        node = getattr(payload, name)
        if isinstance(node, Node) and is_private_type(type(node).__name__):
            setattr(payload, name, await load_node(loaders, node.id))


def check_storable(arguments: Any) -> None:
    for field in dataclasses.fields(arguments):
        value = getattr(arguments, field.name)
        # A JSON object was checked when it was parsed.
        if value is not UNSET and not isinstance(value, dict) and (fault := find_storage_fault(value)):
            raise Invalid(f"`{to_camel_case(field.name)}` can't be kept: {fault}.", field=(field.name,))
