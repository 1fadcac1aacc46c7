"""The state of the naive model of asks in the form in which the driver reads that of the implementation."""

from typing import Any

from tests.workflows.ask_commands import Model
from tests.workflows.ask_driver import to_json_schema
from tests.workflows.ask_lineage import normalize
from tests.workflows.ask_records import Ask, Atom, Read, mode_of


def describe(model: Model) -> dict[str, Any]:
    """The state of the model as `Implementation.read` gives that of the implementation."""
    return {
        "proposals": [
            {
                "asset": row.asset,
                "status": row.status.value,
                "expires": row.expires_at,
                "atoms": row.atoms,
                "asks": {team: describe_ask(ask) for team, ask in row.asks.items()},
            }
            for row in model.proposals
        ],
        "answers": {
            (*key, row.response.value, row.deadline, name_reads(key[2], row.reads), row.at)
            for key, row in model.answers.items()
        },
        "debts": sorted(
            (kind.value, team, asset, subject if isinstance(subject, str) else subject[1])
            for kind, team, asset, subject in model.debts
        ),
        "change sets": {key: status.value for key, status in model.change_sets.items()},
        "active": {asset: to_json_schema(schema) for asset, schema in model.active.items() if schema is not None},
        "modes": {asset: mode_of(schema) for asset, schema in model.active.items() if schema is not None},
        "readers": sorted(
            (row.asset, row.team, str(None if row.fields is None else sorted(row.fields)))
            for row in model.registrations.values()
        ),
    }


def name_reads(atom: Atom, paths: frozenset[str] | None) -> frozenset[Read] | None:
    return None if paths is None else normalize(frozenset((atom, path) for path in paths))


def describe_ask(ask: Ask) -> dict[str, Any]:
    if ask.is_released:
        return {"released": ask.evidence and ask.evidence.value}
    return {
        "atoms": ask.atoms,
        "reads": normalize(ask.reads),
        "response": ask.response and ask.response.value,
        "deadline": ask.deadline,
        "due": ask.due_at if ask.response is None else None,
        "silence": ask.policy.on_silence.value,
        "escalated": ask.escalated_to or "",
        "overdue": ask.is_overdue,
    }
