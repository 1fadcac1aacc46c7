"""Open, withdraw and publish change sets: the proposals of one pull request, manifest or release.

A change set is locked before the assets of its proposals. Its proposals are decided all or none: a refusal for one of
them rolls back the others.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, NotFound
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, require_scope
from tessera_gql.policy.enums import ChangeSetStatus, ProposalStatus
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import ChangeSetOpened, ChangeSetUpdated, ChangeSetWithdrawn
from tessera_gql.store import assets, change_sets, projects, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Asset, ChangeSet, Proposal, new_id
from tessera_gql.workflows.change_set_status import close_change_set, close_if_published
from tessera_gql.workflows.open_proposals import NO_LONGER_BREAKS
from tessera_gql.workflows.proposal_lifecycle import ProposalResult, change_status, publish_approved, update_status
from tessera_gql.workflows.proposals import find_missing
from tessera_gql.workflows.teams import require_owning_team


@dataclass(frozen=True)
class ChangeSetRequest:
    """A change set by its natural key, such as `github.com/org/repo#4711`. None leaves a detail as it is."""

    key: str
    title: str | None = None
    url: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class ChangeSetRef:
    """A reference to a change set, by its id or its key."""

    id: UUID | None = None
    key: str | None = None


@dataclass(frozen=True)
class ChangeSetResult:
    """A change set after a command, and its proposals that the command ended."""

    change_set: ChangeSet
    proposals: Sequence[Proposal]


async def open_change_set(session: Session, actor: Actor, request: ChangeSetRequest) -> ChangeSet:
    """Open a change set, or open it again if it has ended; update its details. It is locked.

    Each team adds its own proposals. Besides administrators, only the team or project that opened it changes its title,
    URL and commit.
    """
    require_scope(actor, Action.PUBLISH_CONTRACT)
    key = validation.clean_change_set_key(request.key)
    details = {
        "title": validation.clean_text(request.title, "title"),
        "url": validation.clean_url(request.url, "url"),
        "commit": validation.clean_commit(request.commit, "commit"),
    }
    row = ChangeSet(
        id=new_id(),
        key=key,
        **details,
        status=ChangeSetStatus.OPEN,
        opened_by=actor.team_id,
        project_id=actor.project_id,
        opened_at=session.now,
        closed_at=None,
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )
    if await change_sets.insert_if_missing(session, row):
        _record_opening(session, row, is_reopened=False)
        return await change_sets.lock(session, row.id)
    existing = await change_sets.lock(session, (await change_sets.by_keys(session, [key]))[0].id)
    is_editor = actor.is_admin or (actor.team_id, actor.project_id) == (existing.opened_by, existing.project_id)
    changes = details if is_editor else {}
    return await _update(session, existing, {name: value for name, value in changes.items() if value is not None})


async def _update(session: Session, row: ChangeSet, values: dict[str, Any]) -> ChangeSet:
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    is_reopened = row.status is not ChangeSetStatus.OPEN
    if not (changed or is_reopened):
        return row
    if is_reopened:
        changed |= {"status": ChangeSetStatus.OPEN, "opened_at": session.now, "closed_at": None}
    await session.update_row(ChangeSet, row.id, **changed, row_version=row.row_version + 1)
    before, row = row, await change_sets.lock(session, row.id)
    if is_reopened:
        _record_opening(session, row, is_reopened=True)
    else:
        event = ChangeSetUpdated(
            audience_team_ids=_audience(row),
            change_set_id=row.id,
            key=row.key,
            changed=list_changed(changed),
            changes=describe_changes(before, changed),
        )
        session.record(event)
    return row


def _record_opening(session: Session, row: ChangeSet, *, is_reopened: bool) -> None:
    event = ChangeSetOpened(
        audience_team_ids=_audience(row),
        change_set_id=row.id,
        key=row.key,
        title=row.title,
        url=row.url,
        commit=row.commit,
        is_reopened=is_reopened,
    )
    session.record(event)


def _audience(row: ChangeSet) -> frozenset[UUID]:
    return frozenset({row.opened_by} if row.opened_by else ())


async def get(session: Session, ref: ChangeSetRef) -> ChangeSet:
    """Return a change set by its id or key; raise NotFound if there is none."""
    rows = await (change_sets.by_ids(session, [ref.id]) if ref.id else change_sets.by_keys(session, [ref.key]))
    if not rows:
        raise NotFound(
            f"There is no change set {ref.key or ref.id}. List changeSets(filter:) to find it.", field=("change_set",)
        )
    return rows[0]


async def withdraw_unneeded(
    session: Session, actor: Actor, change_set: ChangeSet, unneeded_assets: Collection[UUID]
) -> list[Proposal]:
    """Withdraw the open proposals of a change set for these assets, because it no longer breaks them.

    Other manifests of the same pull request may have proposals in the change set, too.
    """
    return await _withdraw_proposals(
        session, actor, change_set, lambda row: row.asset_id in unneeded_assets, NO_LONGER_BREAKS
    )


async def withdraw_change_set(session: Session, actor: Actor, ref: ChangeSetRef) -> ChangeSetResult:
    """Withdraw a change set with its open proposals, such as that of a pull request that was closed."""
    row = await _lock_open(session, actor, Action.WITHDRAW_CHANGE_SET, ref)
    reason = f"the change set {row.key} was withdrawn"
    withdrawn = await _withdraw_proposals(session, actor, row, lambda _: True, reason)
    if not withdrawn:
        await _require_opener(session, actor, row)
    await close_change_set(session, row, ChangeSetStatus.WITHDRAWN)
    event = ChangeSetWithdrawn(
        audience_team_ids=_audience(row) | {proposal.proposed_by for proposal in withdrawn},
        change_set_id=row.id,
        key=row.key,
        proposals=tuple(ids(withdrawn)),
    )
    session.record(event)
    return ChangeSetResult(await get(session, ChangeSetRef(id=row.id)), withdrawn)


async def _require_opener(session: Session, actor: Actor, row: ChangeSet) -> None:
    """Raise Forbidden unless the caller acts for the team or project that opened the change set."""
    if actor.is_admin or row.opened_by in actor.team_ids or (row.project_id and row.project_id == actor.project_id):
        return
    owners = await projects.list_owners(session, [row.project_id]) if row.project_id else []
    if actor.team_id not in {owner.team_id for owner in owners}:
        raise Forbidden(
            f"The change set {row.key} has no open proposal, and another team or project opened it. Use its key.",
            field=("change_set",),
        )


async def publish_change_set(session: Session, actor: Actor, ref: ChangeSetRef) -> ChangeSetResult:
    """Publish all open proposals of a change set; raises Conflict that names what is missing unless all are approved.

    The last of them gives the change set its final status, even if releases of single assets have published it.
    """
    row = await _lock_open(session, actor, Action.PUBLISH_CHANGE_SET, ref)
    waiting = await _lock_proposals(session, actor, Action.PUBLISH_CHANGE_SET, row, lambda _: True)
    if not waiting and await proposals.list_published_by_change_sets(session, [row.id]):
        await close_if_published(session, row.id)
        return ChangeSetResult(await get(session, ChangeSetRef(id=row.id)), [])
    if not waiting:
        raise Conflict(f"The change set {row.key} has no open proposal, so there is nothing to publish.")
    results = [(asset, await update_status(session, asset, proposal)) for asset, proposal in waiting]
    if missing := await _describe_missing(session, results):
        raise Conflict(f"The change set {row.key} can't be published yet. {missing}")
    published = [
        result if result.contract else await publish_approved(session, asset, result.proposal, asset.owner_team_id)
        for asset, result in results
    ]
    return ChangeSetResult(await get(session, ChangeSetRef(id=row.id)), [result.proposal for result in published])


async def apply_change_set_deadlines(session: Session, change_set_id: UUID, proposal_ids: Collection[UUID]) -> None:
    """Apply deadlines that have passed to proposals of a change set, so that each team is notified once."""
    await change_sets.lock(session, change_set_id)
    rows = [row for row in await proposals.list_open_by_change_sets(session, [change_set_id]) if row.id in proposal_ids]
    await assets.lock_by_ids(session, [row.asset_id for row in rows])
    locked = {asset.id: asset for asset in await assets.by_ids(session, [row.asset_id for row in rows])}
    for row in rows:
        current = await proposals.get(session, row.id)
        await update_status(session, locked[row.asset_id], current)


async def _describe_missing(session: Session, results: Sequence[tuple[Asset, ProposalResult]]) -> str:
    reasons: list[str] = []
    for asset, result in results:
        if result.proposal.status.is_open and (reason := await find_missing(session, asset, result.proposal)):
            reasons.append(f"{asset.fqn}: {reason}")
        elif result.proposal.status is ProposalStatus.EXPIRED:
            reasons.append(f"{asset.fqn}: The proposal has expired. Publish the schema again to ask afresh.")
    return " ".join(reasons)


async def _lock_open(session: Session, actor: Actor, action: Action, ref: ChangeSetRef) -> ChangeSet:
    require_scope(actor, action)
    row = await change_sets.lock(session, (await get(session, ref)).id)
    if row.status is not ChangeSetStatus.OPEN:
        raise Conflict(
            f"The change set {row.key} ended as {row.status}. A publish that names it opens it again.",
            field=("change_set",),
        )
    return row


async def _lock_proposals(
    session: Session, actor: Actor, action: Action, change_set: ChangeSet, is_selected: Callable[[Proposal], bool]
) -> list[tuple[Asset, Proposal]]:
    """Lock the assets of the open proposals of a change set, and authorize the actor for each."""
    selected = [row for row in await proposals.list_open_by_change_sets(session, [change_set.id]) if is_selected(row)]
    locked = {row.asset_id: await assets.lock(session, AssetRef(id=row.asset_id)) for row in selected}
    for asset in locked.values():
        await require_owning_team(session, actor, action, asset, f"{action} with a proposal for {asset.fqn}")
    current = await proposals.list_open_by_change_sets(session, [change_set.id])
    return [(locked[row.asset_id], row) for row in current if row.asset_id in locked]


async def _withdraw_proposals(
    session: Session, actor: Actor, change_set: ChangeSet, is_selected: Callable[[Proposal], bool], reason: str
) -> list[Proposal]:
    """Withdraw the selected proposals that time has not ended yet."""
    locked = await _lock_proposals(session, actor, Action.WITHDRAW_CHANGE_SET, change_set, is_selected)
    results = [(asset, await update_status(session, asset, row, may_publish=False)) for asset, row in locked]
    return [
        await change_status(session, asset, result.proposal, ProposalStatus.WITHDRAWN, reason)
        for asset, result in results
        if result.proposal.status.is_open
    ]
