"""Contracts as files: `push` writes what the database holds, `pull` merges what the files say by natural keys.

A pull never removes and never weakens: a contract newer than ours is published like any other, history is restored only
where there is none, and a version that both have must be the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tessera_gql.errors import Invalid
from tessera_gql.formats import git
from tessera_gql.formats.git import AssetFile, ContractEntry, DependencyEntry, RegistrationEntry, TeamFile
from tessera_gql.policy.access import Actor, Verb, permit
from tessera_gql.store import assets, contracts, lineage, registrations, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, Contract, Registration, Team
from tessera_gql.workflows import git_folder, git_merge
from tessera_gql.workflows.git_folder import Commit, Written
from tessera_gql.workflows.git_state import Pulled

Files = Sequence[tuple[str, TeamFile | AssetFile]]


async def push(session: Session, actor: Actor, folder: Path | None, *, commit: Commit | None = None) -> Written:
    """Writes one file for each team and asset; what the database no longer has is removed. All of it or nothing."""
    permit(actor, Verb.PUSH_TO_GIT, None)
    place = _required(folder)
    described = await _described(session)
    texts = await asyncio.to_thread(lambda: {name: git.write(what) for name, what in described.items()})
    return await asyncio.to_thread(git_folder.save, place, texts, commit)


async def read(actor: Actor, folder: Path | None) -> Files:
    """The files to pull, before any transaction is open; raises Invalid with file and line."""
    permit(actor, Verb.PULL_FROM_GIT, None)
    return await asyncio.to_thread(git_folder.load, _required(folder))


async def pull(session: Session, actor: Actor, files: Files) -> Pulled:
    """All of it or nothing; a refusal names file and line. The same files again write nothing."""
    permit(actor, Verb.PULL_FROM_GIT, None)
    return await git_merge.merge(session, actor, files)


def _required(folder: Path | None) -> Path:
    if folder is None:
        raise Invalid("No folder is set for git. Set GIT_SYNC_PATH to one, then start the server again.")
    return folder


async def _described(session: Session) -> Mapping[str, TeamFile | AssetFile]:
    """Everything that files keep, each under its path."""
    owners = {one.id: one for one in await session.list(select(teams.rows), Team)}
    known = {one.id: one for one in await session.list(select(assets.rows), Asset)}
    names = _Names({key: one.name for key, one in owners.items()}, {key: one.fqn for key, one in known.items()})
    published = select(contracts.rows).order_by(contracts.rows.c.published_at, contracts.rows.c.id)
    versions = _grouped(await session.list(published, Contract), "asset_id")
    live = select(registrations.rows).where(registrations.is_live)
    readers = _grouped(await session.list(live, Registration), "asset_id")
    edges = _grouped(await session.list(select(lineage.rows), AssetDependency), "dependent_asset_id")
    files: dict[str, TeamFile | AssetFile] = {
        f"teams/{git.file_name(one.name)}": TeamFile(name=one.name, metadata=one.meta) for one in owners.values()
    }
    for one in known.values():
        files[f"assets/{git.file_name(one.fqn)}"] = AssetFile(
            fqn=one.fqn,
            owner=names.teams[one.owner_team_id],
            resource_type=one.resource_type.value,
            description=one.description,
            compatibility_mode=one.compatibility_mode.value,
            metadata=one.meta,
            contracts=tuple(names.contract(row) for row in versions[one.id]),
            registrations=tuple(sorted((names.registration(row) for row in readers[one.id]), key=_reader)),
            dependencies=tuple(sorted((names.dependency(row) for row in edges[one.id]), key=_edge)),
        )
    return files


def _grouped(rows: Sequence[Any], by: str) -> Mapping[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, by)].append(row)
    return found


def _reader(one: RegistrationEntry) -> tuple[str, str]:
    return teams.key(one.consumer), assets.key(one.consumer_asset or "")


def _edge(one: DependencyEntry) -> tuple[str, str]:
    return assets.key(one.asset), one.type


@dataclass(frozen=True)
class _Names:
    """What ids are called in files."""

    teams: Mapping[UUID, str]
    assets: Mapping[UUID, str]

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

    def dependency(self, row: AssetDependency) -> DependencyEntry:
        return DependencyEntry(
            asset=self.assets[row.dependency_asset_id], type=row.dependency_type.value, evidence=row.evidence.value
        )
