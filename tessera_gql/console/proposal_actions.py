"""The forms about proposals, change sets and debts."""

from collections.abc import Mapping
from typing import Any

from tessera_gql.console.form_action import FormAction, read_row_version, read_team
from tessera_gql.console.forms import IDEMPOTENCY_FIELD, InvalidForm, SentForm
from tessera_gql.console.pages import PathParams

RESPONSES: Mapping[str, str] = {"APPROVED": "approved", "MIGRATING": "promised to migrate", "BLOCKED": "blocked"}


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
    return answer | read_team(form)


def _read_proposal_answer(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"proposal": path["id"], **_read_answer(form), **read_row_version(form)}


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
    return {"proposal": path["id"], "expiresAt": expires_at, **read_row_version(form)}


def _read_proposal(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"proposal": path["id"], **read_row_version(form)}


def _describe_publish(payload: Mapping[str, Any]) -> str:
    return f"{payload['contract']['asset']['fqn']} {payload['contract']['version']} is published."


def _read_change_set(path: PathParams, _form: SentForm) -> dict[str, Any]:
    return {"changeSet": {"id": path["id"]}}


def _describe_change_set(payload: Mapping[str, Any], result: str) -> str:
    return f"{payload['changeSet']['title'] or payload['changeSet']['key']} is {result}."


def _read_debt(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"debt": path["id"], "notes": form.get_or_none("notes")}


def _read_forced_publish(path: PathParams, form: SentForm) -> dict[str, Any]:
    option = "waiveCoverage" if form.get("waive_coverage") else "force"
    return {
        "proposal": path["id"],
        "reason": form.get_or_none("reason"),
        "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD),
        option: True,
        **read_row_version(form),
    }


PROPOSAL_ACTIONS: tuple[FormAction, ...] = (
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
    FormAction("force_proposal", "/proposals/{id}/force", ("force",), _read_forced_publish, _describe_publish),
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
    FormAction(
        "acknowledge_debt",
        "/debts/{id}/acknowledge",
        ("inbox",),
        _read_debt,
        lambda payload: f"The forced change of {payload['debt']['asset']['fqn']} is acknowledged.",
    ),
)
