"""Answers that outlive their proposal, policies of silence, column lineage, observed reads, deprecations and comments.

Open acknowledgments are due when their proposal expires, and read everything, as nothing else is known of them.

Revision: 0010
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
works_with = "0010"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)
DEFAULT_POLICY = '{"dueDays": 30, "remindDaysBefore": [3, 1], "escalateAfterDays": null, "onSilence": "EXPIRE"}'
TIERS = ("CRITICAL", "HIGH", "NORMAL", "LOW")
ANSWER_DAYS = 90
RESPONSE_BEFORE = "response IN ('APPROVED', 'MIGRATING', 'BLOCKED')"
RESPONSE_AFTER = "response IN ('APPROVED', 'MIGRATING', 'BLOCKED', 'SILENT')"
EVIDENCE_BEFORE = "evidence IN ('DECLARED', 'DBT_MANIFEST', 'QUERY_LOG')"
EVIDENCE_AFTER = "evidence IN ('DECLARED', 'DBT_MANIFEST', 'OBSERVED')"
SOURCE_CHECK = "usage_source_id IS NULL OR (team_id IS NULL AND project_id IS NULL)"
# The checks of enums that have other values now: table, schema, constraint, before and after.
CHECKS = (
    ("acknowledgments", "workflow", "response", RESPONSE_BEFORE, RESPONSE_AFTER),
    ("registrations", "workflow", "evidence", EVIDENCE_BEFORE, EVIDENCE_AFTER),
    ("asset_dependencies", "core", "evidence", EVIDENCE_BEFORE, EVIDENCE_AFTER),
)


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, name: str) -> str:
    return name if is_sqlite() else f"{schema}.{name}"


def enum_type(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def id_column(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def text_column(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def time_column(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TIME, nullable=nullable)


def row_version() -> sa.Column[Any]:
    return sa.Column("row_version", sa.Integer(), server_default="1", nullable=False)


def foreign_key(table: str, column: str, schema: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [qualified(schema, target)], name=op.f(f"fk_{table}_{column}"))


def primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*(columns or ("id",)), name=op.f(f"pk_{table}"))


def create_index(table: str, schema: str, *columns: str, name: str | None = None, **options: Any) -> None:
    op.create_index(name or f"ix_{table}_{columns[0]}", table, list(columns), schema=schema_name(schema), **options)


def create_usage() -> None:
    core = schema_name("core")
    op.create_table(
        "usage_sources",
        id_column("id"),
        text_column("name"),
        text_column("name_key"),
        sa.Column("covered", JSON, nullable=False),
        row_version(),
        time_column("created_at"),
        primary_key("usage_sources"),
        sa.UniqueConstraint("name_key", name=op.f("uq_usage_sources_name_key")),
        schema=core,
    )
    op.create_table(
        "principal_rules",
        id_column("id"),
        text_column("pattern"),
        id_column("team_id"),
        time_column("created_at"),
        foreign_key("principal_rules", "team_id", "core", "teams.id"),
        primary_key("principal_rules"),
        sa.UniqueConstraint("pattern", name=op.f("uq_principal_rules_pattern")),
        schema=core,
    )
    create_index("principal_rules", "core", "team_id")
    op.create_table(
        "principals",
        id_column("id"),
        id_column("source_id"),
        text_column("name"),
        text_column("name_key"),
        id_column("team_id", nullable=True),
        time_column("created_at"),
        foreign_key("principals", "source_id", "core", "usage_sources.id"),
        foreign_key("principals", "team_id", "core", "teams.id"),
        primary_key("principals"),
        sa.UniqueConstraint("source_id", "name_key", name=op.f("uq_principals_source_id_name_key")),
        schema=core,
    )
    create_index("principals", "core", "team_id")
    op.create_table(
        "observations",
        id_column("id"),
        id_column("principal_id"),
        id_column("asset_id"),
        text_column("field"),
        time_column("first_seen"),
        time_column("last_seen"),
        sa.Column("read_count", sa.BigInteger(), nullable=False),
        sa.Column("longest_pause_seconds", sa.BigInteger(), nullable=False),
        time_column("created_at"),
        foreign_key("observations", "principal_id", "core", "principals.id"),
        foreign_key("observations", "asset_id", "core", "assets.id"),
        primary_key("observations"),
        sa.UniqueConstraint(
            "principal_id", "asset_id", "field", name=op.f("uq_observations_principal_id_asset_id_field")
        ),
        schema=core,
    )
    create_index("observations", "core", "asset_id", "last_seen", name="ix_observations_asset_id_last_seen")
    op.create_table(
        "observation_days",
        id_column("observation_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("read_count", sa.BigInteger(), nullable=False),
        time_column("first_at"),
        time_column("last_at"),
        foreign_key("observation_days", "observation_id", "core", "observations.id"),
        primary_key("observation_days", "observation_id", "day"),
        schema=core,
    )


def create_lineage_and_deprecations() -> None:
    core = schema_name("core")
    op.create_table(
        "column_edges",
        id_column("target_asset_id"),
        text_column("target_column"),
        id_column("source_asset_id"),
        text_column("source_column"),
        sa.Column("kind", enum_type("columnedgekind", "COPIED", "DERIVED", "FILTER"), nullable=False),
        time_column("created_at"),
        sa.CheckConstraint("source_asset_id <> target_asset_id", name=op.f("ck_column_edges_not_itself")),
        foreign_key("column_edges", "target_asset_id", "core", "assets.id"),
        foreign_key("column_edges", "source_asset_id", "core", "assets.id"),
        primary_key("column_edges", "target_asset_id", "target_column", "source_asset_id", "source_column", "kind"),
        schema=core,
    )
    create_index("column_edges", "core", "source_asset_id", "source_column")
    op.create_table(
        "deprecations",
        id_column("id"),
        id_column("asset_id"),
        text_column("path"),
        time_column("sunset_at", nullable=True),
        text_column("replacement", nullable=True),
        text_column("reason", nullable=True),
        sa.Column("origin", enum_type("deprecationorigin", "DECLARED", "SCHEMA", "DBT_MANIFEST"), nullable=False),
        id_column("declared_by"),
        time_column("declared_at"),
        time_column("ended_at", nullable=True),
        sa.Column("reminded_days", JSON, nullable=False),
        row_version(),
        time_column("created_at"),
        foreign_key("deprecations", "asset_id", "core", "assets.id"),
        foreign_key("deprecations", "declared_by", "core", "teams.id"),
        primary_key("deprecations"),
        schema=core,
    )
    is_live = sa.text("ended_at IS NULL")
    create_index(
        "deprecations",
        "core",
        "asset_id",
        "path",
        name="uq_deprecations_live",
        unique=True,
        postgresql_where=is_live,
        sqlite_where=is_live,
    )
    create_index("deprecations", "core", "asset_id", "declared_at", "id", name="ix_deprecations_asset_id_declared_at")
    create_index("deprecations", "core", "declared_by")


def create_answers() -> None:
    workflow = schema_name("workflow")
    op.create_table(
        "answers",
        id_column("team_id"),
        id_column("asset_id"),
        text_column("fingerprint"),
        sa.Column("reads", JSON, nullable=True),
        id_column("acknowledgment_id"),
        sa.Column("response", enum_type("response", "APPROVED", "MIGRATING", "BLOCKED", "SILENT"), nullable=False),
        time_column("migration_deadline", nullable=True),
        text_column("notes", nullable=True),
        time_column("answered_at"),
        foreign_key("answers", "team_id", "core", "teams.id"),
        foreign_key("answers", "asset_id", "core", "assets.id"),
        foreign_key("answers", "acknowledgment_id", "workflow", "acknowledgments.id"),
        primary_key("answers", "team_id", "asset_id", "fingerprint"),
        schema=workflow,
    )
    create_index("answers", "workflow", "asset_id")
    create_index("answers", "workflow", "acknowledgment_id")
    op.create_table(
        "ask_policies",
        sa.Column("tier", enum_type("assettier", *TIERS), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("remind_days_before", JSON, nullable=False),
        sa.Column("escalate_after_days", sa.Integer(), nullable=True),
        sa.Column("on_silence", enum_type("onsilence", "EXPIRE", "APPROVE", "BLOCK", "EXTEND"), nullable=False),
        row_version(),
        time_column("updated_at"),
        primary_key("ask_policies", "tier"),
        schema=workflow,
    )
    op.create_table(
        "comments",
        id_column("id"),
        id_column("proposal_id"),
        id_column("team_id", nullable=True),
        text_column("author"),
        text_column("body"),
        time_column("created_at"),
        foreign_key("comments", "proposal_id", "workflow", "proposals.id"),
        foreign_key("comments", "team_id", "core", "teams.id"),
        primary_key("comments"),
        schema=workflow,
    )
    create_index("comments", "workflow", "proposal_id", "created_at", "id", name="ix_comments_proposal_id_created_at")
    create_index("comments", "workflow", "team_id")


def add_reference(
    table: str, schema: str, column: str, target_schema: str, target: str, check: tuple[str, str] | None = None
) -> None:
    """Add a nullable column with a foreign key and an index, and a check by its name and condition."""
    name = f"fk_{table}_{column}"
    if is_sqlite():
        constraint = f" CONSTRAINT ck_{table}_{check[0]} CHECK ({check[1]})" if check else ""
        reference = f"CONSTRAINT {name} REFERENCES {target} (id)"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} CHAR(32) {reference}{constraint}")
    else:
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True), schema=schema)
        op.create_foreign_key(
            op.f(name), table, target, [column], ["id"], source_schema=schema, referent_schema=target_schema
        )
        if check:
            op.create_check_constraint(op.f(f"ck_{table}_{check[0]}"), table, check[1], schema=schema)
    create_index(table, schema, column)


def add_columns(table: str, schema: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column, schema=schema_name(schema))


def replace_checks(*, forward: bool) -> None:
    """Let the enum columns have their new values, or again the earlier ones."""
    for table, schema, name, before, after in CHECKS:
        old, new = (before, after) if forward else (after, before)
        if is_sqlite():
            edit_sqlite_definition(table, old, new)
        else:
            constraint = op.f(f"ck_{table}_{name}")
            op.drop_constraint(constraint, table, schema=schema, type_="check")
            rename_evidence(table, schema, forward=forward)
            op.create_check_constraint(constraint, table, new, schema=schema)
    if is_sqlite():
        for table, schema, *_ in CHECKS:
            rename_evidence(table, schema, forward=forward)


def rename_evidence(table: str, schema: str, *, forward: bool) -> None:
    if table == "acknowledgments":
        return
    old, new = ("QUERY_LOG", "OBSERVED") if forward else ("OBSERVED", "QUERY_LOG")
    op.execute(
        sa.update(sa.table(table, sa.column("evidence"), schema=schema_name(schema)))
        .where(sa.column("evidence") == old)
        .values(evidence=new)
    )


def edit_sqlite_definition(table: str, old: str, new: str) -> None:
    """Edit the stored definition of a table, because SQLite can't alter a constraint."""
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    definitions = sa.table("sqlite_master", sa.column("name", sa.Text()), sa.column("sql", sa.Text()))
    edited = connection.execute(
        sa.update(definitions)
        .where(definitions.c.name == table, sa.func.instr(definitions.c.sql, old) > 0)
        .values(sql=sa.func.replace(definitions.c.sql, old, new))
    )
    if edited.rowcount != 1:
        raise RuntimeError(f"The definition of the table {table} has no {old}.")
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def extend_catalog() -> None:
    add_reference("teams", "core", "delegate_team_id", "core", "teams")
    add_reference("teams", "core", "escalation_team_id", "core", "teams")
    add_columns(
        "teams", "core", time_column("delegate_until", nullable=True), time_column("archived_at", nullable=True)
    )
    tier_check = f"tier IN ({', '.join(map(repr, TIERS))})"
    if is_sqlite():
        constraint = f"CONSTRAINT ck_assets_assettier CHECK ({tier_check})"
        op.execute(f"ALTER TABLE assets ADD COLUMN tier VARCHAR(32) DEFAULT 'NORMAL' NOT NULL {constraint}")
    else:
        tier = sa.Column("tier", sa.String(32), server_default="NORMAL", nullable=False)
        op.add_column("assets", tier, schema="core")
        op.create_check_constraint(op.f("ck_assets_assettier"), "assets", tier_check, schema="core")
    confirmed = sa.Column("is_tier_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False)
    add_columns("assets", "core", confirmed, time_column("archived_at", nullable=True))
    add_reference("assets", "core", "superseded_by_id", "core", "assets")
    add_reference("api_keys", "core", "usage_source_id", "core", "usage_sources", ("source", SOURCE_CHECK))


def extend_acknowledgments() -> None:
    add_columns("proposals", "workflow", sa.Column("unaffected_assets", JSON, nullable=True))
    columns = [sa.Column(name, JSON, nullable=True) for name in ("released_by", "reads", "paths")]
    policy = sa.Column("policy", JSON, server_default=DEFAULT_POLICY, nullable=False)
    epoch = sa.text("'2000-01-01 00:00:00.000000'" if is_sqlite() else "'2000-01-01 00:00:00+00'")
    times = [sa.Column(name, TIME, server_default=epoch, nullable=False) for name in ("asked_at", "due_at")]
    names = ("overdue_at", "remind_at", "escalate_at", "reopened_at", "notified_at")
    later = [time_column(name, nullable=True) for name in names]
    add_columns("acknowledgments", "workflow", *columns, policy, *times, *later)
    for column in ("carried_from", "previous_id"):
        add_reference("acknowledgments", "workflow", column, "workflow", "acknowledgments")
    for column in ("responded_by", "escalated_to"):
        add_reference("acknowledgments", "workflow", column, "core", "teams")
    acknowledgments, proposals = qualified("workflow", "acknowledgments"), qualified("workflow", "proposals")
    expiry = f"SELECT expires_at FROM {proposals} WHERE {proposals}.id = {acknowledgments}.proposal_id"  # noqa: S608
    columns, values = "(asked_at, notified_at, due_at)", f"(created_at, created_at, ({expiry}))"
    op.execute(f"UPDATE {acknowledgments} SET {columns} = {values}")  # noqa: S608 - constants
    is_unnotified = sa.text("notified_at IS NULL")
    create_index(
        "acknowledgments",
        "workflow",
        "proposal_id",
        name="ix_acknowledgments_unnotified",
        postgresql_where=is_unnotified,
        sqlite_where=is_unnotified,
    )


def extend_migrations() -> None:
    """Keep open proposals open for a week behind the deadline of each migration."""
    acknowledgments, proposals = qualified("workflow", "acknowledgments"), qualified("workflow", "proposals")
    deadline = "a.migration_deadline"
    later = (
        f"datetime({deadline}, '+7 days') || substr({deadline}, 20)"
        if is_sqlite()
        else f"{deadline} + interval '7 days'"
    )
    end = (
        f"SELECT max({later}) FROM {acknowledgments} a WHERE a.proposal_id = {proposals}.id"  # noqa: S608 - constants
        " AND a.response = 'MIGRATING' AND a.released_at IS NULL"
    )
    op.execute(
        f"UPDATE {proposals} SET (expires_at, row_version) = (({end}), row_version + 1)"  # noqa: S608 - constants
        f" WHERE resolved_at IS NULL AND expires_at < ({end})"
    )


def plan_reminders() -> None:
    """Plan the next reminder of teams that have not answered: three days and one day before the due date."""
    acknowledgments = qualified("workflow", "acknowledgments")
    three, one = (
        (
            f"datetime(due_at, '-{days} days') || substr(due_at, 20)"
            if is_sqlite()
            else f"due_at - interval '{days} days'"
        )
        for days in (3, 1)
    )
    now = "datetime('now')" if is_sqlite() else "now()"
    op.execute(
        f"UPDATE {acknowledgments} SET (remind_at, escalate_at) = (CASE WHEN {three} > {now} THEN {three}"  # noqa: S608
        f" WHEN {one} > {now} THEN {one} END, NULL) WHERE response IS NULL AND released_at IS NULL"
    )


def copy_answers() -> None:
    """Keep the answers to open proposals, and to replaced ones while their time lasts, by change.

    A change that was published since has used them up, and a migration that was proven has ended.
    """
    connection = op.get_bind()
    acknowledgments, proposals = qualified("workflow", "acknowledgments"), qualified("workflow", "proposals")
    since = f"datetime('now', '-{ANSWER_DAYS} days')" if is_sqlite() else f"now() - interval '{ANSWER_DAYS} days'"
    rows = connection.exec_driver_sql(
        "SELECT a.id, a.consumer_team_id, p.asset_id, a.change_fingerprints, a.response, a.migration_deadline,"  # noqa: S608
        f" a.notes, a.responded_at FROM {acknowledgments} a JOIN {proposals} p ON p.id = a.proposal_id"
        f" WHERE a.response IS NOT NULL AND p.status <> 'PUBLISHED' AND a.responded_at > {since}"
        " AND (a.response <> 'MIGRATING' OR a.released_at IS NULL)"
        " ORDER BY a.responded_at, a.id"
    ).all()
    published = load_published(proposals, since)
    answers: dict[tuple[Any, ...], dict[str, Any]] = {}
    for identity, team, asset, fingerprints, response, deadline, notes, answered_at in rows:
        ended = published.get(asset, ())
        for fingerprint in read_json(fingerprints):
            if any(at >= answered_at and (changes is None or fingerprint in changes) for at, changes in ended):
                continue
            answers[team, asset, fingerprint] = {
                "team_id": team,
                "asset_id": asset,
                "fingerprint": fingerprint,
                "acknowledgment_id": identity,
                "response": response,
                "migration_deadline": deadline,
                "notes": notes,
                "answered_at": answered_at,
            }
    if answers:
        names = list(next(iter(answers.values())))
        values = ", ".join(f":{name}" for name in names)
        statement = f"INSERT INTO {qualified('workflow', 'answers')} ({', '.join(names)}) VALUES ({values})"  # noqa: S608
        connection.execute(sa.text(statement), list(answers.values()))


def load_published(proposals: str, since: str) -> dict[Any, list[tuple[Any, set[str] | None]]]:
    """Load when which changes of an asset were published; None stands for all of them, after a retirement."""
    published: dict[Any, list[tuple[Any, set[str] | None]]] = {}
    rows = op.get_bind().exec_driver_sql(
        f"SELECT asset_id, resolved_at, kind, breaking_changes FROM {proposals}"  # noqa: S608 - constants
        f" WHERE status = 'PUBLISHED' AND resolved_at > {since}"
    )
    for asset, at, kind, changes in rows:
        fingerprints = None if kind == "RETIREMENT" else {item["fingerprint"] for item in read_json(changes)}
        published.setdefault(asset, []).append((at, fingerprints))
    return published


def read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def upgrade() -> None:
    create_usage()
    create_lineage_and_deprecations()
    create_answers()
    extend_catalog()
    extend_migrations()
    extend_acknowledgments()
    replace_checks(forward=True)
    plan_reminders()
    copy_answers()


def drop_references(table: str, schema: str, *columns: str) -> None:
    for column in columns:
        op.drop_index(f"ix_{table}_{column}", table, schema=schema_name(schema))
        op.drop_column(table, column, schema=schema_name(schema))


def downgrade() -> None:
    for table in ("comments", "ask_policies", "answers"):
        op.drop_table(table, schema=schema_name("workflow"))
    acknowledgments = qualified("workflow", "acknowledgments")
    no_answer = "response = NULL, responded_at = NULL, notes = NULL"
    op.execute(f"UPDATE {acknowledgments} SET {no_answer} WHERE response = 'SILENT'")  # noqa: S608 - constants
    drop_references("acknowledgments", "workflow", "carried_from", "previous_id", "responded_by", "escalated_to")
    op.drop_index("ix_acknowledgments_unnotified", "acknowledgments", schema=schema_name("workflow"))
    times = ("overdue_at", "remind_at", "escalate_at", "reopened_at", "notified_at", "asked_at", "due_at")
    for column in (*times, "policy", "released_by", "reads", "paths"):
        op.drop_column("acknowledgments", column, schema=schema_name("workflow"))
    op.drop_column("proposals", "unaffected_assets", schema=schema_name("workflow"))
    replace_checks(forward=False)
    keys = qualified("core", "api_keys")
    op.execute(f"DELETE FROM {keys} WHERE usage_source_id IS NOT NULL")  # noqa: S608 - constants
    if not is_sqlite():
        op.drop_constraint(op.f("ck_api_keys_source"), "api_keys", schema="core", type_="check")
        op.drop_constraint(op.f("ck_assets_assettier"), "assets", schema="core", type_="check")
    drop_references("api_keys", "core", "usage_source_id")
    drop_references("assets", "core", "superseded_by_id")
    for column in ("archived_at", "is_tier_confirmed", "tier"):
        op.drop_column("assets", column, schema=schema_name("core"))
    drop_references("teams", "core", "delegate_team_id", "escalation_team_id")
    for column in ("archived_at", "delegate_until"):
        op.drop_column("teams", column, schema=schema_name("core"))
    tables = ("deprecations", "column_edges", "observation_days", "observations", "principals", "principal_rules")
    for table in (*tables, "usage_sources"):
        op.drop_table(table, schema=schema_name("core"))
