"""The forms about teams, their keys and webhooks, and the policies of asks."""

from collections.abc import Mapping
from typing import Any

from tessera_gql.console.form_action import FormAction, IssuedSecret, read_number, read_row_version
from tessera_gql.console.forms import IDEMPOTENCY_FIELD, InvalidForm, SentForm
from tessera_gql.console.pages import EVENT_GROUPS, PathParams

MAX_REMINDERS = 20
KEY_SCOPES = ("READ", "WRITE", "ADMIN")
WEBHOOK_FORMATS = ("STANDARD", "SLACK", "TEAMS", "EMAIL", "GITHUB_STATUS")


def _read_new_team(_path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"name": form.get("name"), "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD)}


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


def _read_escalation(path: PathParams, form: SentForm) -> dict[str, Any]:
    team = form.get("escalation")
    return {"team": {"id": path["id"]}, "escalationTeam": {"id": team} if team else None}


def _describe_escalation(payload: Mapping[str, Any]) -> str:
    team = payload["team"]
    substitute = team["escalationTeam"]
    if substitute is None:
        return f"No team answers for {team['name']} once an ask is escalated."
    return f"{substitute['name']} may answer for {team['name']} once an ask is escalated."


def _read_key(path: PathParams, form: SentForm) -> dict[str, Any]:
    scope = form.get("scope")
    if scope not in KEY_SCOPES:
        raise InvalidForm("Choose what the key may do: READ, WRITE or ADMIN.")
    return {
        "name": form.get("name"),
        "team": {"id": path["id"]},
        "scopes": [scope],
        "expiresAt": form.get_day_end("expires_at"),
        "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD),
    }


def _read_revoked_key(path: PathParams, _form: SentForm) -> dict[str, Any]:
    return {"apiKey": path["key"]}


def _read_webhook(path: PathParams, form: SentForm) -> dict[str, Any]:
    webhook_format = form.get("format")
    if webhook_format not in WEBHOOK_FORMATS:
        raise InvalidForm("Choose where the messages go.")
    groups = [group for group in form.get_all("groups") if group in EVENT_GROUPS]
    return {
        "url": form.get("url"),
        "team": {"id": path["id"]},
        "format": webhook_format,
        "token": form.get_or_none("github_token"),
        "kinds": [kind for group in groups for kind in EVENT_GROUPS[group]] or None,
        "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD),
    }


def _find_webhook_secret(payload: Mapping[str, Any]) -> IssuedSecret | None:
    """Find the secret of a receiver that verifies with it; the other formats are not signed."""
    if payload["webhook"]["format"] != "STANDARD":
        return None
    return IssuedSecret(payload["secret"], "The receiver verifies with it that messages are ours.")


def _read_webhook_state(path: PathParams, form: SentForm) -> dict[str, Any]:
    return {"webhook": path["webhook"], "isActive": form.get("is_active") == "yes", **read_row_version(form)}


def _describe_webhook_state(payload: Mapping[str, Any]) -> str:
    webhook = payload["webhook"]
    if webhook["isActive"]:
        return f"{webhook['host']} receives events again, those that were kept too."
    return f"Events for {webhook['host']} are kept for later."


def _read_policy(path: PathParams, form: SentForm) -> dict[str, Any]:
    """Read a policy whole: an empty number demands nothing, or means never."""
    days = form.get("remind_days_before").replace(",", " ").split()[:MAX_REMINDERS]
    if not all(day.isdecimal() and len(day) < 6 for day in days):
        raise InvalidForm("Write the days of the reminders in digits, with commas between them, as in 3, 1.")
    return {
        "tier": path["tier"],
        "dueDays": read_number(form, "due_days"),
        "onSilence": form.get("on_silence"),
        "remindDaysBefore": [int(day) for day in days],
        "escalateAfterDays": read_number(form, "escalate_after_days"),
        "requireCoverageDays": read_number(form, "require_coverage_days"),
        **read_row_version(form),
    }


def _describe_policy(payload: Mapping[str, Any]) -> str:
    policy = payload["policy"]
    return f"Tier {policy['tier'].lower()}: {policy['dueDays']} days to answer, and {policy['silenceMeans']} otherwise."


TEAM_ACTIONS: tuple[FormAction, ...] = (
    FormAction(
        "create_team",
        "/teams/create",
        ("teams",),
        _read_new_team,
        lambda payload: f"{payload['team']['name']} is created.",
    ),
    FormAction("delegate", "/teams/{id}/delegate", ("team",), _read_delegation, _describe_delegation),
    FormAction("set_escalation", "/teams/{id}/escalation", ("team",), _read_escalation, _describe_escalation),
    FormAction(
        "create_key",
        "/teams/{id}/keys",
        ("team",),
        _read_key,
        lambda payload: f"The key {payload['apiKey']['name']} is created.",
        lambda payload: IssuedSecret(payload["token"], "It signs in here, and goes into Authorization: Bearer."),
    ),
    FormAction(
        "revoke_key",
        "/teams/{id}/keys/{key}/revoke",
        ("team",),
        _read_revoked_key,
        lambda payload: f"The key {payload['apiKey']['name']} is revoked.",
    ),
    FormAction(
        "create_webhook",
        "/teams/{id}/webhooks",
        ("team",),
        _read_webhook,
        lambda payload: f"Messages go to {payload['webhook']['host']} from now on.",
        _find_webhook_secret,
    ),
    FormAction(
        "set_webhook_state",
        "/teams/{id}/webhooks/{webhook}/state",
        ("team",),
        _read_webhook_state,
        _describe_webhook_state,
    ),
    FormAction(
        "test_webhook",
        "/teams/{id}/webhooks/{webhook}/test",
        ("team",),
        lambda path, form: {"webhook": path["webhook"], "idempotencyKey": form.get_or_none(IDEMPOTENCY_FIELD)},
        lambda payload: f"A ping to {payload['delivery']['webhook']['host']} is on its way. Load the page in a moment.",
    ),
    FormAction(
        "delete_webhook",
        "/teams/{id}/webhooks/{webhook}/delete",
        ("team",),
        lambda path, _form: {"webhook": path["webhook"]},
        lambda _payload: "The webhook is deleted.",
    ),
    FormAction(
        "redeliver_webhook",
        "/teams/{id}/deliveries/{delivery}/redeliver",
        ("team",),
        lambda path, _form: {"delivery": path["delivery"]},
        lambda _payload: "The delivery is sent once more.",
    ),
    FormAction("set_policy", "/policies/{tier}", ("teams",), _read_policy, _describe_policy),
)
