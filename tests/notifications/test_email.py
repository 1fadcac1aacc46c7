"""E-mails reach a real mail server, encrypted and signed in; an address that is refused for good ends the delivery."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.config.channels import SmtpSecurity
from tessera_gql.errors import Invalid
from tessera_gql.notifications.channels import ChannelOptions
from tessera_gql.notifications.smtp import SmtpOptions
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import DeliveryStatus, WebhookFormat
from tessera_gql.store.database import Database
from tessera_gql.store.tables import WebhookDelivery
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams
from tests.notifications.channel_messages import PAGES
from tests.notifications.mail_server import HOST, MailServer, create_certificate, mail_server
from tests.notifications.test_webhooks import QUICK, deliveries, live, settled, webhook, working
from tests.world import World

__all__ = ["live"]
ADDRESS = "mailto:data-team@example.org"


def options(server: MailServer, **changes: Any) -> Any:
    smtp = SmtpOptions(HOST, "tessera@example.com", server.port, SmtpSecurity.NONE, timeout_seconds=2)
    return replace(QUICK, channels=ChannelOptions(pages=PAGES, smtp=replace(smtp, **changes)))


async def failed(database: Database, *, attempts: int = 1) -> WebhookDelivery:
    async with asyncio.timeout(15):
        while True:
            for row in await deliveries(database):
                if len(row.attempts) >= attempts:
                    return row
            await asyncio.sleep(0.02)


async def test_a_team_is_sent_an_email_with_text_html_and_its_page(live: Database) -> None:
    team = await World(live).team("finance")
    async with mail_server() as server, working(live, options(server)):
        await webhook(live, ADDRESS, team=TeamRef(id=team.id), format=WebhookFormat.EMAIL, kinds=["TEAM_UPDATED"])
        async with live.write() as session:
            await teams.update(session, ANONYMOUS, TeamRef(id=team.id), metadata={"a": 1})
        (row,) = await settled(live)
    (mail,) = server.received
    assert row.attempts[0]["status"] == 250
    assert server.recipients == [["data-team@example.org"]]
    assert (mail["To"], mail["From"]) == ("data-team@example.org", "tessera@example.com")
    assert mail["List-Unsubscribe"].startswith("<https://data.example.com/tessera/teams/")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("security", [SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
async def test_the_connection_is_encrypted_before_the_password_is_sent(
    live: Database, tmp_path: Path, security: SmtpSecurity
) -> None:
    context, trust = create_certificate(tmp_path)
    is_implicit = security is SmtpSecurity.TLS
    async with mail_server(context, is_implicit=is_implicit, needs_login=True) as server:
        signed_in = {"security": security, "username": "tessera", "password": "right", "tls_context": trust}
        async with working(live, options(server, **signed_in)):
            await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
            await World(live).team("one")
            (row,) = await settled(live)
    assert row.status is DeliveryStatus.DELIVERED
    assert (server.users, len(server.received)) == (["tessera"], 1)
    assert is_implicit or server.was_encrypted == [True]


async def test_a_server_without_starttls_gets_no_message_and_no_password(live: Database) -> None:
    async with mail_server() as server:
        settings = {"security": SmtpSecurity.STARTTLS, "username": "tessera", "password": "right"}
        async with working(live, options(server, **settings)):
            await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
            await World(live).team("one")
            row = await failed(live)
    assert (server.users, server.received) == ([], [])
    assert "can't be used" in row.attempts[0]["error"]


async def test_an_untrusted_certificate_is_refused(live: Database, tmp_path: Path) -> None:
    context, _ = create_certificate(tmp_path)
    async with mail_server(context) as server, working(live, options(server, security=SmtpSecurity.STARTTLS)):
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        row = await failed(live)
    assert server.received == []
    assert "certificate" in row.attempts[0]["error"].lower()


async def test_a_refused_password_says_which_settings_to_correct(live: Database, tmp_path: Path) -> None:
    context, trust = create_certificate(tmp_path)
    signed_in = {"security": SmtpSecurity.STARTTLS, "username": "t", "password": "wrong", "tls_context": trust}
    async with mail_server(context, needs_login=True) as server, working(live, options(server, **signed_in)):
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        row = await failed(live)
    assert row.status is DeliveryStatus.PENDING
    assert "SMTP_USERNAME and SMTP_PASSWORD" in row.attempts[0]["error"]
    assert "wrong" not in row.attempts[0]["error"]


async def test_an_address_that_does_not_exist_ends_in_a_stated_failure_and_no_loop(live: Database) -> None:
    async with mail_server() as server, working(live, options(server)):
        server.refusals["data-team@example.org"] = "550 5.1.1 No such mailbox"
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        (row,) = await settled(live)
    assert row.status is DeliveryStatus.DEAD
    assert len(row.attempts) == 1
    error = row.attempts[0]["error"]
    assert "refused data-team@example.org: 550 5.1.1 No such mailbox" in error
    assert "updateWebhook" in error
    assert (await World(live).kinds())[-1] == "WEBHOOK_DELIVERY_FAILED"


async def test_a_greylisted_address_is_tried_again(live: Database) -> None:
    async with mail_server() as server, working(live, options(server)):
        server.refusals["data-team@example.org"] = "451 4.7.1 Greylisted, please try again later"
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        await failed(live, attempts=2)
        del server.refusals["data-team@example.org"]
        (row,) = await settled(live)
    assert row.status is DeliveryStatus.DELIVERED
    assert len(server.received) == 1


@pytest.mark.parametrize(("reply", "status"), [("554 5.7.1 Spam", DeliveryStatus.DEAD), ("452 Full", None)])
async def test_a_refused_message_is_final_only_if_the_server_says_so(
    live: Database, reply: str, status: DeliveryStatus | None
) -> None:
    async with mail_server() as server, working(live, options(server)):
        server.refusals["DATA"] = reply
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        row = (await settled(live))[0] if status else await failed(live, attempts=2)
    assert row.status is (status or DeliveryStatus.PENDING)
    assert reply.split(" ", 1)[1] in row.attempts[0]["error"]


async def test_a_slow_or_absent_mail_server_costs_a_bounded_time(live: Database) -> None:
    async with mail_server() as server, working(live, options(server, timeout_seconds=0.3)):
        server.delay = 30
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        row = await failed(live)
    assert "0.3 seconds" in row.attempts[0]["error"]
    assert row.attempts[0]["milliseconds"] < 3_000
    async with working(live, options(server)):
        async with asyncio.timeout(10):
            while "can't be used" not in (await deliveries(live))[0].attempts[-1]["error"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_only_the_allowed_domains_get_mail(live: Database) -> None:
    async with mail_server() as server, working(live, options(server, domains=("example.com",))):
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        (row,) = await settled(live)
    assert (row.status, server.received) == (DeliveryStatus.DEAD, [])
    assert "SMTP_DOMAINS has example.com" in row.attempts[0]["error"]


async def test_a_server_without_mail_settings_says_so(live: Database) -> None:
    async with working(live, QUICK):
        await webhook(live, ADDRESS, format=WebhookFormat.EMAIL, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        row = await failed(live)
    assert "SMTP_HOST is not set" in row.attempts[0]["error"]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "mailto:",
            "data",
            "a@b",
            "a b@example.com",
            "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@c.de",
        ),
        *("<a@example.com>", "A <a@example.com>", "a@[127.0.0.1]", "a..b@example.com", "a@exa mple.com", "a@-x.com"),
        *(
            "a@example.com?subject=x",
            f"{'x' * 65}@example.com",
            f"a@{'x.' * 130}com",
            "ä@example.com",
            "a@b@example.com",
        ),
    ],
)
async def test_what_is_not_one_plain_address_is_refused(live: Database, address: str) -> None:
    with pytest.raises(Invalid, match="e-mail address"):
        await webhook(live, address, format=WebhookFormat.EMAIL)


async def test_an_address_is_stored_as_mailto(live: Database) -> None:
    for url in ("Data.Team+x@Example.org", "mailto:Data.Team+x@Example.org"):
        created = await webhook(live, url, format=WebhookFormat.EMAIL)
        assert created.webhook.url == "mailto:Data.Team+x@Example.org"


def test_the_lease_of_a_delivery_outlasts_the_longest_attempt() -> None:
    assert timedelta(seconds=SmtpOptions(HOST, "a@example.com").timeout_seconds) < timedelta(seconds=90)
