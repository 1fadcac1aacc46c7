"""What the database knows of a manifest's tables, in one statement, so that an unchanged manifest costs no more."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from sqlalchemy import select

from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy.words import ContractStatus
from tessera_gql.store import assets, contracts
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract

DBT = "dbt"


@dataclass(frozen=True, slots=True)
class Known:
    """An asset that is there; `stamp` and `settled` are what a sync left: what dbt said, and the version it became."""

    id: UUID
    owner: UUID
    stamp: str | None
    settled: str | None
    contract_id: UUID | None
    version: str | None


@dataclass
class State:
    """`known` and `owners` by fqn; `owners` has those of the tables that are about to be created as well."""

    manifest: Manifest
    known: Mapping[str, Known]
    owners: dict[str, UUID] = field(default_factory=dict[str, UUID])
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def crossing(self, model: Model) -> list[str]:
        """The upstream tables that belong to other teams."""
        owner = self.owners.get(model.fqn)
        return [fqn for fqn in model.depends_on if self.owners.get(fqn, owner) != owner]

    def stamp(self, model: Model) -> str:
        """Equal where a sync would do nothing new; the query counts only where it reads tables of other teams."""
        crossing = self.crossing(model)
        if not crossing:
            return model.fingerprint
        read = [[fqn, str(self.owners[fqn]), self.columns.get(fqn, ())] for fqn in crossing]
        facts = [model.fingerprint, str(self.owners[model.fqn]), model.compiled_code, read]
        return hashlib.blake2b(orjson.dumps(facts), digest_size=16).hexdigest()

    def is_unchanged(self, model: Model) -> bool:
        known = self.known.get(model.fqn)
        return (
            known is not None
            and known.version is not None
            and known.version == known.settled
            and known.stamp == self.stamp(model)
        )


async def load(session: Session, manifest: Manifest, models: Sequence[Model]) -> State:
    """Locks nothing: whoever changes an asset locks it and loads again."""
    rows, versions = assets.rows, contracts.rows
    active = (versions.c.asset_id == rows.c.id) & (versions.c.status == ContractStatus.ACTIVE)
    statement = (
        select(
            rows.c.fqn_key,
            rows.c.id,
            rows.c.owner_team_id,
            rows.c.meta[DBT, "fingerprint"].as_string().label("fingerprint"),
            rows.c.meta[DBT, "contract"].as_string().label("contract"),
            versions.c.id.label("contract_id"),
            versions.c.version,
        )
        .select_from(rows.outerjoin(versions, active))
        .where(session.among(rows.c.fqn_key, [assets.key(model.fqn) for model in models]))
    )
    read = await session.rows(statement)
    found = {
        row.fqn_key: Known(row.id, row.owner_team_id, row.fingerprint, row.contract, row.contract_id, row.version)
        for row in read
    }
    known = {model.fqn: one for model in models if (one := found.get(assets.key(model.fqn)))}
    return State(
        manifest,
        known,
        owners={fqn: one.owner for fqn, one in known.items()},
        columns={model.fqn: model.columns for model in models},
    )


@dataclass(frozen=True)
class Gone:
    """An asset that an earlier manifest of the project had and this one has not."""

    id: UUID
    fqn: str
    owner: UUID
    contract_id: UUID | None


async def gone(session: Session, manifest: Manifest) -> list[Gone]:
    """In the order of fqns. A manifest that names no project can't tell what it lost."""
    if manifest.project is None:
        return []
    rows, versions = assets.rows, contracts.rows
    active = (versions.c.asset_id == rows.c.id) & (versions.c.status == ContractStatus.ACTIVE)
    present = session.among(rows.c.fqn_key, [assets.key(model.fqn) for model in manifest.models])
    statement = (
        select(rows.c.id, rows.c.fqn, rows.c.owner_team_id, versions.c.id.label("contract_id"))
        .select_from(rows.outerjoin(versions, active))
        .where(rows.c.meta[DBT, "project"].as_string() == manifest.project, ~present)
        .order_by(rows.c.fqn_key)
    )
    found = await session.rows(statement)
    return [Gone(row.id, row.fqn, row.owner_team_id, row.contract_id) for row in found]


async def describe(session: Session, fqns: Sequence[str]) -> dict[str, Asset]:
    """Whole assets, locked, by fqn key."""
    rows = assets.rows
    statement = select(rows).where(session.among(rows.c.fqn_key, [assets.key(fqn) for fqn in fqns])).order_by(rows.c.id)
    found = await session.list(statement.with_for_update(key_share=True), Asset)
    return {one.fqn_key: one for one in found}


def promised(contract: Contract) -> tuple[str, ...]:
    """The columns of a contract: a query may still read one that the manifest has dropped."""
    schema = contract.schema_def
    return tuple(schema.get("properties") or ()) if isinstance(schema, dict) else ()
