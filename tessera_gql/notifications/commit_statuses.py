"""Post the commit status of a change set, as its state is at that moment."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.notifications.github_status import GitHubApi, GitHubOptions, StatusTarget, set_status
from tessera_gql.notifications.outbound_http import DeliveryError
from tessera_gql.policy.commit_status import CommitStatus, ProposalState, decide_status, find_repository, is_in_scope
from tessera_gql.policy.messages import Pages
from tessera_gql.store import change_sets, commit_statuses, teams
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ChangeSet, Webhook
from tessera_gql.workflows.ask_clock import to_response

MAX_POSTS = 4
"""Posts of one delivery while the state changes; then the next delivery goes on."""
NOTHING_TO_SET = 204


@dataclass(frozen=True)
class ChangeSetState:
    """A change set with the status that its commit has now."""

    change_set: ChangeSet
    status: CommitStatus


async def post_status(database: Database, webhook: Webhook, change_set_id: UUID, api: GitHubApi, pages: Pages) -> int:
    """Post the status of a change set until it is the one that was read after the post.

    Two workers may post at once: the last post reads the state after all others, so the final status is right.
    """
    code = NOTHING_TO_SET
    posted: tuple[str, CommitStatus] | None = None
    for _ in range(MAX_POSTS):
        async with database.read() as session:
            state = await load_state(session, change_set_id)
        if state is None or (commit := state.change_set.commit) is None or posted == (commit, state.status):
            return code
        target = _find_target(webhook, state.change_set, commit, api.options, pages)
        code = await set_status(api, target, state.status)
        posted = (commit, state.status)
    return code


def _find_target(
    webhook: Webhook, change_set: ChangeSet, commit: str, options: GitHubOptions, pages: Pages
) -> StatusTarget:
    repository = find_repository(change_set.key)
    if repository is None or not is_in_scope(webhook.url, change_set.key):
        raise DeliveryError(f"{change_set.key} is no pull request of {webhook.url}.", is_final=True)
    if repository[0] != options.host:
        raise DeliveryError(
            f"{repository[0]} is not the host of GITHUB_API_URL ({options.api_url}), and the token goes only there.",
            is_final=True,
        )
    page = pages.change_set(change_set.id)
    return StatusTarget(repository[1], commit, page.url if page else change_set.url)


async def load_state(session: Session, change_set_id: UUID) -> ChangeSetState | None:
    """Load a change set and decide the status of its commit; None if it does not exist any more."""
    rows = await change_sets.by_ids(session, [change_set_id])
    if not rows:
        return None
    latest = await commit_statuses.load_proposals(session, change_set_id)
    acknowledgments = await commit_statuses.load_acknowledgments(session, [row for row in latest if row.status.is_open])
    names = {
        team.id: team.name for team in await teams.by_ids(session, [*{row.consumer_team_id for row in acknowledgments}])
    }
    blocking: dict[UUID, set[str]] = defaultdict(set)
    awaited: dict[UUID, set[str]] = defaultdict(set)
    for row in acknowledgments:
        response = to_response(row)
        if response.is_block:
            blocking[row.proposal_id].add(names[row.consumer_team_id])
        elif not response.is_consent:
            awaited[row.proposal_id].add(names[row.consumer_team_id])
    states = [
        ProposalState(
            row.asset_id, row.status, row.hold is not None, frozenset(blocking[row.id]), frozenset(awaited[row.id])
        )
        for row in latest
    ]
    return ChangeSetState(rows[0], decide_status(rows[0].status, states))
