"""Archive and restore assets and teams."""

from typing import Any

import strawberry

from tessera_gql.graphql.assets import Asset
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.mutations import Call, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput
from tessera_gql.graphql.teams import Team
from tessera_gql.workflows import archiving


@strawberry.input(description="The asset to archive, which nothing may depend on any more.")
class ArchiveAssetInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset to archive, by id or fqn.")


@strawberry.type(description="The result of `archiveAsset`.")
class ArchiveAssetPayload(Payload):
    asset: Asset | None = payload_field("The archived asset; null if refused.")


async def archive_asset(call: Call, arguments: ArchiveAssetInput) -> ArchiveAssetPayload:
    version = or_none(arguments.expected_row_version)
    row = await archiving.archive_asset(
        call.session, call.actor, arguments.asset.to_ref(), expected_row_version=version
    )
    return ArchiveAssetPayload(asset=Asset.of(row))


@strawberry.input(description="The archived asset to restore.")
class UnarchiveAssetInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset to restore, by id or fqn.")


@strawberry.type(description="The result of `unarchiveAsset`.")
class UnarchiveAssetPayload(Payload):
    asset: Asset | None = payload_field("The restored asset; null if refused.")


async def unarchive_asset(call: Call, arguments: UnarchiveAssetInput) -> UnarchiveAssetPayload:
    version = or_none(arguments.expected_row_version)
    row = await archiving.unarchive_asset(
        call.session, call.actor, arguments.asset.to_ref(), expected_row_version=version
    )
    return UnarchiveAssetPayload(asset=Asset.of(row))


@strawberry.input(description="The team to archive, which must own, read and answer nothing any more.")
class ArchiveTeamInput(VersionedInput):
    team: TeamRefInput = strawberry.field(description="The team to archive, by id or name.")


@strawberry.type(description="The result of `archiveTeam`.")
class ArchiveTeamPayload(Payload):
    team: Team | None = payload_field("The archived team; null if refused.")


async def archive_team(call: Call, arguments: ArchiveTeamInput) -> ArchiveTeamPayload:
    version = or_none(arguments.expected_row_version)
    row = await archiving.archive_team(call.session, call.actor, arguments.team.to_ref(), expected_row_version=version)
    return ArchiveTeamPayload(team=Team.of(row))


@strawberry.input(description="The archived team to restore.")
class UnarchiveTeamInput(VersionedInput):
    team: TeamRefInput = strawberry.field(description="The team to restore, by id or name.")


@strawberry.type(description="The result of `unarchiveTeam`.")
class UnarchiveTeamPayload(Payload):
    team: Team | None = payload_field("The restored team; null if refused.")


async def unarchive_team(call: Call, arguments: UnarchiveTeamInput) -> UnarchiveTeamPayload:
    version = or_none(arguments.expected_row_version)
    row = await archiving.unarchive_team(
        call.session, call.actor, arguments.team.to_ref(), expected_row_version=version
    )
    return UnarchiveTeamPayload(team=Team.of(row))


@strawberry.type
class Mutations:
    archive_asset: Any = mutation(
        archive_asset,
        "Archive an asset that no team and no other asset reads any more. Its contracts and events stay. Needs a key of"
        " the owner team or the scope ADMIN.",
    )
    unarchive_asset: Any = mutation(
        unarchive_asset, "Restore an archived asset. Needs a key of the owner team or the scope ADMIN."
    )
    archive_team: Any = mutation(
        archive_team, "Archive a team that owns, reads and answers nothing any more. Needs the scope ADMIN."
    )
    unarchive_team: Any = mutation(unarchive_team, "Restore an archived team. Needs the scope ADMIN.")
