"""After any history of changes the index of the search is the one that a rebuild from the rows gives."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select, text
from sqlmodel import SQLModel

from tessera_gql.errors import Refusal
from tessera_gql.policy.enums import AssetTier, ProposalStatus, Response
from tessera_gql.policy.search_terms import list_variants
from tessera_gql.store import migration, search_index
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.search_index import DOCUMENTS, PARTS, VARIANTS, list_document_terms
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, comments
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.labels import set_labels
from tests.conftest import FixedClock
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import run_sync, team_table
from tests.world import World

M = TypeVar("M", bound=SQLModel)

WORDS = ("order", "customer", "refund", "ledger", "stock", "city", "price", "über", "q1", "churn")
STEPS = 120


async def load_documents(database: Database) -> list[dict[str, Any]]:
    """All documents without their numbers, which a rebuild may change."""
    names = [column.key for column in DOCUMENTS.c if column.key != "number"]
    async with database.read() as session:
        rows = await session.rows(select(*(DOCUMENTS.c[name] for name in names)).order_by(DOCUMENTS.c.entity_id))
    return [{name: getattr(row, name) for name in names} for row in rows]


async def load_variants(database: Database) -> set[tuple[str, str]]:
    async with database.read() as session:
        return {(row.variant, row.term) for row in await session.rows(select(VARIANTS.c.variant, VARIANTS.c.term))}


async def assert_index_is_whole(database: Database) -> None:
    """Assert that documents, the words of the vocabulary and the inverted index are those of the rows."""
    documents = await load_documents(database)
    terms = list_document_terms(documents)
    needed = {(variant, term) for term in terms for variant in list_variants(term)}
    assert needed - await load_variants(database) == set(), "words are missing in the vocabulary"
    await assert_inverted_index_matches(database)
    await migration.reindex(database.url)
    assert documents == await load_documents(database)
    await assert_inverted_index_matches(database)


async def assert_inverted_index_matches(database: Database) -> None:
    """Assert that every term leads to the documents that hold it, by the index alone."""
    if database.dialect == "sqlite":  # FTS5 compares the index with the documents itself
        async with database.write() as session:
            await session.execute(text("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)"))
        return
    parts = func.concat_ws(" ", *(DOCUMENTS.c[part] for part in PARTS))
    async with database.write() as session:
        rows = await session.rows(select(DOCUMENTS.c.number, parts.label("terms")))
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        for term in {term for row in rows for term in row.terms.split()}:
            expected = {row.number for row in rows if term in row.terms.split()}
            has_term = func.core.search_terms(*(DOCUMENTS.c[part] for part in PARTS)).bool_op("@>")(
                func.string_to_array(term, " ")
            )
            numbers = {row.number for row in await session.rows(select(DOCUMENTS.c.number).where(has_term))}
            assert numbers == expected, term


class History:
    """Random workflows on a few teams and assets, of which many are refused."""

    def __init__(self, world: World, clock: FixedClock, seed: int) -> None:
        self.world, self.clock, self.dice = world, clock, random.Random(seed)
        self.steps: tuple[Callable[[], Awaitable[object]], ...] = (
            self.create_team,
            *[self.create_asset] * 2,
            *[self.publish] * 6,
            self.update_asset,
            self.rename_asset,
            self.rename_team,
            self.set_labels,
            self.set_tier,
            self.archive_or_restore,
            self.archive_or_restore_team,
            *[self.register] * 4,
            self.unregister,
            *[self.answer] * 3,
            *[self.end_proposal] * 2,
            self.comment,
            self.retire,
            self.sync,
            self.lose_a_transaction,
            self.pass_time,
        )

    async def run(self) -> int:
        """Run the steps, and return how many were not refused."""
        step_count = 0
        for _ in range(3):
            await self.create_team()
            await self.create_asset()
        for _ in range(STEPS):
            try:
                await self.dice.choice(self.steps)()
                step_count += 1
            except (Refusal, IndexError):  # refused, or there is nothing to choose from
                continue
        return step_count

    def name(self) -> str:
        return "_".join(self.dice.sample(WORDS, self.dice.randint(1, 3)))

    async def any(self, model: type[M]) -> M:
        return self.dice.choice(await self.world.rows(model))

    def schema(self) -> dict[str, Any]:
        properties = {self.name(): {"type": "string", "description": self.name()} for _ in range(3)}
        properties["nested"] = {"type": "object", "properties": {self.name(): {"type": "integer"}}}
        return {"type": "object", "title": self.name(), "properties": properties}

    async def write(self, work: Callable[[Session], Awaitable[object]]) -> None:
        async with self.world.database.write() as session:
            await work(session)

    async def create_team(self) -> None:
        await self.world.team(f"{self.name()} {self.dice.randrange(100)}")

    async def create_asset(self) -> None:
        fqn = f"{self.dice.choice(WORDS)}.{self.name()}{self.dice.randrange(100)}"
        await self.world.asset(fqn.replace("ü", "u"), await self.any(Team), description=self.name())

    async def publish(self) -> None:
        asset = await self.any(Asset)
        request = {"force": True} if self.dice.random() < 0.2 else {"publish_when_approved": self.dice.random() < 0.5}
        await self.world.publish(asset, self.schema(), reason=self.name(), supersede=True, **request)

    async def update_asset(self) -> None:
        ref, owner = AssetRef(id=(await self.any(Asset)).id), await self.any(Team)
        details = AssetDetails(description=self.name(), owner=TeamRef(id=owner.id))
        await self.write(lambda session: asset_verbs.update(session, self.world.actor, ref, details=details))

    async def rename_asset(self) -> None:
        asset = await self.any(Asset)
        fqn = f"renamed.{self.name().replace('ü', 'u')}{self.dice.randrange(100)}"

        async def work(session: Session) -> None:
            await asset_verbs.rename(session, self.world.actor, AssetRef(id=asset.id), fqn)
            if self.dice.random() < 0.5:  # both in one transaction, in the order of a pull from Git
                await set_labels(session, self.world.actor, AssetRef(id=asset.id), [self.dice.choice(WORDS)])

        await self.write(work)

    async def rename_team(self) -> None:
        ref, name = TeamRef(id=(await self.any(Team)).id), f"{self.name()} {self.dice.randrange(100)}"
        await self.write(lambda session: team_verbs.update(session, self.world.actor, ref, name=name))

    async def set_labels(self) -> None:
        ref, names = AssetRef(id=(await self.any(Asset)).id), self.dice.sample(WORDS, self.dice.randrange(3))
        await self.write(lambda session: set_labels(session, self.world.actor, ref, names))

    async def set_tier(self) -> None:
        ref, tier = AssetRef(id=(await self.any(Asset)).id), self.dice.choice([*AssetTier])
        await self.write(lambda session: asset_verbs.set_tier(session, self.world.actor, ref, tier))

    async def archive_or_restore(self) -> None:
        ref = AssetRef(id=(await self.any(Asset)).id)
        verb = self.dice.choice([archiving.archive_asset, archiving.unarchive_asset])
        await self.write(lambda session: verb(session, self.world.actor, ref))

    async def archive_or_restore_team(self) -> None:
        ref = TeamRef(id=(await self.any(Team)).id)
        verb = self.dice.choice([archiving.archive_team, archiving.unarchive_team])
        await self.write(lambda session: verb(session, self.world.actor, ref))

    async def register(self) -> None:
        await self.world.register(await self.any(Asset), await self.any(Team))

    async def unregister(self) -> None:
        await self.world.unregister(self.dice.choice(await self.world.registrations()))

    async def answer(self) -> None:
        proposal = await self.any(Proposal)
        acknowledgment = self.dice.choice(await self.world.acknowledgments(proposal))
        (team,) = [row for row in await self.world.rows(Team) if row.id == acknowledgment.consumer_team_id]
        response = self.dice.choice([Response.APPROVED, Response.APPROVED, Response.BLOCKED])
        await self.world.answer(proposal, team, response)

    async def end_proposal(self) -> None:
        proposals = [row for row in await self.world.rows(Proposal) if ProposalStatus(row.status).is_open]
        proposal = self.dice.choice(proposals)
        await self.dice.choice([self.world.withdraw, self.world.publish_proposal])(proposal)

    async def comment(self) -> None:
        proposal, body = await self.any(Proposal), self.name()
        await self.write(lambda session: comments.comment(session, self.world.actor, proposal, body))

    async def retire(self) -> None:
        if self.dice.random() < 0.5:
            await self.world.propose_retirement(await self.any(Asset), reason=self.name())
        else:
            await self.world.retire(await self.any(Contract))

    async def sync(self) -> None:
        owners = [row.name for row in await self.world.rows(Team)]
        names = {self.name().replace("ü", "u") for _ in range(3)}
        tables = [team_table(name, self.dice.choice(owners), self.name(), self.name()) for name in sorted(names)]
        await run_sync(self.world, manifest(*tables))

    async def lose_a_transaction(self) -> None:
        """A transaction that is rolled back after it has written; its words may be in no other document."""
        asset, owner = await self.any(Asset), await self.any(Team)
        ref, fqn = AssetRef(id=asset.id), f"lost.word{self.dice.randrange(10**6)}"
        with suppress(ZeroDivisionError):
            async with self.world.database.write() as session:
                await asset_verbs.rename(session, self.world.actor, ref, fqn)
                details = AssetDetails(owner=TeamRef(id=owner.id))
                await asset_verbs.create(session, self.world.actor, fqn=f"{fqn}.new", details=details)
                raise ZeroDivisionError

    async def pass_time(self) -> None:
        self.clock.advance(days=self.dice.choice([1, 40]))
        for proposal in await self.world.rows(Proposal):
            await self.world.apply_time(proposal)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
async def test_after_a_random_history_the_index_equals_a_rebuilt_one(
    world: World, clock: FixedClock, seed: int
) -> None:
    history = History(world, clock, seed)
    step_count = await history.run()
    assert step_count > STEPS / 3
    assert len({row.status for row in await world.rows(Proposal)}) > 1
    await assert_index_is_whole(world.database)


async def test_a_word_that_a_reindex_met_in_no_document_is_found_when_it_is_written_again(world: World) -> None:
    asset = await world.asset("a.b.orders", await world.team("Shop"), description="flamingo")
    await describe(world, asset, "nothing")
    await migration.reindex(world.database.url)
    await describe(world, asset, "flamingo")
    await assert_index_is_whole(world.database)


async def describe(world: World, asset: Asset, description: str) -> None:
    async with world.database.write() as session:
        details = AssetDetails(description=description)
        await asset_verbs.update(session, world.actor, AssetRef(id=asset.id), details=details)


async def test_terms_of_a_transaction_that_is_rolled_back_are_inserted_by_the_next(world: World) -> None:
    owner = await world.team("Shop")
    details = AssetDetails(owner=TeamRef(id=owner.id), description="flamingo")
    with suppress(ZeroDivisionError):
        async with world.database.write() as session:
            await asset_verbs.create(session, world.actor, fqn="a.b.lost", details=details)
            session.before_commit["fail"] = fail
    assert "flamingo" not in {term for _, term in await load_variants(world.database)}
    await world.asset("a.b.kept", owner, description="flamingo")
    await assert_index_is_whole(world.database)


async def fail(session: Session) -> None:
    await search_index.flush(session)
    raise ZeroDivisionError


async def test_time_is_applied_to_documents_of_proposals(world: World, clock: FixedClock) -> None:
    _, proposal = await world.proposed(consumers=1, reason="flamingo")
    clock.now += timedelta(days=400)
    await world.apply_time(proposal)
    await assert_index_is_whole(world.database)
