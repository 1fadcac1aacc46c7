"""Old events may be archived: anchors end the archived parts, and the triggers let only their events be deleted.

No row of the event log is touched. Proposals keep the teams that they informed, which only events had.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tessera_gql.errors import Conflict

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
works_with = "0013"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
FIXED_COLUMNS = "sequence, first_sequence, hash, file, archived_before, archived_at, archived_by"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema() -> str | None:
    """The schema of the tables; SQLite has none."""
    return None if is_sqlite() else "workflow"


def upgrade() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "event_anchors",
        sa.Column("sequence", sequence, autoincrement=False, nullable=False),
        sa.Column("first_sequence", sequence, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("archived_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_event_anchors")),
        schema=schema(),
    )
    op.add_column("proposals", sa.Column("informed_team_ids", JSON, nullable=True), schema=schema())
    if is_sqlite():
        protect_on_sqlite()
    else:
        protect_on_postgres()


def protect_on_sqlite() -> None:
    op.execute("DROP TRIGGER events_no_delete")
    op.execute(
        "CREATE TRIGGER events_no_delete BEFORE DELETE ON events"
        " WHEN OLD.sequence > coalesce((SELECT max(sequence) FROM event_anchors), 0)"
        " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER event_anchors_founded BEFORE INSERT ON event_anchors"
        " WHEN NOT EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash)"
        " OR NOT EXISTS (SELECT 1 FROM events WHERE sequence > NEW.sequence)"
        " BEGIN SELECT RAISE(ABORT, 'an anchor needs its event and a later one'); END"
    )
    for name, verb in (("update", f"UPDATE OF {FIXED_COLUMNS}"), ("delete", "DELETE")):
        op.execute(
            f"CREATE TRIGGER event_anchors_no_{name} BEFORE {verb} ON event_anchors"
            " BEGIN SELECT RAISE(ABORT, 'event anchors are append-only'); END"
        )


def protect_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION audit.refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF (SELECT max(sequence) FROM deleted) >"
        " coalesce((SELECT max(sequence) FROM workflow.event_anchors), 0)"
        " THEN RAISE EXCEPTION 'events are append-only'; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_no_delete AFTER DELETE ON audit.events REFERENCING OLD TABLE AS deleted"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_deletion()"
    )
    op.execute("DROP TRIGGER events_append_only ON audit.events")
    op.execute(
        "CREATE TRIGGER events_append_only BEFORE UPDATE OR TRUNCATE ON audit.events"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()"
    )
    op.execute(
        "CREATE FUNCTION audit.check_anchor() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NOT EXISTS (SELECT 1 FROM audit.events WHERE sequence = NEW.sequence AND hash = NEW.hash)"
        " OR NOT EXISTS (SELECT 1 FROM audit.events WHERE sequence > NEW.sequence)"
        " THEN RAISE EXCEPTION 'an anchor needs its event and a later one'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_anchors_founded BEFORE INSERT ON workflow.event_anchors"
        " FOR EACH ROW EXECUTE FUNCTION audit.check_anchor()"
    )
    op.execute(
        "CREATE FUNCTION audit.refuse_change_of_anchor() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'event anchors are append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER event_anchors_append_only BEFORE UPDATE OF {FIXED_COLUMNS} OR DELETE OR TRUNCATE"
        " ON workflow.event_anchors FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change_of_anchor()"
    )


def downgrade() -> None:
    anchors = sa.table("event_anchors", sa.column("sequence", sa.Integer()), schema=schema())
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(anchors)):
        raise Conflict(
            "Events of this database are archived, and earlier versions can't verify a log that begins after an anchor."
            " Restore a copy from before the first archive, or stay at this revision."
        )
    if is_sqlite():
        op.execute("DROP TRIGGER events_no_delete")
        op.execute(
            "CREATE TRIGGER events_no_delete BEFORE DELETE ON events"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )
    else:
        op.execute("DROP TRIGGER events_append_only ON audit.events")
        op.execute(
            "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.events"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()"
        )
        op.execute("DROP TRIGGER events_no_delete ON audit.events")
    op.drop_column("proposals", "informed_team_ids", schema=schema())
    op.drop_table("event_anchors", schema=schema())
    if not is_sqlite():
        for name in ("refuse_deletion", "check_anchor", "refuse_change_of_anchor"):
            op.execute(f"DROP FUNCTION audit.{name}()")
