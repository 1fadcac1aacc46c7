"""Building of all documents of the search anew from the rows, for migrations and `tessera db reindex`.

It runs on a connection of SQLAlchemy, in one transaction, and reads only columns that the database has already.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Executable, Table, delete, insert, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite

from tessera_gql.policy.enums import ContractStatus
from tessera_gql.policy.search_documents import Columns, columns_of_contract
from tessera_gql.policy.search_terms import list_variants
from tessera_gql.store.compiled import WITHOUT_SCHEMAS
from tessera_gql.store.search_index import (
    ASSETS,
    CONTRACTS,
    DOCUMENTS,
    VARIANTS,
    Drafts,
    Note,
    list_document_terms,
    names_of_proposal,
)
from tessera_gql.store.tables import AssetLabel, Proposal, Team, table

LABELS = table(AssetLabel)
BATCH_SIZE = 1_000


class Source(NamedTuple):
    """The table of a type of documents, and the columns that are read."""

    table: Table
    columns: tuple[str, ...]


SOURCES: Mapping[str, Source] = {
    "Team": Source(table(Team), ("id", "name", "archived_at")),
    "Asset": Source(ASSETS, ("id", "fqn", "description", "owner_team_id", "tier", "archived_at")),
    "Proposal": Source(table(Proposal), ("id", "asset_id", "status", "breaking_changes", "reason", "proposed_version")),
}


def rebuild(connection: Connection, report_progress: Callable[[str], None]) -> int:
    """Replace all documents, and return their number. Writers of the catalog wait until the commit."""
    if connection.dialect.name == "postgresql":
        # In the order in which writers come to the tables. Variants stay, because other processes rely on those that
        # they have seen, and a writer may have found a term just before the lock.
        connection.execute(text("LOCK TABLE core.search_variants, core.search_documents IN SHARE ROW EXCLUSIVE MODE"))
    _execute(connection, delete(DOCUMENTS))
    database_terms, count = set[str](), 0
    for type_name, source in SOURCES.items():
        for rows in _read_batches(connection, source):
            documents = _build_documents(connection, type_name, rows)
            _insert_terms(connection, list_document_terms(documents) - database_terms, database_terms)
            _execute(connection, insert(DOCUMENTS).inline(), documents)
            count += len(documents)
            if len(rows) == BATCH_SIZE:
                report_progress(f"{count:,} documents of the search are built.")
    return count


def _execute(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None) -> Any:
    options = {"schema_translate_map": WITHOUT_SCHEMAS} if connection.dialect.name == "sqlite" else {}
    return connection.execute(statement, rows, execution_options=options)


def _read_batches(connection: Connection, source: Source) -> Iterator[list[dict[str, Any]]]:
    schema = None if connection.dialect.name == "sqlite" else source.table.schema
    existing = {item["name"] for item in inspect(connection).get_columns(source.table.name, schema=schema)}
    columns = [source.table.c[name] for name in source.columns if name in existing]
    statement, last = select(*columns).order_by(source.table.c.id).limit(BATCH_SIZE), None
    while True:
        page = statement if last is None else statement.where(source.table.c.id > last)
        rows = [dict(row) for row in _execute(connection, page).mappings()]
        if not rows:
            return
        yield rows
        last = rows[-1]["id"]


def _build_documents(connection: Connection, type_name: str, rows: Sequence[Mapping[str, Any]]) -> list[Columns]:
    drafts = Drafts()
    for row in rows:
        drafts.add(Note(type_name, row["id"], row, is_new=True))
    if type_name == "Asset":
        asset_ids = [row["id"] for row in rows]
        for contract in _load_contracts(connection, asset_ids):
            drafts.change(contract["asset_id"], columns_of_contract(contract))
        for asset_id, names in _load_labels(connection, asset_ids).items():
            drafts.add(Note(type_name, asset_id, {"labels": names}, is_new=False))
    elif type_name == "Proposal":
        fqns = _load_fqns(connection, {row["asset_id"] for row in rows})
        for document in drafts.new.values():
            document.update(names_of_proposal(fqns[document["asset_id"]]))
    return [*drafts.new.values()]


def _load_contracts(connection: Connection, asset_ids: Sequence[UUID]) -> list[Any]:
    columns = [CONTRACTS.c[name] for name in ("asset_id", "status", "version", "schema_def")]
    is_active = CONTRACTS.c.status == ContractStatus.ACTIVE
    statement = select(*columns).where(is_active, CONTRACTS.c.asset_id.in_(asset_ids))
    return [*_execute(connection, statement).mappings()]


def _load_labels(connection: Connection, asset_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Load the sorted labels of the assets that have some."""
    statement = select(LABELS.c.asset_id, LABELS.c.name).where(LABELS.c.asset_id.in_(asset_ids))
    labels: dict[UUID, list[str]] = {}
    for row in _execute(connection, statement):
        labels.setdefault(row.asset_id, []).append(row.name)
    return {asset_id: sorted(names) for asset_id, names in labels.items()}


def _load_fqns(connection: Connection, asset_ids: set[UUID]) -> dict[UUID, str]:
    statement = select(ASSETS.c.id, ASSETS.c.fqn).where(ASSETS.c.id.in_(asset_ids))
    return {row.id: row.fqn for row in _execute(connection, statement)}


def _insert_terms(connection: Connection, terms: set[str], database_terms: set[str]) -> None:
    database_terms |= terms
    rows = [{"variant": variant, "term": term} for term in sorted(terms) for variant in list_variants(term)]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    if rows:
        _execute(connection, dialect.insert(VARIANTS).on_conflict_do_nothing(), rows)
