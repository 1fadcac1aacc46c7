"""Change sets and silence in the chaos test: asks that are answered, and asks whose silence several workers count."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench._chaos_actors import ACKNOWLEDGE, call
from tessera_gql.errors import Unavailable
from tessera_gql.policy.enums import AssetTier, OnSilence
from tessera_gql.policy.global_ids import decode_global_id
from tessera_gql.store import ask_policies
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Acknowledgment, Asset, EventRow, table

CHANGES_PER_ROUND, WRITERS = 100, 4
POLL_SECONDS = 1.0
ROUND_SECONDS = 180.0
ASKS = table(Acknowledgment)
PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  outcome proposal { id } errors { code message } } }"""
CHANGE_SET = "query($key: String!) { changeSet(by: {key: $key}) { isOpen } }"


@dataclass
class ChangeSetWriter:
    """Asks two teams about two tables in one change set: one table is answered, silence consents to the other."""

    number: int
    urls: list[str]
    database: Database
    rounds: int
    assets: list[str] = field(default_factory=list[str])
    published: list[str] = field(default_factory=list[str])

    @property
    def owner(self) -> str:
        return f"asking-{self.number}"

    async def create_world(self) -> None:
        """Create two tables of a tier whose policy is that silence consents."""
        teams = [self.owner, *(f"{self.owner}-reader-{number}" for number in range(2))]
        for name in teams:
            await self.create("createTeam", "CreateTeamInput", {"name": name}, "team")
        for number in range(2):
            arguments = {"fqn": f"chaos.asks.table_{self.number}_{number}", "owner": {"name": self.owner}}
            self.assets.append(await self.create("createAsset", "CreateAssetInput", arguments, "asset"))
            await self.publish(number, "0", note=True)
            for name in teams[1:]:
                registration = {"asset": {"id": self.assets[-1]}, "team": {"name": name}}
                await self.create("register", "RegisterInput", registration, "registration")
        async with self.database.write() as session:
            for asset in self.assets:
                _, identity = decode_global_id(asset) or ("", None)
                assert identity is not None
                await session.update_row(Asset, identity, tier=AssetTier.LOW, is_tier_confirmed=True)

    async def create(self, mutation: str, input_type: str, arguments: dict[str, Any], entity: str) -> str:
        selection = f"{{ {entity} {{ id }} errors {{ message }} }}"
        document = f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {selection} }}"
        payload = (await call(self.urls, document, {"input": arguments | {"idempotencyKey": str(arguments)}}))[mutation]
        identity: str = payload[entity]["id"]
        return identity

    async def publish(self, number: int, revision: str, *, note: bool, key: str | None = None) -> dict[str, Any]:
        columns = {"id": {"type": "integer"}} | ({"note": {"type": "string"}} if note else {})
        arguments: dict[str, Any] = {
            "asset": {"id": self.assets[number]},
            "schema": {"type": "object", "properties": columns},
            "idempotencyKey": f"asks-{self.number}-{number}-{revision}",
        }
        if key is not None:
            arguments |= {"changeSet": {"key": key}, "publishWhenApproved": True}
        payload: dict[str, Any] = (await call(self.urls, PUBLISH, {"input": arguments}))["publishContract"]
        assert not payload["errors"], payload
        return payload

    async def write(self) -> None:
        for revision in range(1, self.rounds + 1):
            await self.ask(revision)

    async def ask(self, revision: int) -> None:
        """Ask about both tables, answer for one, let the time of the other pass, and bring the column back."""
        key = f"chaos/asks-{self.number}#{revision}"
        payloads = [await self.publish(number, f"{revision}-drop", note=False, key=key) for number in range(2)]
        for reader in range(2):
            arguments = {
                "proposal": payloads[0]["proposal"]["id"],
                "team": {"name": f"{self.owner}-reader-{reader}"},
                "response": "APPROVED",
            }
            await call(self.urls, ACKNOWLEDGE, {"input": arguments})  # an error means that the first try arrived
        await self.wait_for_end(key, str(payloads[1]["proposal"]["id"]))
        for number in range(2):
            await self.publish(number, f"{revision}-restore", note=True)
        self.published.append(key)

    async def wait_for_end(self, key: str, silent_proposal: str) -> None:
        """Let the time to answer pass, and wait for the workers of all servers to count the silence."""
        _, identity = decode_global_id(silent_proposal) or ("", None)
        async with asyncio.timeout(ROUND_SECONDS):
            while (await call(self.urls, CHANGE_SET, {"key": key}))["changeSet"]["isOpen"]:
                with suppress(Unavailable):
                    async with self.database.write() as session:
                        is_silent = (ASKS.c.proposal_id == identity) & ASKS.c.response.is_(None)
                        passed = session.now - timedelta(seconds=1)
                        await session.update(Acknowledgment, is_silent & (ASKS.c.due_at > passed), due_at=passed)
                await asyncio.sleep(POLL_SECONDS)


async def create_writers(urls: list[str], database: Database, changes: int) -> list[ChangeSetWriter]:
    """Create the writers of change sets with their tables, and the policy of these."""
    await set_policy(database)
    rounds = max(1, changes // CHANGES_PER_ROUND // WRITERS)
    writers = [ChangeSetWriter(number, urls, database, rounds) for number in range(WRITERS)]
    for writer in writers:
        await writer.create_world()
    return writers


async def set_policy(database: Database) -> None:
    """Let silence consent after a day, for tables of the tier LOW."""
    async with database.write() as session:
        values = {
            "tier": AssetTier.LOW,
            "due_days": 1,
            "remind_days_before": [],
            "escalate_after_days": None,
            "on_silence": OnSilence.APPROVE,
            "row_version": 1,
            "updated_at": session.now,
        }
        await session.execute(ask_policies.TABLE.insert().values(values))


def check_asks(writers: Sequence[ChangeSetWriter], log: Sequence[EventRow], counts: Counter[str]) -> list[str]:
    """Describe what is wrong, such as silence that was counted twice; add to the counts what the change sets did."""
    silence = Counter(row.entity_id for row in log if row.kind == "SILENCE_COUNTED")
    ends = Counter(row.payload["key"] for row in log if row.kind == "CHANGE_SET_PUBLISHED")
    keys = [key for writer in writers for key in writer.published]
    violations = [f"the silence of ask {ask} was counted {count} times" for ask, count in silence.items() if count > 1]
    violations += [f"the change set {key} was published {ends[key]} times" for key in keys if ends[key] != 1]
    expected = sum(writer.rounds for writer in writers)
    if len(keys) != expected:
        violations.append(f"{expected - len(keys)} of {expected} change sets were not published")
    if len(silence) < 2 * len(keys):
        violations.append(f"the silence of {2 * len(keys) - len(silence)} asks was not counted")
    counts["change sets published"] = len(keys)
    counts["asks whose silence was counted"] = len(silence)
    return violations
