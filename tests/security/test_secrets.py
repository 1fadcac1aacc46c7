"""Secrets of webhooks are stored encrypted for their row; without the right key nothing is signed."""

import asyncio
import base64
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from tessera_gql.config import InvalidSettings, load
from tessera_gql.errors import Conflict
from tessera_gql.notifications.channels import ChannelOptions
from tessera_gql.notifications.outbound_http import PostRules
from tessera_gql.notifications.webhook_worker import WebhookOptions as WorkerOptions
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import webhooks
from tessera_gql.store.database import Database
from tessera_gql.store.encryption import Keyring, UnreadableSecret
from tessera_gql.store.engine import DatabaseOptions, sqlite_path
from tessera_gql.workflows import webhook_secrets
from tessera_gql.workflows import webhooks as verbs
from tessera_gql.workflows.webhooks import WebhookRequest, WebhookResult
from tests.e2e.server import run_tessera, serving
from tests.notifications.receiver import receiving
from tests.notifications.test_webhooks import deliveries, settled, working
from tests.world import World

pytestmark = pytest.mark.long

ADDRESS = "https://example.com/hook"


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


OLD, NEW = new_key(), new_key()


def open_database(url: str, *keys: str, required: bool = True) -> Database:
    return Database(url, options=DatabaseOptions(secrets_keys=keys, requires_secrets_key=required))


async def create(database: Database, url: str = ADDRESS) -> WebhookResult:
    async with database.write() as session:
        return await verbs.create(session, ANONYMOUS, WebhookRequest(url))


async def entries(database: Database) -> list[dict[str, Any]]:
    async with database.read() as session:
        return [entry for row in await webhooks.list_with_secrets(session) for entry in row.secrets]


async def test_a_secret_is_stored_encrypted_and_signs_as_shown(database_url: str) -> None:
    database = open_database(database_url, NEW)
    async with receiving() as receiver, working(database, quick()):
        created = await create(database, receiver.url)
        await World(database).team("one")
        (post,) = (await receiver.count(1))[:1]
        await settled(database)
    Verifier(created.secret or "").verify(post.body, post.headers)
    (entry,) = await entries(database)
    assert set(entry) == {"encrypted", "until"}
    assert (created.secret or "")[6:] not in str(entry)
    assert (created.secret or "")[6:] not in str([row.payload for row in await World(database).events(0)])
    await database.dispose()
    if (file := sqlite_path(database_url)) is not None:
        assert (created.secret or "").encode() not in file.read_bytes()


def quick() -> WorkerOptions:
    inside = ChannelOptions(rules=PostRules(allow_private=True, timeout_seconds=1))
    return WorkerOptions(channels=inside, lease_seconds=2, poll_seconds=0.02)


async def test_a_server_without_its_secrets_key_creates_no_secret_and_keeps_the_old_ones(database_url: str) -> None:
    development = open_database(database_url, required=False)
    created = await create(development)
    await development.dispose()
    database = open_database(database_url)
    with pytest.raises(Conflict, match=r"has no SECRETS_KEY\. Ask an administrator"):
        await create(database)
    with pytest.raises(Conflict, match="has no SECRETS_KEY"):
        await rotate(database, created)
    async with database.write() as session:
        stored = await webhook_secrets.encrypt_stored(session)
    assert (stored.plain, stored.encrypted, stored.unreadable) == (1, 0, ())
    assert "1 secrets of webhooks are stored in plain" in " ".join(stored.warnings())
    assert await signing(database, created) == [created.secret]
    await database.dispose()


async def rotate(database: Database, created: WebhookResult) -> WebhookResult:
    async with database.write() as session:
        return await verbs.update(session, ANONYMOUS, created.webhook.id, {}, rotate_secret=True)


async def signing(database: Database, created: WebhookResult) -> list[str]:
    async with database.read() as session:
        row = await webhooks.get(session, created.webhook.id, UNRESTRICTED)
        return webhook_secrets.signing_secrets(session.keyring, row, session.now)


def test_a_server_without_its_secrets_key_reports_it_at_start_and_to_clients(tmp_path: Path) -> None:
    admin = "an-administrators-key-for-this-test"
    with serving(tmp_path, ADMIN_KEY=admin) as server:
        document = "mutation($u: URL!) { createWebhook(input: {url: $u}) { secret errors { code message } } }"
        body = {"query": document, "variables": {"u": ADDRESS}}
        headers = {"Authorization": f"Bearer {admin}"}
        reply = httpx.post(f"{server.url}/graphql", json=body, headers=headers, timeout=30).json()["data"]
        assert reply["createWebhook"]["secret"] is None
        assert reply["createWebhook"]["errors"][0]["code"] == "CONFLICT"
        assert "SECRETS_KEY" in reply["createWebhook"]["errors"][0]["message"]
        assert "SECRETS_KEY is not set" in server.log.read_text()


async def test_the_secret_of_the_settings_signs_and_is_never_stored(database_url: str) -> None:
    database = open_database(database_url)
    async with receiving() as receiver:
        async with database.write() as session:
            await verbs.sync_settings_webhook(session, receiver.url)
        channels = replace(quick().channels, secret="whsec_c2VjcmV0LW9mLXRoZS1zZXR0aW5ncw==")
        options = replace(quick(), url=receiver.url, channels=channels)
        async with working(database, options):
            await World(database).team("one")
            (post, *_) = await receiver.count(1)
            await settled(database)
    Verifier(channels.secret or "").verify(post.body, post.headers)
    assert await entries(database) == []
    await database.dispose()


async def test_the_first_start_with_a_key_encrypts_plain_secrets(database_url: str) -> None:
    development = open_database(database_url, required=False)
    created = await create(development)
    await development.dispose()
    database = open_database(database_url, NEW)
    async with working(database, quick()):
        while "encrypted" not in (await entries(database))[0]:
            pass
    assert await signing(database, created) == [created.secret]
    await database.dispose()
    if (file := sqlite_path(database_url)) is not None:
        assert (created.secret or "").encode() not in b"".join(
            file_part.read_bytes() for file_part in file.parent.glob(f"{file.name}*")
        )


async def test_keys_are_rotated_by_a_command_and_the_old_one_can_go(database_url: str, tmp_path: Path) -> None:
    before = open_database(database_url, OLD)
    created = [await create(before), await create(before)]
    await before.dispose()
    completed = run_tessera("db", "rotate-secrets", cwd=tmp_path, DATABASE_URL=database_url, SECRETS_KEY=f"{NEW},{OLD}")
    assert "Encrypted 2 secrets" in completed.stdout, completed
    after = open_database(database_url, NEW)
    assert [await signing(after, item) for item in created] == [[item.secret] for item in created]
    await after.dispose()
    completed = run_tessera("db", "rotate-secrets", cwd=tmp_path, DATABASE_URL=database_url, SECRETS_KEY=f"{NEW},{OLD}")
    assert "Encrypted 0 secrets" in completed.stdout, completed
    completed = run_tessera("db", "rotate-secrets", cwd=tmp_path, DATABASE_URL=database_url, SECRETS_KEY=OLD)
    assert (completed.returncode, "can't be decrypted" in completed.stderr) == (1, True)
    assert str(created[0].webhook.id) in completed.stderr
    completed = run_tessera("db", "rotate-secrets", cwd=tmp_path, DATABASE_URL=database_url)
    assert (completed.returncode, "SECRETS_KEY is not set" in completed.stderr) == (2, True)


async def test_with_a_lost_key_deliveries_fail_with_a_reason_and_a_new_secret_repairs_them(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_database(database_url, OLD)
    async with receiving() as receiver:
        created = await create(before, receiver.url)
        await World(before).team("one")
        await before.dispose()
        database = open_database(database_url, NEW)
        async with working(database, quick()):
            (delivery, *_) = await attempted(database)
            assert "is encrypted with the key" in delivery.attempts[0]["error"]
            assert "updateWebhook and `rotateSecret`" in delivery.attempts[0]["error"]
            assert receiver.got == []
            assert f"nothing is delivered to them: {created.webhook.id}" in caplog.text
            fresh = await rotate(database, created)
            assert await signing(database, created) == [fresh.secret]
            async with database.write() as session:
                await verbs.ping(session, ANONYMOUS, created.webhook.id)
            await receiver.count(1)
        Verifier(fresh.secret or "").verify(receiver.got[0].body, receiver.got[0].headers)
        await database.dispose()


async def attempted(database: Database) -> list[Any]:
    while True:
        attempted = [delivery for delivery in await deliveries(database) if delivery.attempts]
        if attempted:
            return attempted


async def test_a_ciphertext_that_was_moved_to_another_webhook_or_changed_is_not_used(database_url: str) -> None:
    database = open_database(database_url, NEW)
    own_webhook, other_webhook = await create(database), await create(database)
    async with database.write() as session:
        assert await webhooks.replace_secrets(session, other_webhook.webhook, own_webhook.webhook.secrets)
    with pytest.raises(UnreadableSecret, match="belongs to another webhook"):
        await signing(database, other_webhook)
    changed = own_webhook.webhook.secrets[0]["encrypted"]
    async with database.write() as session:
        flipped = changed[:-4] + ("AAAA" if changed[-4:] != "AAAA" else "BBBB")
        await webhooks.replace_secrets(session, own_webhook.webhook, [{"encrypted": flipped, "until": None}])
    with pytest.raises(UnreadableSecret, match="was changed"):
        await signing(database, own_webhook)
    await database.dispose()


def test_the_same_secret_is_never_encrypted_to_the_same_text() -> None:
    keyring = Keyring.parse([NEW], is_required=True)
    assert len({keyring.encrypt("whsec_x", "webhook 1") for _ in range(20)}) == 20
    assert NEW not in repr(keyring)
    assert NEW not in repr(DatabaseOptions(secrets_keys=[NEW]))


@pytest.mark.parametrize(
    "value",
    ["short", "x" * 44, "é" * 32, base64.b64encode(b"a" * 16).decode(), f"{NEW},oops"],
    ids=["short", "no padding", "no base64", "16 bytes", "a second key that is none"],
)
def test_a_key_of_another_shape_is_a_mistake_in_the_settings_that_does_not_quote_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRETS_KEY", value)
    with pytest.raises(InvalidSettings, match=r"SECRETS_KEY.*openssl rand -base64 32") as caught:
        load()
    assert value not in str(caught.value)


def test_a_copy_holds_only_ciphertext_is_private_and_works_with_its_key(tmp_path: Path, sqlite_template: Path) -> None:
    source, copy, back = tmp_path / "a.db", tmp_path / "copy.db", tmp_path / "b.db"
    source.write_bytes(sqlite_template.read_bytes())
    created = in_loop(create, f"sqlite:///{source}")
    assert run_tessera("db", "backup", str(copy), cwd=tmp_path, DATABASE_URL=f"sqlite:///{source}").returncode == 0
    assert (created.secret or "").encode() not in copy.read_bytes()
    assert run_tessera("db", "restore", str(copy), cwd=tmp_path, DATABASE_URL=f"sqlite:///{back}").returncode == 0
    assert {oct(file.stat().st_mode & 0o777) for file in (source, copy, back)} == {"0o600"}
    assert in_loop(signing, f"sqlite:///{back}", created) == [created.secret]


def in_loop(work: Any, url: str, *arguments: Any) -> Any:
    async def run() -> Any:
        database = open_database(url, NEW)
        try:
            return await work(database, *arguments)
        finally:
            await database.dispose()

    return asyncio.run(run())
