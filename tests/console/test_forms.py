"""Forms: what they do, who may send them, and what a page shows of a refused one."""

import itertools
import re
from typing import Any

import pytest

from tessera_gql.console.actions import ACTIONS
from tessera_gql.console.session import SESSION_COOKIE
from tessera_gql.policy.access import Scope
from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tests.conftest import FixedClock
from tests.console.conftest import Page, Shop

URLENCODED = "application/x-www-form-urlencoded"
REFUSED = (
    ({"response": "BLOCKED", "notes": ""}, "notes"),
    ({"response": "MIGRATING", "migration_deadline": "soon"}, "is no date. Write it as in 2026-03-31."),
    ({"response": "MIGRATING", "migration_deadline": ""}, "deadline"),
    ({"response": "PERHAPS"}, "Choose an answer: approve, migrate or block."),
    ({"response": "APPROVED", "team": "nonsense"}, ""),
)
"""Answers that can't be given, with a part of the reason."""
BROKEN = (
    (b"{}", "application/json", 415),
    (b"--x", "multipart/form-data; boundary=x", 415),
    (b"a=" + b"x" * 3_000_000, URLENCODED, 413),
    (b"&".join(b"a=1" for _ in range(2_000)), URLENCODED, 400),
    (b"a=%ff", URLENCODED, 400),
    (b"\xff", URLENCODED, 400),
    (b"", URLENCODED, 403),
)
"""Bodies that are no form of a page, with their statuses."""


def answer_path(shop: Shop) -> str:
    return f"{shop.proposal_path(shop.alone)}/answer"


async def status(shop: Shop) -> ProposalStatus:
    return (await shop.world.proposal(shop.alone.id)).status


async def test_a_team_answers_a_proposal_on_its_page(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get(shop.proposal_path(shop.alone))
    after = await browser.send(page, answer_path(shop), response="APPROVED", notes="Fine.")
    assert after.status == 200
    assert "finance approved: marts.campaigns." in after.text
    assert "finance approved: marts" not in (await browser.get(shop.proposal_path(shop.alone))).text
    assert await status(shop) == ProposalStatus.APPROVED


async def test_a_team_answers_from_the_inbox_and_stays_there(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    after = await browser.send(await browser.get("/"), answer_path(shop), response="BLOCKED", notes="We need it.")
    assert after.heading == "finance owes 1 answer"
    assert "finance blocked: marts.campaigns." in after.text
    assert await status(shop) == ProposalStatus.REJECTED


async def test_one_answer_is_given_to_a_whole_change_set(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = f"{shop.change_set_path()}/answer"
    page = await browser.get("/")
    listed = re.findall(r'name="listed" value="([^"]*)"', page.text)
    assert len(listed) == 2
    after = await browser.send(
        page, path, response="MIGRATING", migration_deadline="2026-03-01", listed=listed, included=listed
    )
    assert "finance promised to migrate: Gross totals, 2 tables." in after.text
    assert "Promised by finance" in after.text
    for proposal in shop.proposals:
        (answered,) = [a for a in await shop.world.acknowledgments(proposal) if a.consumer_team_id == shop.finance.id]
        assert answered.response == Response.MIGRATING


async def test_a_table_that_is_not_included_keeps_waiting(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    listed = [encode_global_id("Proposal", proposal.id) for proposal in shop.proposals]
    after = await browser.send(
        await browser.get("/"),
        f"{shop.change_set_path()}/answer",
        response="APPROVED",
        listed=listed,
        included=listed[:1],
    )
    assert "finance approved: Gross totals, 1 table." in after.text
    (left,) = [a for a in await shop.world.acknowledgments(shop.proposals[1]) if a.consumer_team_id == shop.finance.id]
    assert left.response is None


async def test_a_refused_answer_is_shown_with_what_was_typed(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    for (values, message), path in itertools.product(REFUSED, (shop.proposal_path(shop.alone), "/")):
        typed = {"notes": "typed <b>text</b>", **values}
        page = await browser.send(await browser.get(path), answer_path(shop), **typed)
        assert page.status == 422
        assert message in page.text
        assert 'role="alert"' in page.text
        if values["response"] in ("BLOCKED", "MIGRATING"):
            assert re.search(rf'value="{values["response"]}" [^>]*checked', page.text)
        if "notes" not in values:
            assert "typed &lt;b&gt;text&lt;/b&gt;</textarea>" in page.text
    assert await status(shop) == ProposalStatus.PENDING


async def test_the_corrected_form_is_sent_from_the_page_that_shows_the_refusal(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    refused = await browser.send(await browser.get("/"), answer_path(shop), response="BLOCKED", notes="")
    after = await browser.send(refused, answer_path(shop), response="BLOCKED", notes="We need it.")
    assert after.heading == "finance owes 1 answer"


async def test_the_second_of_two_people_is_told_of_the_first_answer(shop: Shop) -> None:
    first, second = await shop.signed_in(shop.finance), await shop.signed_in(shop.finance)
    page = await second.get(shop.proposal_path(shop.alone))
    await first.send(await first.get("/"), answer_path(shop), response="BLOCKED", notes="Not yet.")
    refused = await second.send(page, answer_path(shop), response="APPROVED")
    assert refused.status == 422
    assert "changed" in refused.text
    assert "Not yet." in refused.text
    assert await status(shop) == ProposalStatus.REJECTED
    assert (await second.send(refused, answer_path(shop), response="APPROVED")).status == 200
    assert await status(shop) == ProposalStatus.APPROVED


async def test_a_form_that_is_sent_twice_counts_once(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get("/")
    values = {**page.fields(answer_path(shop)), "response": "BLOCKED", "notes": "Not yet."}
    answers = [await browser.post(answer_path(shop), values) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    kinds = await shop.world.kinds()
    assert [*kinds].count("PROPOSAL_ANSWERED") == 2  # the other one is that of support


async def test_an_answer_to_a_proposal_that_has_ended_is_told_so(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get(shop.proposal_path(shop.alone))
    await shop.world.withdraw(shop.alone)
    refused = await browser.send(page, answer_path(shop), response="APPROVED")
    assert refused.status == 422
    assert "This proposal has ended: withdrawn." in refused.text


async def test_the_owner_comments_extends_publishes_and_withdraws(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    path = shop.proposal_path(shop.alone)

    async def send(form: str, **values: Any) -> Page:
        return await browser.send(await browser.get(path), f"{path}/{form}", **values)

    assert "Is <it> used?" not in (commented := await send("comment", body="Is <it> used?")).text
    assert "Is &lt;it&gt; used?" in commented.text
    assert "The proposal is open until 2026-04-01." in (await send("extend", expires_at="2026-04-01")).text
    assert (await send("extend", expires_at="2025-01-01")).status == 422
    assert "is withdrawn." in (await send("withdraw")).text


async def test_the_owner_publishes_what_everybody_agreed_to(shop: Shop) -> None:
    result = await shop.world.publish(
        shop.items, {"type": "object", "properties": {}}, supersede=True, require_explicit_publish=True
    )
    proposal = result.proposal
    assert proposal
    await shop.world.answer(proposal, shop.finance, Response.APPROVED)
    browser = await shop.signed_in(shop.owner)
    path = shop.proposal_path(proposal)
    page = await browser.send(await browser.get(path), f"{path}/publish")
    assert "marts.items 2.0.0 is published." in page.text


async def test_the_owner_withdraws_a_change_set(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    path = shop.change_set_path()
    page = await browser.send(await browser.get(path), f"{path}/withdraw")
    assert "Gross totals is withdrawn." in page.text


async def test_a_team_registers_for_chosen_columns(shop: Shop) -> None:
    browser = await shop.signed_in(shop.support)
    page = await browser.get("/assets/marts.items")
    empty = await browser.send(page, "/assets/marts.items/register", purpose="The desk.")
    assert empty.status == 422
    assert "Choose the columns that the team reads" in empty.text
    assert 'value="The desk."' in empty.text
    after = await browser.send(empty, "/assets/marts.items/register", fields=["total", "note"], purpose="The desk.")
    assert "support is registered for 2 columns of marts.items." in after.text
    assert "The desk." in (await browser.get("/assets/marts.items/readers")).text


async def test_the_owner_deprecates_a_column(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    page = await browser.get("/assets/marts.items")
    after = await browser.send(
        page, "/assets/marts.items/deprecate", fields="note", sunset_at="2026-06-01", replacement="remark"
    )
    assert "note is deprecated. Its readers are informed." in after.text
    assert "Use remark." in after.text


async def test_a_team_delegates_its_answers_and_takes_them_back(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    delegate = encode_global_id("Team", shop.support.id)
    page = await browser.send(await browser.get(path), f"{path}/delegate", delegate=delegate, until="2026-02-01")
    assert "support answers for finance." in page.text
    assert "finance answers itself." in (await browser.send(page, f"{path}/delegate", delegate="", until="")).text


async def test_a_team_adds_a_channel_of_each_format_and_keeps_what_was_refused(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    page = await browser.get(path)
    for name, url, token in (
        ("SLACK", "https://hooks.slack.com/services/T0/B0/x", ""),
        ("TEAMS", "https://example.webhook.office.com/webhookb2/x", ""),
        ("EMAIL", "data@example.com", ""),
        ("GITHUB_STATUS", "https://github.com/acme/shop", "ghp_secret"),
    ):
        page = await browser.send(page, f"{path}/webhooks", format=name, url=url, github_token=token)
        assert "Messages go to " in page.text
        assert "ghp_secret" not in page.text
    refused = await browser.send(
        page, f"{path}/webhooks", format="EMAIL", url="nobody, at all", github_token="ghp_secret"
    )
    assert "is not one e-mail address" in refused.text
    assert 'value="nobody, at all"' in refused.text
    assert "ghp_secret" not in refused.text
    assert (
        "Choose where the messages go."
        in (
            await browser.send(page, f"{path}/webhooks", format="PAGER", url="https://example.com/", github_token="")
        ).text
    )


async def test_a_pasted_schema_shows_whom_it_hurts_and_writes_nothing(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    path = "/assets/marts.orders/what-if"
    before = await shop.world.size()
    page = await browser.send(
        await browser.get(path),
        path,
        format="JSON_SCHEMA",
        text='{"type": "object", "properties": {"total": {"type": "number"}}}',
    )
    assert page.status == 200
    assert "It would ask 2 teams before it became 2.0.0" in page.text
    assert "&#34;properties&#34;" in page.text
    assert await shop.world.size() == before
    broken = await browser.send(page, path, format="JSON_SCHEMA", text="{")
    assert broken.status == 422
    assert 'role="alert"' in broken.text
    assert (await browser.send(page, path, format="COBOL", text="x")).status == 422
    assert (await browser.send(page, path, format="DDL", text="")).status == 422
    sql = "create table orders (order_id bigint not null, customer_id bigint not null, total double, note varchar)"
    assert (await browser.send(page, path, format="DDL", text=sql)).status == 200


@pytest.mark.parametrize("token", ["", "forged", "old"])
async def test_no_form_is_carried_out_without_the_token_of_the_session(shop: Shop, token: str) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    fields = (await browser.get(shop.proposal_path(shop.alone))).fields(answer_path(shop)) | {"response": "APPROVED"}
    await browser.sign_in((await shop.key(None, Scope.ADMIN)).token)
    before = await shop.world.size()
    for action in ACTIONS:
        path = action.path.replace("{fqn}", "marts.orders").replace("{id}", encode_global_id("Proposal", shop.alone.id))
        page = await browser.post(path, fields if token == "old" else {**fields, "form_token": token})
        assert (page.status, page.heading) == (403, "This form is too old"), action.name
    assert await shop.world.size() == before


async def test_a_form_from_another_site_is_refused_even_with_the_token(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    fields = (await browser.get("/")).fields(answer_path(shop)) | {"response": "APPROVED"}
    assert (await browser.post(answer_path(shop), fields, **{"Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await browser.post(answer_path(shop), fields, **{"Sec-Fetch-Site": "same-origin"})).status == 303


async def test_a_form_after_the_session_ended_leads_to_the_page_for_signing_in(shop: Shop, clock: FixedClock) -> None:
    browser = await shop.signed_in(shop.finance)
    fields = (await browser.get("/")).fields(answer_path(shop)) | {"response": "APPROVED"}
    clock.advance(hours=13)
    page = await browser.post(answer_path(shop), fields)
    assert (page.status, page.response.headers["location"]) == (303, "/sign-in?next=%2F")
    assert SESSION_COOKIE not in browser.client.cookies


async def test_a_reader_sees_no_buttons_and_is_refused_by_hand(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance, Scope.READ)
    page = await browser.get(shop.proposal_path(shop.alone))
    assert "/answer" not in page.text
    token = (await browser.get("/")).fields("/sign-out")["form_token"]
    refused = await browser.post(answer_path(shop), {"form_token": token, "response": "APPROVED"})
    assert refused.status == 403
    assert await status(shop) == ProposalStatus.PENDING


async def test_another_team_can_not_answer(shop: Shop) -> None:
    browser = await shop.signed_in(shop.support)
    assert "/answer" not in (await browser.get(shop.proposal_path(shop.alone))).text
    token = (await browser.get("/")).fields("/sign-out")["form_token"]
    team = encode_global_id("Team", shop.finance.id)
    refused = await browser.post(answer_path(shop), {"form_token": token, "response": "APPROVED", "team": team})
    assert refused.status in (403, 422)
    assert await status(shop) == ProposalStatus.PENDING


async def test_a_broken_body_has_a_page_that_says_so(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    for (content, media_type, status_code), path in itertools.product(BROKEN, (answer_path(shop), "/sign-out")):
        answer = await browser.client.post(path, content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status_code
        assert "Traceback" not in answer.text
