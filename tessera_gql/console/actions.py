"""The forms of the console: for each its address, its stored mutation, its input, and the sentence after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tessera_gql.console.forms import IDEMPOTENCY_FIELD, InvalidForm, SentForm
from tessera_gql.console.pages import PathParams

ReadInput: TypeAlias = Callable[[PathParams, SentForm], dict[str, Any]]
DescribeResult: TypeAlias = Callable[[Mapping[str, Any]], str]

RESPONSES: Mapping[str, str] = {"APPROVED": "approved", "MIGRATING": "promised to migrate", "BLOCKED": "blocked"}


@dataclass(frozen=True)
class FormAction:
    """One form: the name of its mutation, its address, and the pages that have it, the first by default."""

    name: str
    path: str
    pages: tuple[str, ...]
    read_input: ReadInput
    describe_result: DescribeResult
    """Describes in one sentence what the payload says was done."""


def _read_answer(form: SentForm) -> dict[str, Any]:
    """Read the fields that the answers to a proposal and to a change set share."""
    response = form.get("response")
    if response not in RESPONSES:
        raise InvalidForm("Choose an answer: approve, migrate or block.")
    answer: dict[str, Any] = {
        "response": response,
        "notes": form.get_or_none("notes"),
        "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD),
    }
    if response == "MIGRATING":
        answer["migrationDeadline"] = form.get_day_end("migration_deadline")
    return answer | _read_team(form)


def _read_team(form: SentForm) -> dict[str, Any]:
    team = form.get("team")
    return {"team": {"id": team}} if team else {}


def _read_row_version(form: SentForm) -> dict[str, Any]:
    """Read the row version that the page showed, so that a change since then is refused as stale."""
    text = form.get("row_version")
    return {"expectedRowVersion": int(text)} if text.isdecimal() and len(text) < 10 else {}


def _read_proposal_answer(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"proposal": path["id"], **_read_answer(form), **_read_row_version(form)}


def _describe_proposal_answer(payload: Mapping[str, Any]) -> str:
    acknowledgment, proposal, contract = payload["acknowledgment"], payload["proposal"], payload["contract"]
    text = f"{acknowledgment['team']['name']} {RESPONSES[acknowledgment['response']]}: {proposal['asset']['fqn']}."
    return f"{text} That published {contract['version']}." if contract else text


def _read_change_set_answer(path: PathParams, form: SentForm) -> dict[str, Any]:
    included = set(form.get_all("included"))
    left_out = [proposal for proposal in form.get_all("listed") if proposal not in included]
    if form.get_all("listed") and not included:
        raise InvalidForm("No table is included in the answer. Include one at least.")
    replaces = {"replaceAnswers": True} if form.get("replace_answers") else {}
    return {"changeSet": {"id": path["id"]}, **_read_answer(form), "except": left_out, **replaces}


def _describe_change_set_answer(payload: Mapping[str, Any]) -> str:
    change_set, acknowledgments = payload["changeSet"], payload["acknowledgments"]
    name = change_set["title"] or change_set["key"]
    if not acknowledgments:
        return f"Nothing of {name} waited for an answer any more."
    first, count = acknowledgments[0], len(acknowledgments)
    tables = "1 table" if count == 1 else f"{count} tables"
    text = f"{first['team']['name']} {RESPONSES[first['response']]}: {name}, {tables}."
    published = ", ".join(f"{contract['asset']['fqn']} {contract['version']}" for contract in payload["contracts"])
    return f"{text} That published {published}." if published else text


def _read_comment(path: PathParams, form: SentForm) -> dict[str, Any]:
    body, key = form.get("body"), form.get_or_none(IDEMPOTENCY_FIELD)
    return {"proposal": path["id"], "body": body, "idempotencyKey": key}


def _read_extension(path: PathParams, form: SentForm) -> dict[str, Any]:
    expires_at = form.get_day_end("expires_at")
    if expires_at is None:
        raise InvalidForm("Say until when the proposal stays open.")
    return {"proposal": path["id"], "expiresAt": expires_at, **_read_row_version(form)}


def _read_proposal(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"proposal": path["id"], **_read_row_version(form)}


def _describe_publish(payload: Mapping[str, Any]) -> str:
    return f"{payload['contract']['asset']['fqn']} {payload['contract']['version']} is published."


def _read_change_set(path: PathParams, _form: SentForm) -> dict[str, Any]:
    return {"changeSet": {"id": path["id"]}}


def _describe_change_set(payload: Mapping[str, Any], result: str) -> str:
    return f"{payload['changeSet']['title'] or payload['changeSet']['key']} is {result}."


def _read_registration(path: PathParams, form: SentForm) -> dict[str, Any]:
    fields = form.get_all("fields")
    if not fields and not form.get("all_fields"):
        raise InvalidForm("Choose the columns that the team reads, or all of them.")
    return {
        "asset": {"fqn": path["fqn"]},
        "fields": None if form.get("all_fields") else fields,
        "purpose": form.get_or_none("purpose"),
        **_read_team(form),
    }


def _describe_registration(payload: Mapping[str, Any]) -> str:
    registration = payload["registration"]
    fields = registration["fields"]
    columns = "all columns" if fields is None else "1 column" if len(fields) == 1 else f"{len(fields)} columns"
    return f"{registration['consumerTeam']['name']} is registered for {columns} of {registration['asset']['fqn']}."


def _read_deprecation(path: PathParams, form: SentForm) -> dict[str, Any]:
    sunset_at = form.get_day_end("sunset_at")
    if sunset_at is None:
        raise InvalidForm("Say on which day it goes.")
    fields = [field for field in form.get_all("fields") if field]
    return {
        "asset": {"fqn": path["fqn"]},
        "fields": fields or None,
        "sunsetAt": sunset_at,
        "replacement": form.get_or_none("replacement"),
    }


def _describe_deprecation(payload: Mapping[str, Any]) -> str:
    paths = [deprecation["path"] for deprecation in payload["deprecations"] if deprecation["path"]]
    return f"{', '.join(paths) or 'The asset'} is deprecated. Its readers are informed."


def _read_debt(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"debt": path["id"], "notes": form.get_or_none("notes")}


def _read_delegation(path: PathParams, form: SentForm) -> dict[str, Any]:
    delegate, until = form.get("delegate"), form.get_day_end("until")
    if delegate and until is None:
        raise InvalidForm("Say until when the other team answers.")
    chosen = {"team": {"id": delegate}, "until": until} if delegate else None
    return {"team": {"id": path["id"]}, "delegate": chosen}


def _describe_delegation(payload: Mapping[str, Any]) -> str:
    team = payload["team"]
    delegate = team["delegate"]
    return f"{delegate['name']} answers for {team['name']}." if delegate else f"{team['name']} answers itself."


ACTIONS: tuple[FormAction, ...] = (
    FormAction(
        "answer_proposal",
        "/proposals/{id}/answer",
        ("proposal", "inbox"),
        _read_proposal_answer,
        _describe_proposal_answer,
    ),
    FormAction(
        "answer_change_set",
        "/change-sets/{id}/answer",
        ("change_set", "inbox"),
        _read_change_set_answer,
        _describe_change_set_answer,
    ),
    FormAction(
        "comment", "/proposals/{id}/comment", ("proposal",), _read_comment, lambda _payload: "Your comment is added."
    ),
    FormAction(
        "extend_proposal",
        "/proposals/{id}/extend",
        ("proposal",),
        _read_extension,
        lambda payload: f"The proposal is open until {payload['proposal']['expiresAt'][:10]}.",
    ),
    FormAction(
        "withdraw_proposal",
        "/proposals/{id}/withdraw",
        ("proposal",),
        _read_proposal,
        lambda payload: f"The proposal of {payload['proposal']['asset']['fqn']} is withdrawn.",
    ),
    FormAction("publish_proposal", "/proposals/{id}/publish", ("proposal",), _read_proposal, _describe_publish),
    FormAction(
        "publish_change_set",
        "/change-sets/{id}/publish",
        ("change_set",),
        _read_change_set,
        lambda payload: _describe_change_set(payload, "published"),
    ),
    FormAction(
        "withdraw_change_set",
        "/change-sets/{id}/withdraw",
        ("change_set",),
        _read_change_set,
        lambda payload: _describe_change_set(payload, "withdrawn"),
    ),
    FormAction("register", "/assets/{fqn}/register", ("asset",), _read_registration, _describe_registration),
    FormAction("deprecate", "/assets/{fqn}/deprecate", ("asset",), _read_deprecation, _describe_deprecation),
    FormAction(
        "acknowledge_debt",
        "/debts/{id}/acknowledge",
        ("inbox",),
        _read_debt,
        lambda payload: f"The forced change of {payload['debt']['asset']['fqn']} is acknowledged.",
    ),
    FormAction("delegate", "/teams/{id}/delegate", ("team",), _read_delegation, _describe_delegation),
)
