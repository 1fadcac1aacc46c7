"""Definitions of the lists in the schema: source, filter, order and default order of each."""

import strawberry

from tessera_gql.diff import Mode
from tessera_gql.graphql.connections import Listing, order_input
from tessera_gql.graphql.filters import DateTimeFilter, EnumFilter, IdFilter, StringFilter, filter_by
from tessera_gql.policy.enums import (
    ContractStatus,
    DependencyType,
    Evidence,
    ProposalStatus,
    RegistrationStatus,
    ResourceType,
    Response,
)
from tessera_gql.store import assets, contracts, lineage, proposals, registrations, teams


@strawberry.input(description="Conditions on teams; a team must meet all of them.")
class TeamFilter:
    name: StringFilter | None = filter_by("name", "The name of the team.")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the team was created.")


@strawberry.input(description="Conditions on assets; an asset must meet all of them.")
class AssetFilter:
    fqn: StringFilter | None = filter_by("fqn", "The fully qualified name of the asset.")
    description: StringFilter | None = filter_by("description", "The description of the asset.")
    owner: IdFilter | None = filter_by("owner_team_id", "The owner team of the asset.", kind="Team")
    resource_type: EnumFilter[ResourceType] | None = filter_by("resource_type", "The kind of object that the asset is.")
    compatibility_mode: EnumFilter[Mode] | None = filter_by(
        "compatibility_mode", "The default compatibility mode of the asset's contracts."
    )
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the asset was created.")


@strawberry.input(description="Conditions on contracts; a contract must meet all of them.")
class ContractFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset of the contract.", kind="Asset")
    published_by: IdFilter | None = filter_by("published_by", "The team that published the contract.", kind="Team")
    version: StringFilter | None = filter_by("version", "The semantic version of the contract.")
    status: EnumFilter[ContractStatus] | None = filter_by("status", "The stage of the contract's life.")
    published_at: DateTimeFilter | None = filter_by("published_at", "The time at which the contract was published.")


@strawberry.input(description="Conditions on registrations; a registration must meet all of them.")
class RegistrationFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset that the consumer reads.", kind="Asset")
    consumer_team: IdFilter | None = filter_by("consumer_team_id", "The team that reads the asset.", kind="Team")
    consumer_asset: IdFilter | None = filter_by(
        "consumer_asset_id", "The consumer's asset that the data is read for.", kind="Asset"
    )
    status: EnumFilter[RegistrationStatus] | None = filter_by("status", "The stage of the registration's life.")
    evidence: EnumFilter[Evidence] | None = filter_by("evidence", "The source of the knowledge about the consumer.")
    registered_at: DateTimeFilter | None = filter_by("registered_at", "The time at which the team registered.")


@strawberry.input(description="Conditions on proposals; a proposal must meet all of them.")
class ProposalFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset whose contract would change.", kind="Asset")
    proposed_by: IdFilter | None = filter_by("proposed_by", "The team that proposed the change.", kind="Team")
    status: EnumFilter[ProposalStatus] | None = filter_by("status", "The status of the proposal.")
    proposed_at: DateTimeFilter | None = filter_by("proposed_at", "The time at which the change was proposed.")
    expires_at: DateTimeFilter | None = filter_by("expires_at", "The time at which the proposal expires.")


@strawberry.input(description="Conditions on acknowledgments; an acknowledgment must meet all of them.")
class AcknowledgmentFilter:
    proposal: IdFilter | None = filter_by("proposal_id", "The proposal that the team is asked about.", kind="Proposal")
    team: IdFilter | None = filter_by("consumer_team_id", "The team that is asked.", kind="Team")
    response: EnumFilter[Response] | None = filter_by("response", "The response of the team.")


@strawberry.input(description="Conditions on dependencies; a dependency must meet all of them.")
class DependencyFilter:
    type: EnumFilter[DependencyType] | None = filter_by(
        "dependency_type", "The way in which the dependent asset depends on the other."
    )
    evidence: EnumFilter[Evidence] | None = filter_by("evidence", "The source of the knowledge about the dependency.")


CREATED_AT = ("created_at", "The time at which the object was created.")

team_order = order_input(
    "Team", {"NAME": ("name_key", "The name of the team, ignoring case."), "CREATED_AT": CREATED_AT}
)
asset_order = order_input(
    "Asset", {"FQN": ("fqn_key", "The fqn of the asset, ignoring case."), "CREATED_AT": CREATED_AT}
)
acknowledgment_order = order_input(
    "Acknowledgment", {"CREATED_AT": ("created_at", "The time at which the team was asked.")}
)

TEAMS = Listing("Team", teams.TABLE, "name_key", filter=TeamFilter, order=team_order)
CONSUMERS = Listing("Team", registrations.CONSUMER_TEAMS, "name_key", filter=TeamFilter, order=team_order)
ASSETS = Listing("Asset", assets.TABLE, "fqn_key", filter=AssetFilter, order=asset_order)
CONTRACTS = Listing(
    "Contract",
    contracts.TABLE,
    "published_at",
    descending=True,
    filter=ContractFilter,
    order=order_input("Contract", {"PUBLISHED_AT": ("published_at", "The time at which the contract was published.")}),
)
REGISTRATIONS = Listing(
    "Registration",
    registrations.TABLE,
    "registered_at",
    filter=RegistrationFilter,
    order=order_input("Registration", {"REGISTERED_AT": ("registered_at", "The time at which the team registered.")}),
)
PROPOSALS = Listing(
    "Proposal",
    proposals.TABLE,
    "proposed_at",
    descending=True,
    filter=ProposalFilter,
    order=order_input(
        "Proposal",
        {
            "PROPOSED_AT": ("proposed_at", "The time at which the change was proposed."),
            "EXPIRES_AT": ("expires_at", "The time at which the proposal expires."),
        },
    ),
)
ACKNOWLEDGMENTS = Listing(
    "Acknowledgment", proposals.ACKNOWLEDGMENTS, "created_at", filter=AcknowledgmentFilter, order=acknowledgment_order
)
INBOX = Listing(
    "Acknowledgment", proposals.AWAITED, "created_at", filter=AcknowledgmentFilter, order=acknowledgment_order
)
DEPENDENCIES = Listing(
    "AssetDependency",
    lineage.TABLE,
    "created_at",
    filter=DependencyFilter,
    order=order_input("AssetDependency", {"CREATED_AT": CREATED_AT}),
)
