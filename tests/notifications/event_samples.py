"""A sample of every kind of event with hostile texts, and the facts that a message about it is made from."""

import types
import typing
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tessera_gql.policy.ask_policy import DEFAULT_POLICY
from tessera_gql.policy.enums import ProposalKind, ProposalStatus, Response
from tessera_gql.policy.events import ENVELOPE_FIELDS, Event
from tessera_gql.policy.message_facts import (
    AskFacts,
    AssetFacts,
    ChangeFacts,
    ChangeSetFacts,
    MessageFacts,
    ProposalFacts,
)
from tessera_gql.policy.messages import Pages
from tessera_gql.policy.visibility import EVENT_AUDIENCES
from tessera_gql.store.tables import EventRow

HOSTILE = (
    "<!channel> <@U123> @here <script>alert(1)</script> *b* _i_ `c` [x](http://evil.example)"
    " \r\nBcc: victim@example.com\r\n\r\n \u202eevil\u0000 <at>all</at> &amp; {{x}} 'quoted' \"double\""
)
MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ASSET, PROPOSAL, CHANGE_SET, TEAM, OWNER = (UUID(int=number) for number in range(1, 6))
PAGES = Pages("https://data.example.com/tessera")


def sample_event(kind: type[Event], text: str = HOSTILE) -> EventRow:
    """Make an event of a class whose fields all have values, the texts of them hostile."""
    hints = typing.get_type_hints(kind)
    names = [item.name for item in fields(kind) if item.name not in ENVELOPE_FIELDS]
    values = {name: _sample(hints[name], name, text) for name in names}
    event = kind(audience_team_ids=frozenset({TEAM}), asset_id=ASSET, proposal_id=PROPOSAL, **values)
    return EventRow(
        sequence=1,
        id=UUID(int=9),
        kind=event.kind,
        entity_type=event.entity_type,
        entity_id=event.entity_id,
        asset_id=ASSET,
        proposal_id=PROPOSAL,
        teams=[str(TEAM)],
        actor=text,
        payload=event.payload(),
        occurred_at=MOMENT,
        hash="",
    )


def _sample(hint: Any, name: str, text: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _sample(arguments[0], name, text)
    if hint is UUID:
        return {"change_set_id": CHANGE_SET, "proposed_by": OWNER}.get(name, TEAM)
    if name == "proposals":
        return (PROPOSAL,)
    if origin in {tuple, frozenset}:
        return origin([_sample(arguments[0], name, text)])
    if origin is dict:
        return {"description": {"before": text, "after": text}}
    if hint is datetime:
        return MOMENT
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    return {int: 3, bool: True, str: text}[hint]


def sample_facts(kind: type[Event], text: str = HOSTILE, *, viewer: UUID | None = TEAM) -> MessageFacts:
    """Make the facts of a message about one event."""
    event = sample_event(kind, text)
    ask = AskFacts((ChangeFacts(text, (text, text)),), DEFAULT_POLICY, MOMENT, Response.BLOCKED, text)
    proposal = ProposalFacts(
        PROPOSAL,
        ASSET,
        OWNER,
        ProposalKind.CHANGE,
        "2.0.0",
        ProposalStatus.PENDING,
        text,
        (ChangeFacts(text),),
        CHANGE_SET,
        {TEAM: ask},
    )
    return MessageFacts(
        [event],
        {event.kind: 1},
        viewer,
        PAGES,
        {TEAM: text, OWNER: text},
        {ASSET: AssetFacts(text, OWNER)},
        {PROPOSAL: proposal},
        {CHANGE_SET: ChangeSetFacts(CHANGE_SET, text, text, "https://github.com/acme/shop/pull/17")},
    )


ALL_KINDS = tuple(EVENT_AUDIENCES)
