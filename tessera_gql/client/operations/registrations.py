"""Operations on registrations: what a team reads of an asset."""

from collections.abc import Sequence
from typing import Any, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.models import JsonObject, Registration
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_nullable_variables,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.result_models import RegistrationPayload, RegistrationResult


class RegistrationDetails(TypedDict, total=False):
    """Optional attributes of a registration; those that are None are left out.

    `team` defaults to the team of the key. `fields` are field paths; without them the registration covers the whole
    asset. `idempotency_key` is the key with which the call can be repeated.
    """

    team: TeamRef | None
    fields: Sequence[str] | None
    consumer_asset: AssetRef | None
    pinned_version: str | None
    purpose: str | None
    metadata: JsonObject | None
    idempotency_key: str | None


def register(asset: AssetRef, **details: Unpack[RegistrationDetails]) -> Operation[RegistrationResult]:
    """Register a team as a consumer of an asset, so that it is asked before a change breaks the fields it reads.

    Returns the registration, with `warnings` about fields that are deprecated. Raises Conflict if the team is
    registered already, Invalid with the nearest names for a field that the active schema does not declare.

    Example:
        registration = tessera.register("raw.shop.products", team="finance", fields=["name"], purpose="Price list.")
        assert registration.fields == ("name",)
    """
    values: dict[str, Any] = {**details, "team": build_team_ref(details.get("team"))}
    if (consumer_asset := details.get("consumer_asset")) is not None:
        values["consumer_asset"] = build_asset_ref(consumer_asset)
    input_ = build_variables(asset=build_asset_ref(asset), **values)
    return _with_warnings(RootField("register", RegistrationPayload).build_idempotent_mutation(input_))


def _with_warnings(operation: Operation[RegistrationPayload]) -> Operation[RegistrationResult]:
    """Return the operation with the warnings of its payload on the registration."""

    def parse(data: JsonObject) -> RegistrationResult:
        payload = operation.parse(data)
        result = RegistrationResult(**dict(payload.registration), warnings=payload.warnings or ())
        return result.with_idempotency_key(key) if (key := operation.idempotency_key) else result

    return Operation(
        operation.document,
        operation.variables,
        parse,
        is_idempotent=operation.is_idempotent,
        idempotency_key=operation.idempotency_key,
    )


class RegistrationChanges(TypedDict, total=False):
    """Attributes to change. None clears an attribute; `fields=None` covers the whole asset."""

    fields: Sequence[str] | None
    pinned_version: str | None
    purpose: str | None
    metadata: JsonObject
    expected_row_version: int


def update_registration(registration_id: str, **changes: Unpack[RegistrationChanges]) -> Operation[RegistrationResult]:
    """Change the given attributes of a registration, and return it with `warnings`.

    Raises Stale for an old `expected_row_version`, Invalid for an unknown field.

    Example:
        registration = tessera.register("raw.shop.order_items", team="support")
        changed = tessera.update_registration(registration.id, purpose="Returns.")
        assert changed.fields is None
    """
    input_ = {"registration": registration_id, **build_nullable_variables(changes)}
    return _with_warnings(RootField("updateRegistration", RegistrationPayload).build_mutation(input_))


def unregister(registration_id: str) -> Operation[Registration]:
    """End a registration; its status becomes INACTIVE.

    Raises NotFound for an unknown id, Forbidden for that of another team.

    Example:
        registration = tessera.register("raw.shop.customers", team="growth")
        assert tessera.unregister(registration.id).status is RegistrationStatus.INACTIVE
    """
    root = RootField("unregister", Registration)
    return root.build_mutation({"registration": registration_id}, payload_field="registration")


def registrations(*, asset_id: str | None = None, consumer_team_id: str | None = None) -> PaginatedQuery[Registration]:
    """List the registrations that match all of the filters, ended ones (INACTIVE) included.

    Raises Invalid for an id of another type.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        readers = {item.consumer_team.name for item in tessera.registrations(asset_id=orders.id)}
        assert "support" in readers
    """
    filter_ = build_filter(asset=("eq", asset_id), consumer_team=("eq", consumer_team_id))
    root = RootField("registrations", Registration, {"filter": "RegistrationFilter"})
    return root.build_paginated_query(filter=filter_)
