"""What random histories choose from: tables and teams, schemas, and policies."""

from typing import Any

from tessera_gql.policy.enums import OnSilence
from tests.workflows.ask_records import Policy, Schema

FULL: Schema = {"a": "string", "b": "string", "c": "integer", "s.x": "string", "s.y": "integer"}
PATHS = ("a", "b", "c", "s", "s.x", "s.y")
FIRST, SECOND, STAGING = "analytics.core.first", "analytics.core.second", "analytics.core.staging"
OWNERS = {FIRST: "owner", SECOND: "rival", STAGING: "owner"}
CONSUMERS = ("rival", "one", "two", "three")
TEAMS = ("owner", *CONSUMERS)
REPORTS = {f"mart.{team}": team for team in TEAMS}


def without(*paths: str, **types: str) -> Schema:
    return {path: types.get(path, kind) for path, kind in FULL.items() if not path.startswith(paths or ("-",))}


SCHEMAS = [
    FULL,
    FULL,
    without("a"),
    without("a", "b"),
    without("a", "s"),
    without("b"),
    without("s"),
    without("s.x"),
    without(c="string"),
    without("a", c="string"),
    {**FULL, "d": "string"},
    {**without("a"), "d": "string"},
]
POLICIES = [
    Policy(),
    Policy(10, frozenset({2}), 4, OnSilence.APPROVE),
    Policy(10, frozenset({3, 1}), None, OnSilence.BLOCK),
    Policy(20, frozenset({5}), 7, OnSilence.EXTEND),
    Policy(14, frozenset(), 3, OnSilence.EXPIRE),
]
TIERS = ("NORMAL", "CRITICAL")
UNSAID: dict[str, Any] = {
    "supersede": False,
    "force": False,
    "automatic": False,
    "explicit": False,
    "change_set": None,
    "expires_at": None,
}
"""The options of a publish that names none."""
