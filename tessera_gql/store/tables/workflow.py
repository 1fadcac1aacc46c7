"""Tables of the workflow: registrations, proposals and their answers, debts and idempotency keys."""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlmodel import Field

from tessera_gql.diff import Mode
from tessera_gql.policy import enums
from tessera_gql.store.tables.base import (
    EPOCH,
    JSON_TYPE,
    SEQUENCE_TYPE,
    Base,
    UTCDateTime,
    column,
    enum_column_type,
    foreign_key,
    id_column,
    index_where_set,
    row_version_column,
    time_column,
    unique_where,
    updated_column,
)

IS_OPEN = "status IN ('PENDING', 'APPROVED', 'REJECTED')"
# Two indexes instead of one, because NULLs are distinct in a unique index.
IS_LIVE_FOR_TEAM = "status <> 'INACTIVE' AND consumer_asset_id IS NULL"
IS_LIVE_FOR_ASSET = "status <> 'INACTIVE' AND consumer_asset_id IS NOT NULL"
# Defaults of columns that were added to rows; a new row always has its own values.
DEFAULT_ASK_POLICY = '{"dueDays": 30, "remindDaysBefore": [3, 1], "escalateAfterDays": null, "onSilence": "EXPIRE"}'
REGISTRATION_KEY = ("asset_id", "consumer_team_id", "consumer_asset_id")


class Registration(Base, table=True):
    """A team's declaration that it reads an asset, in any version; null `fields` mean all of them."""

    __tablename__ = "registrations"
    __table_args__ = (
        unique_where("uq_registrations_live", "asset_id", "consumer_team_id", condition=IS_LIVE_FOR_TEAM),
        unique_where("uq_registrations_live_asset", *REGISTRATION_KEY, condition=IS_LIVE_FOR_ASSET),
        sa.Index("ix_registrations_asset_id_registered_at", "asset_id", "registered_at", "id"),
        sa.Index("ix_registrations_registered_at", "registered_at", "id"),
        sa.Index("ix_registrations_updated_at", "updated_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    consumer_team_id: UUID = foreign_key("core.teams.id", index=True)
    consumer_asset_id: UUID | None = foreign_key("core.assets.id", nullable=True, index=True)
    fields: list[str] | None = column(JSON_TYPE, nullable=True)
    pinned_version: str | None = column(Text, nullable=True)
    status: enums.RegistrationStatus = column(enum_column_type(enums.RegistrationStatus))
    evidence: enums.Evidence = column(enum_column_type(enums.Evidence))
    purpose: str | None = column(Text, nullable=True)
    registered_at: datetime = time_column()
    acknowledged_at: datetime | None = time_column(nullable=True)
    meta: dict[str, Any] = column(JSON_TYPE)
    updated_at: datetime = updated_column()
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class ChangeSet(Base, table=True):
    """Proposals of one pull request, manifest or release. `key` is its natural key, such as `host/repo#17`."""

    __tablename__ = "change_sets"
    __table_args__ = (
        sa.UniqueConstraint("key"),
        sa.CheckConstraint("(closed_at IS NULL) = (status = 'OPEN')", name="closed"),
        sa.Index("ix_change_sets_status_opened_at", "status", "opened_at", "id"),
        sa.Index("ix_change_sets_opened_at", "opened_at", "id"),
        sa.Index("ix_change_sets_updated_at", "updated_at", "id"),
        sa.Index("ix_change_sets_status_updated_at", "status", "updated_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    key: str = column(Text)
    title: str | None = column(Text, nullable=True)
    url: str | None = column(Text, nullable=True)
    commit: str | None = column(Text, nullable=True)
    status: enums.ChangeSetStatus = column(enum_column_type(enums.ChangeSetStatus))
    opened_by: UUID | None = foreign_key("core.teams.id", nullable=True, index=True)
    project_id: UUID | None = foreign_key("core.projects.id", nullable=True, index=True)
    opened_at: datetime = time_column()
    closed_at: datetime | None = time_column(nullable=True)
    updated_at: datetime = updated_column()
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class Proposal(Base, table=True):
    """A breaking change that waits for acknowledgments, and the contract published from it; one per asset is open.

    A RETIREMENT has no schema and no version: its change is that the asset's contract ends. `require_explicit_publish`
    keeps an approved proposal for `publishProposal`. `known_columns` are those of the contract to be. If the policy
    demands coverage of what nobody is asked about, `hold` lists what is missing of it, and `coverage_proof` is on what
    the proposal was let go. `informed_team_ids` is null if a server before this column opened it: its event has them.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        unique_where("uq_proposals_open", "asset_id", condition=IS_OPEN),
        sa.UniqueConstraint("contract_id"),
        sa.CheckConstraint("(contract_id IS NOT NULL) = (status = 'PUBLISHED' AND kind = 'CHANGE')", name="published"),
        sa.CheckConstraint("(proposed_schema IS NULL) = (kind = 'RETIREMENT')", name="schema"),
        sa.CheckConstraint("(proposed_version IS NULL) = (kind = 'RETIREMENT')", name="version"),
        sa.CheckConstraint("(resolved_at IS NULL) = (status IN ('PENDING', 'APPROVED', 'REJECTED'))", name="resolved"),
        sa.Index("ix_proposals_asset_id_proposed_at", "asset_id", "proposed_at", "id"),
        sa.Index("ix_proposals_status_proposed_at", "status", "proposed_at", "id"),
        sa.Index("ix_proposals_proposed_at", "proposed_at", "id"),
        sa.Index("ix_proposals_expires_at", "expires_at", "id"),
        sa.Index("ix_proposals_updated_at", "updated_at", "id"),
        sa.Index("ix_proposals_status_expires_at", "status", "expires_at", "id"),
        sa.Index("ix_proposals_status_updated_at", "status", "updated_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    base_contract_id: UUID = foreign_key("core.contracts.id", index=True)
    contract_id: UUID | None = foreign_key("core.contracts.id", nullable=True)
    kind: enums.ProposalKind = Field(
        default=enums.ProposalKind.CHANGE,
        sa_column=sa.Column(enum_column_type(enums.ProposalKind), nullable=False, server_default="CHANGE"),
    )
    change_set_id: UUID | None = foreign_key("workflow.change_sets.id", nullable=True, index=True)
    proposed_schema: Any = column(sa.JSON(none_as_null=True), nullable=True)
    proposed_version: str | None = column(Text, nullable=True)
    guarantees: dict[str, Any] | None = column(JSON_TYPE, nullable=True)
    compatibility_mode: Mode = column(enum_column_type(Mode))
    change_type: enums.ChangeType = column(enum_column_type(enums.ChangeType))
    breaking_changes: list[dict[str, Any]] = column(JSON_TYPE)
    fingerprint: str = column(Text)
    status: enums.ProposalStatus = column(enum_column_type(enums.ProposalStatus))
    reason: str | None = column(Text, nullable=True)
    publish_when_approved: bool = Field(default=False)
    require_explicit_publish: bool = Field(
        default=False, sa_column=sa.Column(sa.Boolean, nullable=False, server_default=sa.false())
    )
    proposed_by: UUID = foreign_key("core.teams.id", index=True)
    proposed_at: datetime = time_column()
    expires_at: datetime = time_column()
    resolved_at: datetime | None = time_column(nullable=True)
    meta: dict[str, Any] = column(JSON_TYPE)
    source: dict[str, str] | None = column(sa.JSON(none_as_null=True), nullable=True)
    known_columns: dict[str, dict[str, str | None]] | None = column(sa.JSON(none_as_null=True), nullable=True)
    unaffected_assets: list[str] | None = column(JSON_TYPE, nullable=True)  # ids of own assets that no longer read it
    required_coverage_days: int | None = column(sa.Integer, nullable=True)
    held_at: datetime | None = time_column(nullable=True)
    hold: list[dict[str, Any]] | None = column(JSON_TYPE, nullable=True)  # {kind, message, principal}
    coverage_proof: dict[str, Any] | None = column(JSON_TYPE, nullable=True)  # {fingerprints, start, reference, waived}
    informed_team_ids: list[str] | None = column(JSON_TYPE, nullable=True)
    updated_at: datetime = updated_column()
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class Acknowledgment(Base, table=True):
    """One asked team's response to a proposal. From `released_at` on it is not required any more.

    `reads` has the fields that the team reads for each fingerprint, `paths` how the change reaches tables made from the
    asset, as far as lineage leads there; null `reads` stand for everything. `policy` is a copy of the policy of silence
    at the time of the ask, with `due_at` as its date. `carried_from` is the acknowledgment whose answer holds for this
    one, `previous_id` an earlier one that did not suffice. `responded_by` is the delegate or escalation team that
    answered for the team. `notified_at` is null until the notification of its change set names the request.
    """

    __tablename__ = "acknowledgments"
    __table_args__ = (
        sa.UniqueConstraint("proposal_id", "consumer_team_id"),
        sa.CheckConstraint("(response IS NULL) = (responded_at IS NULL)", name="responded"),
        sa.CheckConstraint(
            "response IS NULL OR response <> 'MIGRATING' OR migration_deadline IS NOT NULL", name="deadline"
        ),
        sa.Index("ix_acknowledgments_consumer_team_id_response", "consumer_team_id", "response", "proposal_id"),
        index_where_set("ix_acknowledgments_escalated_to", "escalated_to"),
        sa.Index("ix_acknowledgments_consumer_team_id_due_at", "consumer_team_id", "due_at", "id"),
        sa.Index(
            "ix_acknowledgments_unnotified",
            "proposal_id",
            postgresql_where=sa.text("notified_at IS NULL"),
            sqlite_where=sa.text("notified_at IS NULL"),
        ),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    proposal_id: UUID = foreign_key("workflow.proposals.id")
    consumer_team_id: UUID = foreign_key("core.teams.id")
    change_fingerprints: list[str] = column(
        JSON_TYPE
    )  # fingerprints of the breaking changes of fields that the team reads
    response: enums.Response | None = column(enum_column_type(enums.Response), nullable=True)
    migration_deadline: datetime | None = time_column(nullable=True)
    notes: str | None = column(Text, nullable=True)
    responded_at: datetime | None = time_column(nullable=True)
    released_at: datetime | None = time_column(nullable=True)
    released_by: dict[str, Any] | None = column(JSON_TYPE, nullable=True)  # {kind, reference, at}
    reads: dict[str, list[str]] | None = column(JSON_TYPE, nullable=True)
    paths: list[dict[str, Any]] | None = column(JSON_TYPE, nullable=True)  # {fingerprint, steps, is_known}
    policy: dict[str, Any] = column(JSON_TYPE, server_default=DEFAULT_ASK_POLICY)
    asked_at: datetime = column(UTCDateTime(), server_default=EPOCH)
    due_at: datetime = column(UTCDateTime(), server_default=EPOCH)
    remind_at: datetime | None = time_column(nullable=True)  # the next reminder
    escalate_at: datetime | None = time_column(nullable=True)
    carried_from: UUID | None = foreign_key("workflow.acknowledgments.id", nullable=True, index=True)
    previous_id: UUID | None = foreign_key("workflow.acknowledgments.id", nullable=True, index=True)
    responded_by: UUID | None = foreign_key("core.teams.id", nullable=True, index=True)
    escalated_to: UUID | None = foreign_key("core.teams.id", nullable=True)
    overdue_at: datetime | None = time_column(nullable=True)
    reopened_at: datetime | None = time_column(nullable=True)  # the team's registration reopened an approved proposal
    limited_at: datetime | None = time_column(nullable=True)  # it would have done so again, and the team is not asked
    notified_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class Answer(Base, table=True):
    """The latest answer of a team to one change of an asset. It holds for later proposals with the same change.

    `responded_by` is the delegate or escalation team that gave it. From `released_at` on, observed reads prove that the
    migrating team has stopped to read what changes; `released_by` is the evidence.
    """

    __tablename__ = "answers"
    __table_args__ = (sa.Index("ix_answers_asset_id", "asset_id"), {"schema": "workflow"})

    team_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.teams.id"), primary_key=True))
    asset_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.assets.id"), primary_key=True))
    fingerprint: str = Field(sa_column=sa.Column(Text, primary_key=True))
    reads: list[str] | None = column(JSON_TYPE, nullable=True)  # null: everything
    acknowledgment_id: UUID = foreign_key("workflow.acknowledgments.id", index=True)
    response: enums.Response = column(enum_column_type(enums.Response))
    migration_deadline: datetime | None = time_column(nullable=True)
    notes: str | None = column(Text, nullable=True)
    answered_at: datetime = time_column()
    responded_by: UUID | None = foreign_key("core.teams.id", nullable=True, index=True)
    released_at: datetime | None = time_column(nullable=True)
    released_by: dict[str, Any] | None = column(JSON_TYPE, nullable=True)


class AskPolicyRow(Base, table=True):
    """What asks about assets of a tier give: the days to answer, reminders, escalation, and the meaning of silence."""

    __tablename__ = "ask_policies"
    __table_args__ = ({"schema": "workflow"},)

    tier: enums.AssetTier = Field(sa_column=sa.Column(enum_column_type(enums.AssetTier), primary_key=True))
    due_days: int = column(sa.Integer)
    remind_days_before: list[int] = column(JSON_TYPE)
    escalate_after_days: int | None = column(sa.Integer, nullable=True)
    on_silence: enums.OnSilence = column(enum_column_type(enums.OnSilence))
    require_coverage_days: int | None = column(sa.Integer, nullable=True)
    row_version: int = row_version_column()
    updated_at: datetime = time_column()


class Comment(Base, table=True):
    """A remark on a proposal, by a team or (without one) an administrator."""

    __tablename__ = "comments"
    __table_args__ = (
        sa.Index("ix_comments_proposal_id_created_at", "proposal_id", "created_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    proposal_id: UUID = foreign_key("workflow.proposals.id")
    team_id: UUID | None = foreign_key("core.teams.id", nullable=True, index=True)
    author: str = column(Text)
    body: str = column(Text)
    created_at: datetime = time_column()


class Debt(Base, table=True):
    """Something a publish left undone for a team that reads the asset, until it is settled.

    REMOVED_FIELD: the team is still registered for `path`, which the contract removed. UNKNOWN_FIELD: it registered for
    a `path` that no contract ever had. FORCED: it was not asked about the break with `change_fingerprint`. `message` is
    the reason, for people.
    """

    __tablename__ = "debts"
    __table_args__ = (
        unique_where(
            "uq_debts_open", "asset_id", "team_id", "kind", "path", "change_fingerprint", condition="settled_at IS NULL"
        ),
        sa.Index("ix_debts_team_id_since", "team_id", "since", "id"),
        sa.Index("ix_debts_asset_id_since", "asset_id", "since", "id"),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    team_id: UUID = foreign_key("core.teams.id")
    kind: enums.DebtKind = column(enum_column_type(enums.DebtKind))
    path: str = column(Text)  # empty for the whole document
    change_fingerprint: str = column(Text)  # empty unless FORCED
    message: str = column(Text)
    contract_id: UUID | None = foreign_key("core.contracts.id", nullable=True, index=True)
    since: datetime = time_column()
    settled_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class LogVerification(Base, table=True):
    """How far the event log was verified last; one row. Up to `sequence`, whose hash is `hash`, each hash fits.

    From `broken_at` on it doesn't, for the reason `fault`.
    """

    __tablename__ = "log_verifications"
    __table_args__ = (sa.CheckConstraint("id = 1", name="single"), {"schema": "workflow"})

    id: int = Field(sa_column=sa.Column(sa.Integer, primary_key=True, autoincrement=False))
    sequence: int = column(SEQUENCE_TYPE)
    hash: str = column(Text)
    verified_at: datetime = time_column()
    broken_at: int | None = column(SEQUENCE_TYPE, nullable=True)
    fault: str | None = column(Text, nullable=True)


class IdempotencyKey(Base, table=True):
    """The payload that a mutation returned for an idempotency key, which a retry gets again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = ({"schema": "workflow"},)

    actor: str = Field(sa_column=sa.Column(Text, primary_key=True))
    key: str = Field(sa_column=sa.Column(Text, primary_key=True))
    operation: str = column(Text)
    input_hash: str = column(Text)
    answer: dict[str, Any] = column(JSON_TYPE)
    created_at: datetime = time_column()
