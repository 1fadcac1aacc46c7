"""Contracts as files: `push` writes the content of the database, `pull` merges files by natural keys.

A pull never removes and never weakens: a newer contract is published like any other, history is restored only where
there is none, and a version that exists on both sides must be the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.formats import git_files
from tessera_gql.formats.git_files import (
    AssetFile,
    ContractEntry,
    DependencyEntry,
    DeprecationEntry,
    GitFile,
    RegistrationEntry,
    TeamFile,
)
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.enums import AssetTier, LabelOrigin
from tessera_gql.store import assets, contracts, deprecations, labels, lineage, registrations, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AssetDependency, Contract, Deprecation, Registration, Team
from tessera_gql.workflows.git import folder as git_folder
from tessera_gql.workflows.git import merge
from tessera_gql.workflows.git.folder import Commit, PushResult
from tessera_gql.workflows.git.policies import load_policy_files
from tessera_gql.workflows.git.state import PullResult

Files = Sequence[tuple[str, GitFile]]


async def push(
    session: Session, actor: Actor, folder: Path | None, *, commit: Commit | None = None, prune: bool = False
) -> PushResult:
    """Write one file for each team, asset and policy of asks; nothing is written if anything fails.

    Files of teams and assets that the database does not have stay, or are removed with `prune`.
    """
    authorize(actor, Action.PUSH_TO_GIT, None)
    root = _require_folder(folder)
    contents = await _load_contents(session)
    texts = await asyncio.to_thread(
        lambda: {git_files.default_path(content): git_files.render_file(content) for content in contents}
    )
    return await asyncio.to_thread(git_folder.save_files, root, texts, commit, prune=prune)


async def read_files(actor: Actor, folder: Path | None) -> Files:
    """Read the files to pull, before a transaction is open; raises Invalid with file and line."""
    authorize(actor, Action.PULL_FROM_GIT, None)
    return await asyncio.to_thread(git_folder.load_files, _require_folder(folder))


async def pull(session: Session, actor: Actor, files: Files) -> PullResult:
    """Merge files, all or nothing; an error names file and line. Repeating a pull writes nothing."""
    authorize(actor, Action.PULL_FROM_GIT, None)
    return await merge.merge_files(session, actor, files)


def _require_folder(folder: Path | None) -> Path:
    if folder is None:
        raise Invalid("No folder is set for git. Set GIT_SYNC_PATH to one, then start the server again.")
    return folder


async def _load_contents(session: Session) -> list[GitFile]:
    team_rows, asset_rows = await teams.list_all(session), await assets.list_all(session)
    names = _Names({team.id: team.name for team in team_rows}, {asset.id: asset.fqn for asset in asset_rows})
    versions = _group_by(await contracts.list_all(session), "asset_id")
    consumers = _group_by(await registrations.list_all_live(session), "asset_id")
    announced = _group_by(await deprecations.list_all_live(session), "asset_id")
    edges = _group_by(await lineage.list_all(session), "dependent_asset_id")
    labeled = _group_by(await labels.list_all(session), "asset_id")
    team_files = [names.team(team, session.now) for team in team_rows]
    asset_files = [
        AssetFile(
            fqn=asset.fqn,
            owner=names.teams[asset.owner_team_id],
            resource_type=asset.resource_type.value,
            description=asset.description,
            compatibility_mode=asset.compatibility_mode.value,
            tier=asset.tier.value if asset.is_tier_confirmed or asset.tier is not AssetTier.NORMAL else None,
            tier_confirmed=asset.is_tier_confirmed,
            labels=tuple(row.name for row in labeled[asset.id] if row.origin is LabelOrigin.DECLARED),
            archived=asset.archived_at is not None,
            superseded_by=names.assets[asset.superseded_by_id] if asset.superseded_by_id else None,
            metadata=asset.meta,
            deprecations=tuple(sorted(map(names.deprecation, announced[asset.id]), key=lambda entry: entry.path or "")),
            contracts=tuple(map(names.contract, versions[asset.id])),
            registrations=tuple(
                sorted(
                    map(names.registration, consumers[asset.id]),
                    key=lambda entry: (teams.key(entry.consumer), assets.key(entry.consumer_asset or "")),
                )
            ),
            dependencies=tuple(
                sorted(map(names.dependency, edges[asset.id]), key=lambda entry: (assets.key(entry.asset), entry.type))
            ),
        )
        for asset in asset_rows
    ]
    return [*team_files, *asset_files, *await load_policy_files(session)]


def _group_by(rows: Sequence[Any], column: str) -> Mapping[UUID, list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, column)].append(row)
    return groups


@dataclass(frozen=True)
class _Names:
    """The names of teams and assets by id, for files."""

    teams: Mapping[UUID, str]
    assets: Mapping[UUID, str]

    def team(self, row: Team, now: datetime) -> TeamFile:
        delegate = teams.to_delegation(row).find_delegate(now)
        return TeamFile(
            name=row.name,
            archived=row.archived_at is not None,
            delegate=self.teams[delegate] if delegate else None,
            delegate_until=row.delegate_until if delegate else None,
            escalation_team=self.teams[row.escalation_team_id] if row.escalation_team_id else None,
            metadata=row.meta,
        )

    def contract(self, row: Contract) -> ContractEntry:
        return ContractEntry(
            version=row.version,
            status=row.status.value,
            change_type=row.change_type.value,
            compatibility_mode=row.compatibility_mode.value,
            published_at=row.published_at,
            published_by=self.teams[row.published_by],
            metadata=row.meta,
            guarantees=row.guarantees,
            source=row.source,
            known_columns=row.known_columns,
            schema=row.schema_def,
        )

    def registration(self, row: Registration) -> RegistrationEntry:
        return RegistrationEntry(
            consumer=self.teams[row.consumer_team_id],
            consumer_asset=self.assets[row.consumer_asset_id] if row.consumer_asset_id else None,
            fields=None if row.fields is None else tuple(row.fields),
            pinned_version=row.pinned_version,
            status=row.status.value,
            evidence=row.evidence.value,
            purpose=row.purpose,
            registered_at=row.registered_at,
            acknowledged_at=row.acknowledged_at,
            metadata=row.meta,
        )

    def deprecation(self, row: Deprecation) -> DeprecationEntry:
        return DeprecationEntry(
            path=row.path or None,
            sunset_at=row.sunset_at,
            replacement=row.replacement,
            reason=row.reason,
            origin=row.origin.value,
            declared_by=self.teams[row.declared_by],
            declared_at=row.declared_at,
        )

    def dependency(self, row: AssetDependency) -> DependencyEntry:
        return DependencyEntry(
            asset=self.assets[row.dependency_asset_id], type=row.dependency_type.value, evidence=row.evidence.value
        )
