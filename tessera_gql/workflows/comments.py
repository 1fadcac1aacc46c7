"""Comment on proposals, as any team that may write, or as an administrator without a team."""

from tessera_gql.errors import Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.catalog_events import CommentAdded
from tessera_gql.policy.event_changes import shorten
from tessera_gql.store import assets, proposals, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Comment, Proposal, new_id
from tessera_gql.store.teams import TeamRef

MAX_BODY = 4_000


async def comment(
    session: Session, actor: Actor, proposal: Proposal, body: str, team: TeamRef | None = None
) -> Comment:
    """Comment on a proposal, open or ended. The owner, the proposer and the asked teams are notified."""
    author = (await teams.get(session, team)).id if team else actor.default_team_id
    authorize(actor, Action.COMMENT, author)
    text = _clean_body(body)
    asset = await assets.lock(session, AssetRef(id=proposal.asset_id))
    row = Comment(
        id=new_id(), proposal_id=proposal.id, team_id=author, author=session.actor, body=text, created_at=session.now
    )
    await session.insert(row)
    asked = {
        item.consumer_team_id
        for item in await proposals.list_acknowledgments(session, [proposal.id])
        if item.released_at is None
    }
    event = CommentAdded(
        audience_team_ids=frozenset({asset.owner_team_id, proposal.proposed_by, *asked, *([author] if author else [])}),
        asset_id=asset.id,
        proposal_id=proposal.id,
        comment_id=row.id,
        team_id=author,
        body=shorten(text),
    )
    session.record(event)
    return row


def _clean_body(body: str) -> str:
    text = validation.clean_text(body, "body")
    if text is None:
        raise Invalid("A comment needs a text. Write what the other teams should know.", field=("body",))
    if len(text) > MAX_BODY:
        raise Invalid(f"`body` has {len(text)} characters; {MAX_BODY} is the limit.", field=("body",))
    return text
