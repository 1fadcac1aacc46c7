"""Reference server for `publishContract` with Strawberry and SQLModel entities in a session.

It has the same locks, checks, rows, event and hash chain as the real server, for compatible changes only.
"""

import os
from typing import Any, cast

import strawberry
from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlmodel import select
from strawberry.asgi import GraphQL

from tessera_gql.diff import check
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.compatibility import Judgement, Terms, judge, next_version, summarize_changes
from tessera_gql.policy.enums import OPEN_STATUSES, ContractStatus, Outcome, RegistrationStatus
from tessera_gql.policy.events import ContractPublished
from tessera_gql.policy.field_history import draft_field_changes, list_column_keys, read_plain_columns
from tessera_gql.store import assets
from tessera_gql.store.database import utc_now
from tessera_gql.store.engine import create_engine
from tessera_gql.store.events import CHANNEL, GENESIS, WRITE_LOCK, compute_hash
from tessera_gql.store.tables import Asset, AssetColumn, Contract, EventRow, FieldChange, Proposal, Registration, Team

engine = create_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)
is_postgresql = engine.dialect.name == "postgresql"

JSON = strawberry.scalar(name="JSON", serialize=lambda value: value, parse_value=lambda value: value)


@strawberry.input(one_of=True)
class AssetRef:
    id: strawberry.ID | None = strawberry.UNSET
    fqn: str | None = strawberry.UNSET


@strawberry.input
class PublishContractInput:
    asset: AssetRef
    schema: strawberry.scalars.JSON


@strawberry.type
class PublishedContract:
    version: str


@strawberry.type
class PublishContractPayload:
    outcome: str
    contract: PublishedContract
    errors: list[str]


async def publish(session: AsyncSession, fqn: str, schema: Any) -> Contract:
    check(schema)
    asset_query = select(Asset).where(Asset.fqn_key == assets.key(fqn)).with_for_update(key_share=True)
    asset = (await session.scalars(cast("Any", asset_query))).one()
    team = await session.get_one(Team, asset.owner_team_id)
    is_open = cast("Any", Proposal.status).in_(OPEN_STATUSES)
    proposals = await session.scalars(cast("Any", select(Proposal).where(Proposal.asset_id == asset.id, is_open)))
    assert proposals.first() is None, "only compatible changes are served here"
    contract_query = select(Contract).where(Contract.asset_id == asset.id, Contract.status == ContractStatus.ACTIVE)
    current = (await session.scalars(cast("Any", contract_query))).one()
    terms = Terms(schema, current.guarantees, current.compatibility_mode)
    judgement = judge(Terms(current.schema_def, current.guarantees, current.compatibility_mode), terms)
    assert not judgement.breaking, "only compatible changes are served here"
    current.status = ContractStatus.DEPRECATED
    await session.flush()
    now = utc_now()
    contract = Contract(
        asset_id=asset.id,
        version=next_version(None, current.version, judgement),
        schema_def=schema,
        guarantees=current.guarantees,
        compatibility_mode=terms.mode,
        status=ContractStatus.ACTIVE,
        change_type=judgement.change_type,
        schema_hash=terms.schema_hash,
        published_by=team.id,
        published_at=max(now, current.published_at),
        meta={},
        created_at=now,
    )
    session.add(contract)
    await session.flush()
    await record_fields(session, contract, judgement)
    reader_query = select(Registration).where(
        Registration.asset_id == asset.id, Registration.status != RegistrationStatus.INACTIVE
    )
    readers = (await session.scalars(cast("Any", reader_query))).all()
    audience = frozenset({reader.consumer_team_id for reader in readers} | {asset.owner_team_id})
    await record(session, _published_event(contract, current, judgement, audience))
    return contract


async def record_fields(session: AsyncSession, contract: Contract, judgement: Judgement) -> None:
    """Record the changed fields, and the columns by which the asset is found, as the real server does."""
    common = {"asset_id": contract.asset_id, "contract_id": contract.id, "changed_at": contract.published_at}
    for draft in draft_field_changes(judgement.changes, is_first=False):
        session.add(FieldChange(**common, **vars(draft)))
    keys = list_column_keys(read_plain_columns(contract.schema_def) or frozenset())
    columns = await session.scalars(cast("Any", select(AssetColumn).where(AssetColumn.asset_id == contract.asset_id)))
    stored = {column.name_key: column for column in columns}
    session.add_all(AssetColumn(asset_id=contract.asset_id, name_key=key) for key in keys - stored.keys())
    for key in stored.keys() - keys:
        await session.delete(stored[key])
    await session.flush()


def _published_event(
    contract: Contract, current: Contract, judgement: Judgement, audience: frozenset[Any]
) -> ContractPublished:
    return ContractPublished(
        audience_team_ids=audience,
        asset_id=contract.asset_id,
        contract_id=contract.id,
        version=contract.version,
        outcome=Outcome.PUBLISHED,
        change_type=contract.change_type,
        mode=contract.compatibility_mode,
        previous_version=current.version,
        previous_mode=current.compatibility_mode,
        replaces=current.id,
        changes=summarize_changes(judgement.changes),
    )


async def record(session: AsyncSession, event: ContractPublished) -> None:
    if is_postgresql:
        await session.execute(select(func.pg_advisory_xact_lock(WRITE_LOCK)))
    latest = select(EventRow).order_by(cast("Any", EventRow.sequence).desc()).limit(1)
    last = (await session.scalars(cast("Any", latest))).first()
    row = EventRow(
        sequence=last.sequence + 1 if last else 1,
        kind=event.kind,
        entity_type=event.entity_type,
        entity_id=event.entity_id,
        asset_id=event.asset_id,
        proposal_id=event.proposal_id,
        teams=sorted(str(team) for team in event.audience_team_ids),
        actor=ANONYMOUS.name,
        payload=event.payload(),
        occurred_at=utc_now(),
        hash="",
    )
    row.hash = compute_hash(last.hash if last else GENESIS, row.model_dump(exclude={"hash"}))
    session.add(row)
    await session.flush()
    if is_postgresql:
        await session.execute(text(f"NOTIFY {CHANNEL}"))


@strawberry.type
class Query:
    server: str = "orm"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def publish_contract(self, input: PublishContractInput) -> PublishContractPayload:  # noqa: A002 - as ours
        async with sessions.begin() as session:
            contract = await publish(session, input.asset.fqn or "", input.schema)
        return PublishContractPayload(
            outcome=Outcome.PUBLISHED, contract=PublishedContract(version=contract.version), errors=[]
        )


app: GraphQL[None, None] = GraphQL(strawberry.Schema(query=Query, mutation=Mutation))
