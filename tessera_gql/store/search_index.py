"""The index of the search, kept up by each transaction that writes teams, assets, contracts or proposals.

A session notes what it writes; before the commit `flush` writes the documents that change. So no statement is read
twice, and a document is never older than its row.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Insert, Text, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from tessera_gql.policy.enums import ContractStatus
from tessera_gql.policy.search_documents import (
    EMPTY,
    SEARCHED_TYPES,
    Columns,
    SearchPart,
    columns_of,
    columns_of_contract,
    mark_terms,
    to_title,
)
from tessera_gql.policy.search_terms import FULL, list_variants
from tessera_gql.store.compiled import PreparedQuery, ValueList
from tessera_gql.store.tables import Asset, Contract, SearchDocument, SearchVariant, table

if TYPE_CHECKING:
    from tessera_gql.store.session import Session

DOCUMENTS = table(SearchDocument)
VARIANTS = table(SearchVariant)
ASSETS = table(Asset)
CONTRACTS = table(Contract)

PARTS = ("names", "columns", "labels", "body")
"""The columns of a document that hold marked terms."""
NAME_COLUMNS = ("title", "leaf", "names")
MAX_KNOWN_TERMS = 100_000
MAX_UNCHECKED_TERMS = 10
"""Terms that are inserted without looking first whether they exist; more of them are mostly no new ones."""
BATCH_SIZE = 100
"""Documents that are built between two turns of other tasks."""


class Note(NamedTuple):
    """Values that a transaction wrote to a row, all of them if it is new."""

    type_name: str
    row_id: UUID
    values: Mapping[str, Any]
    is_new: bool


@dataclass
class Drafts:
    """The columns of documents to write: whole ones to insert, and parts of others to update."""

    new: dict[UUID, Columns] = field(default_factory=dict[UUID, Columns])
    changed: dict[UUID, Columns] = field(default_factory=dict[UUID, Columns])

    def add(self, note: Note) -> None:
        """Add what follows from a note for the document of its row."""
        columns = columns_of(note.type_name, note.values)
        if not note.is_new:
            # An ended proposal never opens again, so an open status changes nothing.
            self.change(
                note.row_id, {} if note.type_name == "Proposal" and columns == {"is_current": True} else columns
            )
            return
        fresh: Columns = {"title": "", "leaf": "", "tier": None, "owner_team_id": None, "asset_id": None}
        identity = {"entity_id": note.row_id, "type": note.type_name, "is_current": True}
        self.new[note.row_id] = {**fresh, **EMPTY, **identity, **columns, "asset_id": _asset_of(note)}

    def change(self, entity_id: UUID, columns: Columns) -> None:
        """Add columns of a document that may be new."""
        if not columns:
            return
        target = self.new if entity_id in self.new else self.changed
        target[entity_id] = {**target.get(entity_id, {}), **columns}


def _asset_of(note: Note) -> UUID | None:
    return note.values["asset_id"] if note.type_name == "Proposal" else None


def note_inserts(session: "Session", model: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    """Note inserted rows, of any table."""
    name = model.__name__
    if name == "Contract":
        active = (row for row in rows if row["status"] is ContractStatus.ACTIVE)
        session.search_notes.extend(Note(name, row["asset_id"], row, is_new=True) for row in active)
    elif name in SEARCHED_TYPES:
        session.search_notes.extend(Note(name, row["id"], row, is_new=True) for row in rows)


def note_update(session: "Session", model: type[SQLModel], row_id: UUID, values: Mapping[str, Any]) -> None:
    """Note the new values of a row, of any table."""
    name = model.__name__
    if name in SEARCHED_TYPES or (name == "Contract" and "status" in values):
        session.search_notes.append(Note(name, row_id, values, is_new=False))


def note_labels(session: "Session", asset_id: UUID, names: Iterable[str]) -> None:
    """Note all labels that an asset has now."""
    session.search_notes.append(Note("Asset", asset_id, {"labels": sorted(names)}, is_new=False))


async def flush(session: "Session") -> None:
    """Write the documents of all that the session noted."""
    if not session.search_notes:
        return
    drafts = await _draft(session)
    session.search_notes.clear()
    await _name_proposals(session, drafts)
    # Terms come before documents in every transaction, and in a rebuild, so that two of them never deadlock.
    documents = [*drafts.new.values(), *drafts.changed.values()]
    terms = set[str]()
    for start in range(0, len(documents), BATCH_SIZE):
        terms |= list_document_terms(documents[start : start + BATCH_SIZE])
        await asyncio.sleep(0)
    await _insert_terms(session, terms)
    for entity_id, columns in drafts.changed.items():
        if "title" in columns:
            await _rename_proposals(session, entity_id, columns)
    await _insert(session, [*drafts.new.values()])
    await _update(session, drafts.changed)


async def _draft(session: "Session") -> Drafts:
    drafts, ended = Drafts(), set[UUID]()
    for number, note in enumerate(session.search_notes):
        if number % BATCH_SIZE == BATCH_SIZE - 1:
            await asyncio.sleep(0)
        if note.type_name != "Contract":
            drafts.add(note)
        elif note.is_new:
            drafts.change(note.row_id, columns_of_contract(note.values))
        elif note.values["status"] is ContractStatus.RETIRED:
            ended.add(note.row_id)
    for asset_id in await _find_assets_without_contract(session, ended):
        drafts.change(asset_id, columns_of_contract({"status": ContractStatus.RETIRED}))
    return drafts


async def _find_assets_without_contract(session: "Session", contract_ids: set[UUID]) -> list[UUID]:
    """Find the assets of ended contracts that have no active one."""
    if not contract_ids:
        return []
    of_ended = select(CONTRACTS.c.asset_id).where(session.in_values(CONTRACTS.c.id, sorted(contract_ids)))
    of_active = select(CONTRACTS.c.asset_id).where(CONTRACTS.c.status == ContractStatus.ACTIVE)
    statement = of_ended.where(CONTRACTS.c.asset_id.not_in(of_active.where(CONTRACTS.c.asset_id.in_(of_ended))))
    return [row.asset_id for row in await session.rows(statement.distinct())]


def names_of_proposal(fqn: str) -> Columns:
    """Return the columns of a proposal's document that follow from its asset's name."""
    return {
        "title": to_title(fqn),
        "leaf": to_title(fqn.rpartition(".")[2]),
        "names": mark_terms(SearchPart.NAME, [fqn]),
    }


async def _name_proposals(session: "Session", drafts: Drafts) -> None:
    proposals = [columns for columns in drafts.new.values() if columns["asset_id"] is not None]
    if not proposals:
        return
    asset_ids = {columns["asset_id"] for columns in proposals}
    names: dict[UUID, Columns] = {}
    for asset_id, fqn in (await _load_fqns(session, asset_ids)).items():
        names[asset_id] = names_of_proposal(fqn)
    for columns in proposals:
        asset_id = columns["asset_id"]
        renamed = drafts.changed.get(asset_id, {})
        columns.update({name: renamed[name] for name in NAME_COLUMNS} if "title" in renamed else names[asset_id])


async def _load_fqns(session: "Session", asset_ids: set[UUID]) -> dict[UUID, str]:
    """Return the names of assets; those that the transaction has locked need no statement."""
    fqns = {asset_id: session.asset_fqns[asset_id] for asset_id in asset_ids & session.asset_fqns.keys()}
    if missing := sorted(asset_ids - fqns.keys()):
        statement = select(ASSETS.c.id, ASSETS.c.fqn).where(session.in_values(ASSETS.c.id, missing))
        fqns |= {row.id: row.fqn for row in await session.rows(statement)}
    return fqns


async def _rename_proposals(session: "Session", asset_id: UUID, columns: Columns) -> None:
    names = {name: columns[name] for name in NAME_COLUMNS}
    await session.execute(update(DOCUMENTS).where(DOCUMENTS.c.asset_id == asset_id).values(**names))


def list_document_terms(documents: Sequence[Columns]) -> set[str]:
    """Return the distinct terms of documents, without marks."""
    return {marked[1:] for columns in documents for part in PARTS for marked in columns.get(part, "").split()}


async def _insert_terms(session: "Session", terms: set[str]) -> None:
    """Insert the variants of the terms that are new, in one order, so that two transactions never deadlock."""
    database_terms = session.known_terms
    if not (unknown := terms - database_terms):
        return
    if len(database_terms) > MAX_KNOWN_TERMS:
        database_terms.clear()
    if len(unknown) > MAX_UNCHECKED_TERMS:
        existing = await _find_terms(session, unknown)
        database_terms |= existing
        unknown -= existing
    if unknown:
        await _insert_variants(session, sorted((variant, term) for term in unknown for variant in list_variants(term)))
        session.new_terms |= unknown


async def _find_terms(session: "Session", terms: set[str]) -> set[str]:
    keys = [FULL + term for term in sorted(terms)]
    rows = await session.rows(select(VARIANTS.c.term).where(session.in_values(VARIANTS.c.variant, keys)))
    return {row.term for row in rows}


async def _insert_variants(session: "Session", pairs: Sequence[tuple[str, str]]) -> None:
    if session.dialect == "sqlite":
        rows = [{"variant": variant, "term": term} for variant, term in pairs]
        await session.execute(sqlite.insert(VARIANTS).on_conflict_do_nothing(), rows)
        return
    variants, terms = zip(*pairs, strict=True)
    await session.run(_INSERT_VARIANTS, variants=variants, terms=terms)


def _build_variants_insert(_dialect: str) -> Insert:
    columns = (bindparam(name, type_=ValueList(Text())) for name in ("variants", "terms"))
    source = func.unnest(*columns).table_valued("variant", "term").render_derived()
    statement: Any = postgresql.insert(VARIANTS).from_select(["variant", "term"], select(source))
    return cast("Insert", statement.on_conflict_do_nothing())


_INSERT_VARIANTS = PreparedQuery(_build_variants_insert)


async def _insert(session: "Session", rows: Sequence[Columns]) -> None:
    if len(rows) > 1 and session.dialect == "postgresql":
        await session.append(DOCUMENTS, rows)
    elif rows:
        await session.execute(insert(DOCUMENTS).inline(), rows)


async def _update(session: "Session", changed: Mapping[UUID, Columns]) -> None:
    by_names: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entity_id in sorted(changed):
        columns = changed[entity_id]
        by_names.setdefault(tuple(sorted(columns)), []).append({"of_entity": entity_id, **columns})
    for names, rows in by_names.items():
        await session.run_many(_prepare_update(names), rows)


@lru_cache
def _prepare_update(names: tuple[str, ...]) -> PreparedQuery:
    statement = update(DOCUMENTS).where(DOCUMENTS.c.entity_id == bindparam("of_entity"))
    return PreparedQuery(lambda _dialect: statement.values(**{name: bindparam(name) for name in names}))
