"""The lists of the graph: what each is read from, filtered by and ordered by."""

import strawberry

from tessera_gql.diff import Mode
from tessera_gql.graphql.filters import DateTimeFilter, EnumFilter, IdFilter, StringFilter, by
from tessera_gql.graphql.pages import Listing, ordering
from tessera_gql.policy.words import (
    ContractStatus,
    DependencyType,
    Evidence,
    ProposalStatus,
    RegistrationStatus,
    ResourceType,
    Response,
)
from tessera_gql.store import assets, contracts, lineage, proposals, registrations, teams


@strawberry.input(description="Which teams.")
class TeamFilter:
    name: StringFilter | None = by("name", "Its name.")
    created_at: DateTimeFilter | None = by("created_at", "When it was created.")


@strawberry.input(description="Which assets.")
class AssetFilter:
    fqn: StringFilter | None = by("fqn", "Its fully qualified name.")
    description: StringFilter | None = by("description", "What is said about it.")
    owner: IdFilter | None = by("owner_team_id", "The owning team.", kind="Team")
    resource_type: EnumFilter[ResourceType] | None = by("resource_type", "What kind of thing it is.")
    compatibility_mode: EnumFilter[Mode] | None = by("compatibility_mode", "The default mode of its contracts.")
    created_at: DateTimeFilter | None = by("created_at", "When it was created.")


@strawberry.input(description="Which contracts.")
class ContractFilter:
    asset: IdFilter | None = by("asset_id", "The asset it is about.", kind="Asset")
    published_by: IdFilter | None = by("published_by", "The team that published it.", kind="Team")
    version: StringFilter | None = by("version", "Its version.")
    status: EnumFilter[ContractStatus] | None = by("status", "Where it is in its life.")
    published_at: DateTimeFilter | None = by("published_at", "When it was published.")


@strawberry.input(description="Which registrations.")
class RegistrationFilter:
    asset: IdFilter | None = by("asset_id", "The asset that is read.", kind="Asset")
    consumer_team: IdFilter | None = by("consumer_team_id", "The team that reads it.", kind="Team")
    consumer_asset: IdFilter | None = by("consumer_asset_id", "The asset it is read for.", kind="Asset")
    status: EnumFilter[RegistrationStatus] | None = by("status", "Where it is in its life.")
    evidence: EnumFilter[Evidence] | None = by("evidence", "How it is known.")
    registered_at: DateTimeFilter | None = by("registered_at", "When it was registered.")


@strawberry.input(description="Which proposals.")
class ProposalFilter:
    asset: IdFilter | None = by("asset_id", "The asset that would change.", kind="Asset")
    proposed_by: IdFilter | None = by("proposed_by", "The team that proposed it.", kind="Team")
    status: EnumFilter[ProposalStatus] | None = by("status", "Where it stands.")
    proposed_at: DateTimeFilter | None = by("proposed_at", "When it was proposed.")
    expires_at: DateTimeFilter | None = by("expires_at", "When it runs out.")


@strawberry.input(description="Which acknowledgments.")
class AcknowledgmentFilter:
    proposal: IdFilter | None = by("proposal_id", "The proposal that asks.", kind="Proposal")
    team: IdFilter | None = by("consumer_team_id", "The team that is asked.", kind="Team")
    response: EnumFilter[Response] | None = by("response", "What it answered.")


@strawberry.input(description="Which dependencies.")
class DependencyFilter:
    type: EnumFilter[DependencyType] | None = by("dependency_type", "What the one does with the other.")
    evidence: EnumFilter[Evidence] | None = by("evidence", "How it is known.")


CREATED = ("created_at", "When it was created.")

team_order = ordering("Team", {"NAME": ("name_key", "The name, whatever the case."), "CREATED_AT": CREATED})
asset_order = ordering("Asset", {"FQN": ("fqn_key", "The fqn, whatever the case."), "CREATED_AT": CREATED})
acknowledgment_order = ordering("Acknowledgment", {"CREATED_AT": ("created_at", "When the team was asked.")})

TEAMS = Listing("Team", teams.rows, "name_key", filter=TeamFilter, order=team_order)
CONSUMERS = Listing("Team", registrations.consumers, "name_key", filter=TeamFilter, order=team_order)
ASSETS = Listing("Asset", assets.rows, "fqn_key", filter=AssetFilter, order=asset_order)
CONTRACTS = Listing(
    "Contract",
    contracts.rows,
    "published_at",
    descending=True,
    filter=ContractFilter,
    order=ordering("Contract", {"PUBLISHED_AT": ("published_at", "When it was published.")}),
)
REGISTRATIONS = Listing(
    "Registration",
    registrations.rows,
    "registered_at",
    filter=RegistrationFilter,
    order=ordering("Registration", {"REGISTERED_AT": ("registered_at", "When it was registered.")}),
)
PROPOSALS = Listing(
    "Proposal",
    proposals.rows,
    "proposed_at",
    descending=True,
    filter=ProposalFilter,
    order=ordering(
        "Proposal",
        {
            "PROPOSED_AT": ("proposed_at", "When it was proposed."),
            "EXPIRES_AT": ("expires_at", "When it runs out."),
        },
    ),
)
ACKNOWLEDGMENTS = Listing(
    "Acknowledgment", proposals.answers, "created_at", filter=AcknowledgmentFilter, order=acknowledgment_order
)
INBOX = Listing(
    "Acknowledgment", proposals.inbox, "created_at", filter=AcknowledgmentFilter, order=acknowledgment_order
)
DEPENDENCIES = Listing(
    "AssetDependency",
    lineage.rows,
    "created_at",
    filter=DependencyFilter,
    order=ordering("AssetDependency", {"CREATED_AT": CREATED}),
)
