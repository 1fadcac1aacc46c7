"""Execution of mutation fields: one transaction each; a refusal rolls it back and becomes `errors` in the payload."""

import dataclasses
import typing
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry import UNSET

from tessera_gql.compute import run_deferrable
from tessera_gql.errors import Invalid, Refusal
from tessera_gql.formats.storage_faults import find_storage_fault
from tessera_gql.graphql import idempotency as memory
from tessera_gql.graphql.context import Context, FindOperation, Info, refuse_documents
from tessera_gql.graphql.errors import UserError, to_camel_case
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nodes import load_node
from tessera_gql.graphql.type_registry import computed_field, lazy_type
from tessera_gql.policy.access import Actor
from tessera_gql.policy.visibility import is_private_type
from tessera_gql.store import idempotency
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


P = TypeVar("P", bound=Payload)
I = TypeVar("I", bound=Input)  # noqa: E741 - next to P


@dataclass(frozen=True)
class Call:
    """Context of one mutation: its transaction, its caller, and what it needs of the process."""

    session: Session
    actor: Actor
    report_progress: ReportProgress = ignore_progress
    find_operation: FindOperation = refuse_documents


def mutation(handler: Callable[[Call, I], Awaitable[P]], description: str, **field_names: str) -> Any:
    """Declare a mutation field; input and payload are the annotations of the handler.

    `field_names` maps names that a workflow uses in its errors to those of the input.
    """
    hints = typing.get_type_hints(handler)
    payload: type[Payload] = hints.pop("return")
    input_type: Any = hints.pop("arguments")

    async def resolve(info: Info, input: Any) -> Any:  # noqa: A002 - the name in the schema
        return await execute_mutation(info.context, handler, payload, input, field_names)

    resolve.__annotations__["input"] = Annotated[
        input_type, strawberry.argument(description="The input of the mutation.")
    ]
    return strawberry.mutation(resolver=resolve, graphql_type=payload | None, description=description)


async def execute_mutation(
    context: Context,
    handler: Callable[[Call, Any], Awaitable[Any]],
    payload: type[P],
    arguments: Any,
    field_names: dict[str, str],
) -> P:
    """Run a handler in a transaction and return its payload; a refusal becomes the payload's `errors`."""
    try:
        _check_storable(arguments)
        result = await _run_once(context, handler, payload, arguments)
    except Refusal as refusal:
        result = payload(errors=[UserError.from_refusal(refusal, field_names, arguments)])
    result.client_mutation_id = or_none(arguments.client_mutation_id)
    return result


async def _run_once(
    context: Context, handler: Callable[[Call, Any], Awaitable[Any]], payload: type[P], arguments: Any
) -> P:
    """Run the handler, or return the payload stored under the idempotency key. A dry run stores nothing."""
    dry_run = or_none(getattr(arguments, "dry_run", None)) is True
    memo = None if dry_run else memory.create_memo(context.actor, to_camel_case(handler.__name__), arguments)

    async def attempt(may_defer: bool) -> P | dict[str, Any]:  # noqa: FBT001 - as `rerun` calls it
        async with context.write(dry_run=dry_run, may_defer=may_defer) as session:
            earlier_payload = await idempotency.claim_key(session, memo) if memo else None
            if earlier_payload is not None:
                return earlier_payload
            call = Call(session, context.actor, context.report_progress, context.find_operation)
            result: P = await handler(call, arguments)
            await _reload_private_nodes(call, result)
            call.report_progress(Phase.COMMIT, 0, 0)
            if memo:
                await idempotency.store_payload(session, memo, memory.dump_payload(result))
            return result

    result = await run_deferrable(context.computer, attempt)
    return await memory.load_payload(payload, result, context.loaders) if isinstance(result, dict) else result


async def _reload_private_nodes(call: Call, payload: Payload) -> None:
    """Reload private objects of the payload with the caller's visibility, before the commit because it may fail."""
    loaders = Loaders(lambda: nullcontext(call.session), call.actor)
    for name in memory.payload_fields(type(payload)):
        node = getattr(payload, name)
        if isinstance(node, Node) and is_private_type(type(node).__name__):
            setattr(payload, name, await load_node(loaders, node.id))


def _check_storable(arguments: Any) -> None:
    for field in dataclasses.fields(arguments):
        value = getattr(arguments, field.name)
        # A JSON object was checked when it was parsed.
        if value is not UNSET and not isinstance(value, dict) and (fault := find_storage_fault(value)):
            raise Invalid(f"`{to_camel_case(field.name)}` can't be kept: {fault}.", field=(field.name,))
