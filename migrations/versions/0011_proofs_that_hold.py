"""Keep who gave an answer, and the proof that a migrating team no longer reads what changes, for later proposals.

Proofs that observed reads have given in open proposals hold from then on.

Revision: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
works_with = "0010"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)
OPEN_STATUSES = ("PENDING", "APPROVED", "REJECTED")
GIVEN = ("response", "migration_deadline", "notes", "responded_by", "released_at", "released_by")


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    return None if is_sqlite() else schema


def qualified(schema: str, name: str) -> str:
    return name if is_sqlite() else f"{schema}.{name}"


def table(name: str, **columns: Any) -> sa.TableClause:
    items = [sa.column(column, type_) for column, type_ in columns.items()]
    return sa.table(name, *items, schema=schema_name("workflow"))


ANSWER = {
    "response": sa.Text(),
    "migration_deadline": TIME,
    "notes": sa.Text(),
    "responded_by": sa.Uuid(),
    "released_at": TIME,
    "released_by": JSON,
}


def copy_responders() -> None:
    answers = table("answers", acknowledgment_id=sa.Uuid(), responded_by=sa.Uuid())
    asks = table("acknowledgments", id=sa.Uuid(), responded_by=sa.Uuid())
    responder = sa.select(asks.c.responded_by).where(asks.c.id == answers.c.acknowledgment_id)
    op.execute(sa.update(answers).values(responded_by=responder.scalar_subquery()))


def copy_proofs() -> None:
    """Store the answers of teams that observed reads have released from open proposals, with the proof."""
    asks = table(
        "acknowledgments",
        id=sa.Uuid(),
        proposal_id=sa.Uuid(),
        consumer_team_id=sa.Uuid(),
        change_fingerprints=JSON,
        reads=JSON,
        responded_at=TIME,
        **ANSWER,
    )
    proposals = table("proposals", id=sa.Uuid(), asset_id=sa.Uuid(), status=sa.Text())
    answers = table(
        "answers",
        team_id=sa.Uuid(),
        asset_id=sa.Uuid(),
        fingerprint=sa.Text(),
        reads=JSON,
        acknowledgment_id=sa.Uuid(),
        answered_at=TIME,
        **ANSWER,
    )
    statement = sa.select(asks, proposals.c.asset_id).join(proposals, proposals.c.id == asks.c.proposal_id)
    is_released = asks.c.released_at.is_not(None) & (asks.c.response == "MIGRATING")
    connection = op.get_bind()
    rows = connection.execute(statement.where(proposals.c.status.in_(OPEN_STATUSES), is_released)).all()
    proven = [row for row in rows if "until" in (row.released_by or {})]
    for row in proven:
        subject = {"team_id": row.consumer_team_id, "asset_id": row.asset_id, "acknowledgment_id": row.id}
        given = {name: getattr(row, name) for name in GIVEN} | {"answered_at": row.responded_at}
        for fingerprint in row.change_fingerprints:
            reads = None if row.reads is None else row.reads.get(fingerprint, [])
            is_same = (answers.c.team_id == row.consumer_team_id) & (answers.c.asset_id == row.asset_id)
            connection.execute(answers.delete().where(is_same, answers.c.fingerprint == fingerprint))
            connection.execute(answers.insert().values(**subject, **given, fingerprint=fingerprint, reads=reads))


def upgrade() -> None:
    schema, name = schema_name("workflow"), "fk_answers_responded_by"
    if is_sqlite():
        op.execute(f"ALTER TABLE answers ADD COLUMN responded_by CHAR(32) CONSTRAINT {name} REFERENCES teams (id)")
    else:
        op.add_column("answers", sa.Column("responded_by", sa.Uuid(), nullable=True), schema=schema)
        columns = (["responded_by"], ["id"])
        op.create_foreign_key(op.f(name), "answers", "teams", *columns, source_schema=schema, referent_schema="core")
    op.create_index("ix_answers_responded_by", "answers", ["responded_by"], schema=schema)
    op.add_column("answers", sa.Column("released_at", TIME, nullable=True), schema=schema)
    op.add_column("answers", sa.Column("released_by", JSON, nullable=True), schema=schema)
    op.add_column("acknowledgments", sa.Column("limited_at", TIME, nullable=True), schema=schema)
    copy_responders()
    copy_proofs()


def downgrade() -> None:
    schema, answers = schema_name("workflow"), qualified("workflow", "answers")
    op.execute(f"DELETE FROM {answers} WHERE released_at IS NOT NULL")  # noqa: S608 - constants
    op.drop_column("acknowledgments", "limited_at", schema=schema)
    op.drop_column("answers", "released_by", schema=schema)
    op.drop_column("answers", "released_at", schema=schema)
    op.drop_index("ix_answers_responded_by", "answers", schema=schema)
    op.drop_column("answers", "responded_by", schema=schema)
