"""The pages of the console: for each its address, its stored query and the variables that it reads from a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from starlette.datastructures import QueryParams

PathParams: TypeAlias = Mapping[str, Any]
ReadVariables: TypeAlias = Callable[[PathParams, QueryParams], dict[str, Any]]

ASSET_STATES: Mapping[str, dict[str, Any]] = {
    "proposal": {"hasOpenProposal": {"eq": True}},
    "deprecated": {"isDeprecated": {"eq": True}},
}
UNUSED_AFTER = timedelta(days=90)
"""Time without observed reads after which a page lists a column, for which no team is registered, as unused."""
MAX_UNFOLDED = 8
"""Neighbours that the lineage of an asset unfolds on each side."""
SMALL_FIELDS = 200
"""Columns up to which the page of a proposal follows the hints without being asked, in some milliseconds."""
CHECKED_FIELDS = 20_000
ASSET_TIERS = ("CRITICAL", "HIGH", "NORMAL", "LOW")
SEARCH_TYPES = ("ASSET", "PROPOSAL", "TEAM")
EVENT_GROUPS: Mapping[str, tuple[str, ...]] = {
    "proposals": (
        "PROPOSAL_OPENED", "PROPOSAL_ANSWERED", "PROPOSAL_EXTENDED", "PROPOSAL_REBASED", "PROPOSAL_STALE",
        "PROPOSAL_STATUS_CHANGED", "PROPOSAL_UPDATED", "PROPOSAL_HELD", "PROPOSAL_HOLD_ENDED", "REOPENING_LIMITED",
        "ACKNOWLEDGMENT_REQUESTED", "ACKNOWLEDGMENT_RELEASED", "ACKNOWLEDGMENT_ESCALATED", "ANSWER_CARRIED",
        "SILENCE_COUNTED", "MIGRATION_OVERDUE", "REMINDER_SENT", "COMMENT_ADDED",
    ),
    "change sets": (
        "CHANGE_SET_OPENED", "CHANGE_SET_UPDATED", "CHANGE_SET_PUBLISHED", "CHANGE_SET_WITHDRAWN",
        "CHANGE_SET_ACKNOWLEDGMENT_REQUESTED", "CHANGE_SET_ANSWERS_CARRIED", "CHANGE_SET_REMINDER_SENT",
        "CHANGE_SET_SILENCE_COUNTED", "CHANGE_SET_ASKS_ESCALATED", "CHANGE_SET_MIGRATIONS_OVERDUE",
    ),
    "contracts": ("CONTRACT_PUBLISHED", "CONTRACT_RETIRED", "CONTRACT_UPDATED", "COMPATIBILITY_MODE_CHANGED"),
    "debts": ("DEBT_RECORDED", "DEBT_SETTLED"),
    "deprecations": (
        "DEPRECATION_DECLARED", "DOWNSTREAM_DEPRECATION_DECLARED", "DEPRECATION_UPDATED", "DEPRECATION_ENDED",
        "DEPRECATION_REMINDER",
    ),
    "registrations": ("REGISTRATION_CREATED", "REGISTRATION_UPDATED", "REGISTRATION_ENDED"),
    "assets": (
        "ASSET_CREATED", "ASSET_UPDATED", "ASSET_RENAMED", "ASSET_ARCHIVED", "ASSET_UNARCHIVED", "DEPENDENCY_ADDED",
        "DEPENDENCY_REMOVED", "MANIFEST_SYNCED", "PROJECT_CREATED", "PROJECT_UPDATED",
    ),
    "teams and policies": (
        "TEAM_CREATED", "TEAM_UPDATED", "TEAM_ARCHIVED", "TEAM_UNARCHIVED", "ASK_POLICY_CHANGED",
    ),
    "observed reads": (
        "READS_OBSERVED", "USAGE_SOURCE_CREATED", "USAGE_IMPORTED", "PRINCIPAL_MAPPED", "PRINCIPAL_UNMAPPED",
    ),
    "keys": ("API_KEY_CREATED", "API_KEY_REVOKED"),
    "webhooks": (
        "WEBHOOK_CREATED", "WEBHOOK_UPDATED", "WEBHOOK_DELETED", "WEBHOOK_REDELIVERED", "WEBHOOK_DELIVERY_FAILED",
    ),
}  # fmt: skip
"""Kinds of events that the audit page filters together, by the word that people see."""


@dataclass(frozen=True)
class ConsolePage:
    """One page: the name of its document and its template, and its address below the public path."""

    name: str
    path: str
    read_variables: ReadVariables
    subject: str | None = None
    """The root field without whose object there is no such page."""
    optional: frozenset[str] = frozenset()
    """Root fields that the page leaves out for a caller who may not read them."""
    looks_back: timedelta | None = None
    """How long before now the variable `since` of the document is; None for a document without it."""

    def find_variables(self, path: PathParams, query: QueryParams, now: datetime) -> dict[str, Any]:
        """Find all variables of the document for a request."""
        variables = self.read_variables(path, query)
        return variables if self.looks_back is None else variables | {"since": (now - self.looks_back).isoformat()}


def _read_inbox(_path: PathParams, query: QueryParams) -> dict[str, Any]:
    team = query.get("team")
    return {
        "after": query.get("after") or None,
        "filter": {"team": {"eq": team}} if team else None,
        "showsAnswered": query.get("show") == "answered",
    }


def _read_id(path: PathParams, _query: QueryParams) -> dict[str, Any]:
    return {"id": path["id"]}


def _read_proposal(path: PathParams, query: QueryParams) -> dict[str, Any]:
    team = query.get("team")
    limit = CHECKED_FIELDS if query.get("check") else SMALL_FIELDS
    return _read_id(path, query) | {"reviewed": {"team": {"eq": team}} if team else None, "maxFields": limit}


def _read_change_set(path: PathParams, query: QueryParams) -> dict[str, Any]:
    return {"id": path["id"], "after": query.get("after") or None}


def _read_catalog(_path: PathParams, query: QueryParams) -> dict[str, Any]:
    text, kind = query.get("q", "").strip(), query.get("kind")
    conditions: dict[str, Any] = dict(ASSET_STATES.get(query.get("state", ""), {}))
    if owner := query.get("owner"):
        conditions["owner"] = {"eq": owner}
    if (tier := query.get("tier")) in ASSET_TIERS:
        conditions["tier"] = {"eq": tier}
    if label := query.get("label"):
        conditions["label"] = {"eq": label}
    return {
        "text": text,
        "searches": bool(text),
        "after": query.get("after") or None,
        "types": [kind] if kind in SEARCH_TYPES else None,
        "filter": conditions or None,
    }


def _read_fqn_page(path: PathParams, query: QueryParams) -> dict[str, Any]:
    return {"fqn": path["fqn"], "after": query.get("after") or None}


def _read_asset(path: PathParams, query: QueryParams) -> dict[str, Any]:
    search = query.get("search", "").strip()
    return _read_fqn_page(path, query) | {"filter": {"search": search} if search else None}


def _read_lineage(path: PathParams, query: QueryParams) -> dict[str, Any]:
    sides = {side: [*dict.fromkeys(query.getlist(side))][:MAX_UNFOLDED] for side in ("up", "down")}
    return {
        "fqn": path["fqn"],
        "unfoldsUp": bool(sides["up"]),
        "unfoldsDown": bool(sides["down"]),
        **{side: fqns or [path["fqn"]] for side, fqns in sides.items()},
    }


def _read_versions(path: PathParams, query: QueryParams) -> dict[str, Any]:
    start, end = query.get("from", ""), query.get("to", "")
    return _read_fqn_page(path, query) | {"from": start, "to": end, "compares": bool(start and end)}


def _read_what_if(path: PathParams, _query: QueryParams) -> dict[str, Any]:
    return {"fqn": path["fqn"], "document": None, "withoutFields": None, "asks": False}


def _read_teams(_path: PathParams, query: QueryParams) -> dict[str, Any]:
    name = query.get("name", "").strip()
    return {"after": query.get("after") or None, "filter": {"name": {"contains": name}} if name else None}


def _read_audit(_path: PathParams, query: QueryParams) -> dict[str, Any]:
    return {"before": query.get("before") or None, "filter": read_event_filter(query)}


def read_event_filter(query: QueryParams) -> dict[str, Any] | None:
    """Read the filter of the audit page, which its export has as well; None without any condition."""
    conditions: dict[str, Any] = {}
    if (group := query.get("kind", "")) in EVENT_GROUPS:
        conditions["kind"] = {"in": [*EVENT_GROUPS[group]]}
    for name in ("asset", "proposal"):
        if value := query.get(name):
            conditions[name] = {"eq": value}
    if team := query.get("team"):
        conditions["teams"] = {"has": team}
    if actor := query.get("actor", "").strip():
        conditions["actor"] = {"contains": actor}
    start, end = _parse_day(query.get("from")), _parse_day(query.get("until"))
    moments = {"gte": f"{start}T00:00:00Z"} if start else {}
    if end:
        moments["lt"] = f"{end + timedelta(days=1)}T00:00:00Z"
    if moments:
        conditions["occurredAt"] = moments
    return conditions or None


def _parse_day(text: str | None) -> date | None:
    """Parse a day; None if it is missing or no date, since a filter without it still answers."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


PAGES: Mapping[str, ConsolePage] = {
    page.name: page
    for page in (
        ConsolePage("inbox", "/", _read_inbox),
        ConsolePage("proposal", "/proposals/{id}", _read_proposal, "proposal"),
        ConsolePage("force", "/proposals/{id}/force", _read_id, "proposal"),
        ConsolePage("change_set", "/change-sets/{id}", _read_change_set, "changeSet"),
        ConsolePage("catalog", "/catalog", _read_catalog),
        ConsolePage("asset", "/assets/{fqn}", _read_asset, "asset", looks_back=UNUSED_AFTER),
        ConsolePage("versions", "/assets/{fqn}/versions", _read_versions, "asset"),
        ConsolePage("readers", "/assets/{fqn}/readers", _read_fqn_page, "asset"),
        ConsolePage("lineage", "/assets/{fqn}/lineage", _read_lineage, "asset"),
        ConsolePage("what_if", "/assets/{fqn}/what-if", _read_what_if, "asset"),
        ConsolePage("teams", "/teams", _read_teams),
        ConsolePage("team", "/teams/{id}", _read_id, "team", frozenset({"apiKeys", "webhooks"})),
        ConsolePage("audit", "/audit", _read_audit),
    )
}
