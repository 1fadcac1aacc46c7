"""Operations on change sets."""

from collections.abc import Sequence

from tessera_gql.client.enums import ChangeSetStatus
from tessera_gql.client.models import ChangeSet, ChangeSetSummary, JsonObject
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    build_change_set_ref,
    build_filter,
    build_variables,
)
from tessera_gql.client.requests import ChangeSetRequest


def build_change_set_input(change_set: ChangeSetRequest | str | None) -> JsonObject | None:
    """Build the input of a change set, which a string names by its key."""
    request = ChangeSetRequest(change_set) if isinstance(change_set, str) else change_set
    return build_variables(**vars(request)) if request else None


def get_change_set(change_set: str) -> Operation[ChangeSet]:
    """Get a change set by its key or id, with its proposals.

    Raises NotFound if there is no such change set.

    Example:
        change_set = tessera.get_change_set("github.com/fernhill/warehouse#412")
        print([proposal.asset.fqn for proposal in change_set.proposals])
    """
    root = RootField("changeSet", ChangeSet, {"by": "ChangeSetRef!"})
    missing = f"There is no change set {change_set!r}. `change_sets()` lists them all."
    return root.build_get_query({"by": build_change_set_ref(change_set)}, missing)


def change_sets(*, status: Sequence[ChangeSetStatus] = ()) -> PaginatedQuery[ChangeSetSummary]:
    """List the change sets with one of the statuses, or all, latest first.

    Raises Unauthenticated without a key that the server knows.

    Example:
        keys = [change_set.key for change_set in tessera.change_sets(status=[ChangeSetStatus.OPEN])]
    """
    root = RootField("changeSets", ChangeSetSummary, {"filter": "ChangeSetFilter"})
    return root.build_paginated_query(filter=build_filter(status=("in", status)))


def withdraw_change_set(change_set: str) -> Operation[ChangeSet]:
    """Withdraw a change set by its key or id, with all its open proposals.

    Raises NotFound if there is no such change set, Conflict if it has ended.

    Example:
        tessera.publish_contract(fqn="analytics.marts.returns", schema_def={"properties": {}}, change_set="shop#7")
        assert tessera.withdraw_change_set("shop#7").status is ChangeSetStatus.WITHDRAWN
    """
    input_ = {"changeSet": build_change_set_ref(change_set)}
    return RootField("withdrawChangeSet", ChangeSet).build_mutation(input_, payload_field="changeSet")


def publish_change_set(change_set: str) -> Operation[ChangeSet]:
    """Publish all open proposals of a change set by its key or id, in one transaction.

    Raises Conflict unless all of them are approved.

    Example:
        change = {"schema_def": {"properties": {}}, "change_set": "shop#8", "require_explicit_publish": True}
        tessera.publish_contract(fqn="analytics.marts.returns", **change)
        tessera.acknowledge_change_set("shop#8", AcknowledgmentResponse.APPROVED, team="support")
        assert tessera.publish_change_set("shop#8").status is ChangeSetStatus.PUBLISHED
    """
    input_ = {"changeSet": build_change_set_ref(change_set)}
    return RootField("publishChangeSet", ChangeSet).build_idempotent_mutation(input_, payload_field="changeSet")
