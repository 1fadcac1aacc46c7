"""Load the facts that a message is made from: the rows that its events are about, each kind with one statement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.global_ids import PAYLOAD_TYPES
from tessera_gql.policy.message_asks import list_proposal_ids
from tessera_gql.policy.message_facts import (
    AskFacts,
    AssetFacts,
    ChangeFacts,
    ChangeSetFacts,
    MessageFacts,
    ProposalFacts,
)
from tessera_gql.policy.messages import MAX_SUBJECTS, Pages
from tessera_gql.store import assets, change_sets, proposals, teams
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Acknowledgment, EventRow, Proposal
from tessera_gql.workflows.acknowledgment_requests import path_from_json

TEAM_FIELDS = frozenset(name for name, type_name in PAYLOAD_TYPES.items() if type_name == "Team")
UNKNOWN_LINEAGE = " (lineage unknown)"


async def load_facts(
    session: Session, events: Sequence[EventRow], *, counts: Mapping[str, int], viewer: UUID | None, pages: Pages
) -> MessageFacts:
    """Load what the events of one message are about."""
    identities = dict.fromkeys(identity for event in events for identity in list_proposal_ids(event))
    rows = await proposals.load_for_messages(session, [*identities][:MAX_SUBJECTS])
    acknowledgments = await proposals.list_acknowledgments(session, ids(rows)) if rows else []
    routes = [path for item in acknowledgments for path in item.paths or ()]
    step_assets = {UUID(asset) for path in routes for asset, _ in path["steps"]}
    asset_ids = {event.asset_id for event in events if event.asset_id} | {row.asset_id for row in rows} | step_assets
    known_assets = {
        row.id: AssetFacts(row.fqn, row.owner_team_id) for row in await assets.by_ids(session, [*asset_ids])
    }
    set_ids = {UUID(event.payload["change_set_id"]) for event in events if event.payload.get("change_set_id")}
    set_ids |= {row.change_set_id for row in rows if row.change_set_id}
    sets = await change_sets.by_ids(session, [*set_ids])
    team_ids = {
        *([viewer] if viewer else []),
        *(team for event in events for team in _list_teams(event.payload)),
        *(item.consumer_team_id for item in acknowledgments),
        *(row.proposed_by for row in rows),
        *(asset.owner_id for asset in known_assets.values()),
    }
    return MessageFacts(
        events,
        counts,
        viewer,
        pages,
        {team.id: team.name for team in await teams.by_ids(session, [*team_ids])},
        known_assets,
        {row.id: _to_proposal(row, acknowledgments, known_assets) for row in rows},
        {row.id: ChangeSetFacts(row.id, row.key, row.title, row.url) for row in sets},
    )


def _list_teams(payload: Mapping[str, Any]) -> Iterable[UUID]:
    for name in TEAM_FIELDS & payload.keys():
        value = payload[name]
        for team in cast("list[str]", value) if isinstance(value, list) else [value]:
            if team is not None:
                yield UUID(team)


def _to_proposal(
    row: Proposal, acknowledgments: Sequence[Acknowledgment], known_assets: Mapping[UUID, AssetFacts]
) -> ProposalFacts:
    own = [item for item in acknowledgments if item.proposal_id == row.id]
    return ProposalFacts(
        row.id,
        row.asset_id,
        row.proposed_by,
        row.kind,
        row.proposed_version,
        row.status,
        row.reason,
        tuple(ChangeFacts(change["message"]) for change in row.breaking_changes),
        row.change_set_id,
        {item.consumer_team_id: _to_ask(row, item, known_assets) for item in own},
    )


def _to_ask(row: Proposal, item: Acknowledgment, known_assets: Mapping[UUID, AssetFacts]) -> AskFacts:
    """Return what a proposal asks a team: the changes for which it is asked, with the ways on which they reach it."""
    routes: dict[str, list[str]] = {}
    for path in map(path_from_json, item.paths or ()):
        steps = [_name_step(asset, column, known_assets) for asset, column in path.steps]
        route = " → ".join(steps) + ("" if path.is_known else UNKNOWN_LINEAGE)
        routes.setdefault(path.fingerprint, []).append(route)
    fingerprints = set(item.change_fingerprints)
    changes = tuple(
        ChangeFacts(change["message"], tuple(routes.get(change["fingerprint"], ())))
        for change in row.breaking_changes
        if change["fingerprint"] in fingerprints
    )
    policy = AskPolicy.from_json(item.policy)
    return AskFacts(changes, policy, item.due_at, item.response, item.notes, item.migration_deadline)


def _name_step(asset: UUID, column: str, known_assets: Mapping[UUID, AssetFacts]) -> str:
    name = known_assets[asset].fqn if asset in known_assets else "a table"
    return f"{name}.{column}" if column else name
