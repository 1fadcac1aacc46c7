"""Operations on proposals: answers, publishing, and retirements."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import AcknowledgmentResponse, Intent, ProposalStatus
from tessera_gql.client.models import Contract, Proposal, ProposalDetails
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.operations.change_sets import build_change_set_input
from tessera_gql.client.requests import ChangeSetRequest
from tessera_gql.client.result_models import AcknowledgeResult, RetirementResult


class RetirementOptions(TypedDict, total=False):
    """Options of a retirement, as those of a publish."""

    intent: Intent | None
    change_set: ChangeSetRequest | str | None
    publish_when_approved: bool
    require_explicit_publish: bool
    supersede: bool
    expires_at: datetime | None


def propose_retirement(
    asset: AssetRef, *, reason: str, team: TeamRef | None = None, **options: Unpack[RetirementOptions]
) -> Operation[RetirementResult]:
    """Ask every reader to agree that the asset's contract ends; retires it at once if no other team reads it.

    Raises Conflict if the asset has no active contract, or another open proposal.

    Example:
        result = tessera.propose_retirement("analytics.marts.parcels", reason="The carrier changed.")
        assert result.contract and result.contract.status is ContractStatus.RETIRED
    """
    values = build_variables(
        reason=reason,
        team=build_team_ref(team),
        **{**options, "change_set": build_change_set_input(options.get("change_set"))},
    )
    input_ = {"asset": build_asset_ref(asset), **values}
    return RootField("proposeRetirement", RetirementResult).build_idempotent_mutation(input_)


def get_proposal(proposal_id: str) -> Operation[ProposalDetails]:
    """Get a proposal with its schema, acknowledgments and comments.

    Raises NotFound for an unknown id.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        proposal = tessera.get_proposal(orders.open_proposal.id)
        print([change.message for change in proposal.breaking_changes])
    """
    root = RootField("proposal", ProposalDetails, {"id": "ID!"})
    return root.build_get_query({"id": proposal_id}, "There is no such proposal. `proposals()` lists them all.")


def proposals(
    *, asset_id: str | None = None, change_set_id: str | None = None, status: Sequence[ProposalStatus] = ()
) -> PaginatedQuery[Proposal]:
    """List the proposals that match all of the filters, latest first.

    Raises Invalid for an id of another type.

    Example:
        for proposal in tessera.proposals(status=[ProposalStatus.PENDING]):
            print(proposal.asset.fqn, [team.name for team in proposal.awaiting])
    """
    root = RootField("proposals", Proposal, {"filter": "ProposalFilter"})
    filter_ = build_filter(asset=("eq", asset_id), changeSet=("eq", change_set_id), status=("in", status))
    return root.build_paginated_query(filter=filter_)


def acknowledge(
    proposal_id: str,
    response: AcknowledgmentResponse,
    *,
    team: TeamRef | None = None,
    migration_deadline: datetime | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[AcknowledgeResult]:
    """Acknowledge a proposal for a team; the team defaults to that of the key. MIGRATING needs a deadline.

    Returns the acknowledgment, the proposal after it, and the contract if it was published by that. Raises Conflict if
    the proposal has ended, Invalid for a deadline that has passed, Forbidden for a team that is not asked.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        deadline = datetime.now(UTC) + timedelta(days=20)
        answer = AcknowledgmentResponse.MIGRATING
        result = tessera.acknowledge(orders.open_proposal.id, answer, team="support", migration_deadline=deadline)
        assert result.proposal.status is ProposalStatus.PENDING
    """
    values = build_variables(
        response=response,
        team=build_team_ref(team),
        migration_deadline=migration_deadline,
        notes=notes,
        idempotency_key=idempotency_key,
    )
    root = RootField("acknowledgeProposal", AcknowledgeResult)
    return root.build_idempotent_mutation({"proposal": proposal_id, **values})


def extend_proposal(proposal_id: str, expires_at: datetime) -> Operation[Proposal]:
    """Keep an open proposal open until a later moment within 366 days.

    Raises Invalid for an earlier moment, Conflict if the proposal has ended.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        extended = tessera.extend_proposal(orders.open_proposal.id, datetime.now(UTC) + timedelta(days=60))
        assert extended.is_open
    """
    input_ = {"proposal": proposal_id, **build_variables(expires_at=expires_at)}
    return RootField("extendProposal", Proposal).build_mutation(input_, payload_field="proposal")


def withdraw_proposal(proposal_id: str) -> Operation[Proposal]:
    """Withdraw an open proposal, without publishing it.

    Raises Conflict if it has ended, Forbidden for an asset of another team.

    Example:
        payments = tessera.get_asset("raw.shop.payments")
        assert not tessera.withdraw_proposal(payments.open_proposal.id).is_open
    """
    return RootField("withdrawProposal", Proposal).build_mutation({"proposal": proposal_id}, payload_field="proposal")


def publish_proposal(
    proposal_id: str,
    *,
    published_by: TeamRef | None = None,
    waive_coverage: bool = False,
    force: bool = False,
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[Contract]:
    """Publish an approved proposal and return its contract, or the retired contract.

    With a `reason` an administrator publishes one that is held for coverage by `waive_coverage`, and one that not all
    asked teams agree to by `force`, which leaves them debts.

    Raises Conflict while answers are missing, and if a newer contract adds breaks whose readers were not asked.

    Example:
        columns = {"id": {"type": "integer"}, "note": {"type": "string"}}
        tessera.create_asset(fqn="analytics.marts.returns", owner="shop-platform")
        tessera.publish_contract(fqn="analytics.marts.returns", schema_def={"properties": columns})
        tessera.register("analytics.marts.returns", team="support")
        options = {"schema_def": {"properties": {"id": columns["id"]}}, "require_explicit_publish": True}
        proposed = tessera.publish_contract(fqn="analytics.marts.returns", **options)
        tessera.acknowledge(proposed.proposal.id, AcknowledgmentResponse.APPROVED, team="support")
        assert tessera.publish_proposal(proposed.proposal.id).version == "2.0.0"
    """
    team = build_team_ref(published_by)
    input_ = build_variables(
        proposal=proposal_id,
        published_by=team,
        waive_coverage=waive_coverage or None,
        force=force or None,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    return RootField("publishProposal", Contract).build_idempotent_mutation(input_, payload_field="contract")
