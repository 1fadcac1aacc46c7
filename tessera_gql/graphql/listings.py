"""Definitions of the lists in the schema: source, filter, order and default order of each."""

from dataclasses import replace

from tessera_gql.diff import Mode
from tessera_gql.graphql.connections import define_listing
from tessera_gql.graphql.filters import (
    BooleanFilter,
    DateTimeFilter,
    EnumFilter,
    IdFilter,
    NameFilter,
    StringFilter,
    filter_by,
    filter_by_archive,
    filter_by_existence,
    filter_input,
)
from tessera_gql.policy.enums import (
    AcknowledgmentState,
    AssetTier,
    ChangeSetStatus,
    ContractStatus,
    DebtKind,
    DependencyType,
    DeprecationOrigin,
    Evidence,
    ObligationKind,
    ProposalKind,
    ProposalStatus,
    RegistrationStatus,
    ResourceType,
    Response,
)
from tessera_gql.store import (
    assets,
    change_sets,
    comments,
    contracts,
    debts,
    deprecations,
    inbox,
    lineage,
    obligations,
    proposals,
    registrations,
    teams,
    usage,
)

UPDATED_AT = "The time of the latest change of the object itself."


@filter_input("Conditions on teams; a team must meet all of them.")
class TeamFilter:
    name: StringFilter | None = filter_by("name", "The name of the team.")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the team was created.")
    updated_at: DateTimeFilter | None = filter_by("updated_at", UPDATED_AT)
    is_archived: bool | None = filter_by_archive("True for the archived teams only; the others if left out or false.")


@filter_input("Conditions on assets; an asset must meet all of them.")
class AssetFilter:
    fqn: StringFilter | None = filter_by("fqn", "The fully qualified name of the asset.")
    description: StringFilter | None = filter_by("description", "The description of the asset.")
    owner: IdFilter | None = filter_by("owner_team_id", "The owner team of the asset.", type_name="Team")
    resource_type: EnumFilter[ResourceType] | None = filter_by("resource_type", "The kind of object that the asset is.")
    compatibility_mode: EnumFilter[Mode] | None = filter_by(
        "compatibility_mode", "The default compatibility mode of the asset's contracts."
    )
    tier: EnumFilter[AssetTier] | None = filter_by("tier", "The tier of the asset, confirmed or only suggested.")
    is_deprecated: BooleanFilter | None = filter_by_existence(
        "deprecation", "Whether the asset is deprecated as a whole."
    )
    has_open_proposal: BooleanFilter | None = filter_by_existence(
        "open proposal", "Whether a proposal of a breaking change is open."
    )
    consumer: IdFilter | None = filter_by(
        "id", "A team that is registered to read the asset.", type_name="Team", related="consumer"
    )
    column: NameFilter | None = filter_by("id", "The columns that the active contract declares.", related="column")
    label: NameFilter | None = filter_by("id", "The labels of the asset.", related="label")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the asset was created.")
    updated_at: DateTimeFilter | None = filter_by("updated_at", UPDATED_AT)
    is_archived: bool | None = filter_by_archive("True for the archived assets only; the others if left out or false.")


@filter_input("Conditions on contracts; a contract must meet all of them.")
class ContractFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset of the contract.", type_name="Asset")
    published_by: IdFilter | None = filter_by("published_by", "The team that published the contract.", type_name="Team")
    version: StringFilter | None = filter_by("version", "The semantic version of the contract.")
    status: EnumFilter[ContractStatus] | None = filter_by("status", "The stage of the contract's life.")
    published_at: DateTimeFilter | None = filter_by("published_at", "The time at which the contract was published.")


@filter_input("Conditions on registrations; a registration must meet all of them.")
class RegistrationFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset that the consumer reads.", type_name="Asset")
    consumer_team: IdFilter | None = filter_by("consumer_team_id", "The team that reads the asset.", type_name="Team")
    consumer_asset: IdFilter | None = filter_by(
        "consumer_asset_id", "The consumer's asset that the data is read for.", type_name="Asset"
    )
    status: EnumFilter[RegistrationStatus] | None = filter_by("status", "The stage of the registration's life.")
    evidence: EnumFilter[Evidence] | None = filter_by("evidence", "The source of the knowledge about the consumer.")
    registered_at: DateTimeFilter | None = filter_by("registered_at", "The time at which the team registered.")
    updated_at: DateTimeFilter | None = filter_by("updated_at", UPDATED_AT)


@filter_input("Conditions on proposals; a proposal must meet all of them.")
class ProposalFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset whose contract would change.", type_name="Asset")
    proposed_by: IdFilter | None = filter_by("proposed_by", "The team that proposed the change.", type_name="Team")
    status: EnumFilter[ProposalStatus] | None = filter_by("status", "The status of the proposal.")
    kind: EnumFilter[ProposalKind] | None = filter_by("kind", "The kind of the proposal.")
    change_set: IdFilter | None = filter_by("change_set_id", "The change set of the proposal.", type_name="ChangeSet")
    proposed_at: DateTimeFilter | None = filter_by("proposed_at", "The time at which the change was proposed.")
    expires_at: DateTimeFilter | None = filter_by("expires_at", "The time at which the proposal expires.")
    updated_at: DateTimeFilter | None = filter_by("updated_at", UPDATED_AT)


@filter_input("Conditions on change sets; a change set must meet all of them.")
class ChangeSetFilter:
    key: StringFilter | None = filter_by("key", "The natural key of the change set.")
    status: EnumFilter[ChangeSetStatus] | None = filter_by("status", "The status of the change set.")
    opened_by: IdFilter | None = filter_by("opened_by", "The team that opened the change set.", type_name="Team")
    opened_at: DateTimeFilter | None = filter_by("opened_at", "The time at which the change set was opened.")
    updated_at: DateTimeFilter | None = filter_by("updated_at", UPDATED_AT)


@filter_input("Conditions on acknowledgments; an acknowledgment must meet all of them.")
class AcknowledgmentFilter:
    proposal: IdFilter | None = filter_by(
        "proposal_id", "The proposal that the team is asked about.", type_name="Proposal"
    )
    team: IdFilter | None = filter_by("consumer_team_id", "The team that is asked.", type_name="Team")
    response: EnumFilter[Response] | None = filter_by("response", "The response of the team.")
    due_at: DateTimeFilter | None = filter_by("due_at", "The time until which an answer is expected.")


@filter_input("Conditions on the acknowledgments of a team; an acknowledgment must meet all of them.")
class TeamAcknowledgmentFilter(AcknowledgmentFilter):
    state: EnumFilter[AcknowledgmentState] | None = filter_by("state", "What became of the ask.")
    asset: IdFilter | None = filter_by("asset_id", "The asset whose contract would change.", type_name="Asset")
    owner: IdFilter | None = filter_by("owner_team_id", "The owner team of the asset.", type_name="Team")
    change_set: IdFilter | None = filter_by("change_set_id", "The change set of the proposal.", type_name="ChangeSet")


@filter_input("Conditions on what waits for a team; it must meet all of them.")
class InboxGroupFilter:
    team: IdFilter | None = filter_by("consumer_team_id", "The team that is asked.", type_name="Team")
    change_set: IdFilter | None = filter_by("change_set_id", "The change set of the proposals.", type_name="ChangeSet")
    due_at: DateTimeFilter | None = filter_by("due_at", "The earliest time until which an answer is expected.")


@filter_input("Conditions on comments; a comment must meet all of them.")
class CommentFilter:
    team: IdFilter | None = filter_by("team_id", "The team that commented.", type_name="Team")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the comment was added.")


@filter_input("Conditions on debts; a debt must meet all of them.")
class DebtFilter:
    asset: IdFilter | None = filter_by("asset_id", "The asset that the team reads.", type_name="Asset")
    team: IdFilter | None = filter_by(
        "team_id", "The team that was not asked, or that registered the field.", type_name="Team"
    )
    kind: EnumFilter[DebtKind] | None = filter_by("kind", "The reason for the debt.")


@filter_input("Conditions on deprecations; a deprecation must meet all of them.")
class DeprecationFilter:
    path: StringFilter | None = filter_by("path", "The path of the field; empty for the whole asset.")
    origin: EnumFilter[DeprecationOrigin] | None = filter_by("origin", "The source of the deprecation.")
    sunset_at: DateTimeFilter | None = filter_by("sunset_at", "The time at which the field or asset goes.")


@filter_input("Conditions on dependencies; a dependency must meet all of them.")
class DependencyFilter:
    type: EnumFilter[DependencyType] | None = filter_by(
        "dependency_type", "The way in which the dependent asset depends on the other."
    )
    evidence: EnumFilter[Evidence] | None = filter_by("evidence", "The source of the knowledge about the dependency.")


@filter_input("Conditions on observations; an observation must meet all of them.")
class ObservationFilter:
    field: StringFilter | None = filter_by("field", "The path of the field; empty for reads of the whole asset.")
    principal: IdFilter | None = filter_by("principal_id", "The principal that read.", type_name="Principal")
    last_seen: DateTimeFilter | None = filter_by("last_seen", "The time of the latest read.")


@filter_input("Conditions on what a team owes; it must meet all of them.")
class ObligationFilter:
    kind: EnumFilter[ObligationKind] | None = filter_by("kind", "The kind of what is owed.")
    due_at: DateTimeFilter | None = filter_by("due_at", "The due date, the deadline, or the time since a debt is owed.")


CREATED_AT = ("created_at", "The time at which the object was created.")
BY_UPDATE = ("updated_at", UPDATED_AT)

TEAMS = define_listing(
    "Team",
    teams.TABLE,
    TeamFilter,
    {"NAME": ("name_key", "The name of the team, ignoring case."), "CREATED_AT": CREATED_AT, "UPDATED_AT": BY_UPDATE},
)
CONSUMERS = replace(TEAMS, source=registrations.CONSUMER_TEAMS)
ASSETS = define_listing(
    "Asset",
    assets.TABLE,
    AssetFilter,
    {"FQN": ("fqn_key", "The fqn of the asset, ignoring case."), "CREATED_AT": CREATED_AT, "UPDATED_AT": BY_UPDATE},
)
CONTRACTS = define_listing(
    "Contract",
    contracts.TABLE,
    ContractFilter,
    {"PUBLISHED_AT": ("published_at", "The time at which the contract was published.")},
    descending=True,
)
REGISTRATIONS = define_listing(
    "Registration",
    registrations.TABLE,
    RegistrationFilter,
    {"REGISTERED_AT": ("registered_at", "The time at which the team registered."), "UPDATED_AT": BY_UPDATE},
)
PROPOSALS = define_listing(
    "Proposal",
    proposals.TABLE,
    ProposalFilter,
    {
        "PROPOSED_AT": ("proposed_at", "The time at which the change was proposed."),
        "EXPIRES_AT": ("expires_at", "The time at which the proposal expires."),
        "UPDATED_AT": BY_UPDATE,
    },
    descending=True,
)
CHANGE_SETS = define_listing(
    "ChangeSet",
    change_sets.TABLE,
    ChangeSetFilter,
    {"OPENED_AT": ("opened_at", "The time at which the change set was opened."), "UPDATED_AT": BY_UPDATE},
    descending=True,
)
ACKNOWLEDGMENTS = define_listing(
    "Acknowledgment",
    proposals.ACKNOWLEDGMENTS,
    AcknowledgmentFilter,
    {
        "CREATED_AT": ("created_at", "The time at which the team was asked."),
        "DUE_AT": ("due_at", "The time until which an answer is expected."),
    },
)
TEAM_ACKNOWLEDGMENTS = replace(
    ACKNOWLEDGMENTS, source=inbox.TEAM_ACKNOWLEDGMENTS, filter=TeamAcknowledgmentFilter, order_by="due_at"
)
INBOX_GROUPS = define_listing(
    "InboxGroup",
    inbox.INBOX_GROUPS,
    InboxGroupFilter,
    {"DUE_AT": ("due_at", "The earliest time until which an answer is expected.")},
)
ALL_INBOX_GROUPS = replace(INBOX_GROUPS, source=inbox.OWN_GROUPS)
INBOX = replace(ACKNOWLEDGMENTS, source=proposals.AWAITED)
COMMENTS = define_listing("Comment", comments.TABLE, CommentFilter, {"CREATED_AT": CREATED_AT})
DEBTS = define_listing("Debt", debts.OPEN, DebtFilter, {"SINCE": ("since", "The time of the publish.")})
DEBT_INBOX = replace(DEBTS, source=debts.INBOX)
OBLIGATIONS = define_listing(
    "Obligation",
    obligations.OBLIGATIONS,
    ObligationFilter,
    {"DUE_AT": ("due_at", "The due date, the deadline, or the time since which a debt is owed.")},
)
DEPRECATIONS = define_listing(
    "Deprecation",
    deprecations.LIVE,
    DeprecationFilter,
    {"DECLARED_AT": ("declared_at", "The time at which the present sunset was announced.")},
)
DEPENDENCIES = define_listing("AssetDependency", lineage.TABLE, DependencyFilter, {"CREATED_AT": CREATED_AT})
OBSERVATIONS = define_listing(
    "Observation",
    usage.OBSERVATIONS,
    ObservationFilter,
    {
        "LAST_SEEN": ("last_seen", "The time of the latest read."),
        "FIRST_SEEN": ("first_seen", "The time of the first read."),
    },
    descending=True,
)
