"""Mutations for administrators that push the catalog to files and pull it from them, in the folder GIT_SYNC_PATH."""

from typing import Any

import strawberry

from tessera_gql.graphql.context import Context
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.mutations import Input, Payload, context_mutation, payload_field
from tessera_gql.graphql.row_types import from_row
from tessera_gql.workflows.git import sync
from tessera_gql.workflows.git.folder import Commit
from tessera_gql.workflows.git.state import PullResult


@strawberry.input(description="The options of a push of teams and assets into files.")
class PushToGitInput(Input):
    message: str | None = optional("The message of a git commit of the files; without it, nothing is committed.")
    author: str | None = optional("The author of the commit, as `Name <address>`.")
    prune: bool = flag("Remove the files of teams and assets that the database does not have.")


@strawberry.type(description="The result of `pushToGit`; lists and numbers are null if it was refused.")
class PushToGitPayload(Payload):
    changed: list[str] | None = payload_field("The paths of files that are new or changed.", name="written")
    removed: list[str] | None = payload_field(
        "The paths of files that `prune` removed, because their team or asset does not exist."
    )
    unknown: list[str] | None = payload_field(
        "The paths of files that stay although their team or asset does not exist."
    )
    unchanged: int | None = payload_field("The number of files that did not change.")
    commit: str | None = payload_field("The hash of the commit; null if there is none.")


@strawberry.input(description="The options of a pull of teams and assets from files.")
class PullFromGitInput(Input):
    dry_run: bool = flag("Execute the mutation and return its payload, then roll everything back.")


@from_row()
@strawberry.type(description="The numbers of objects that a pull changed.")
class PullReport(RowBacked):
    row: strawberry.Private[PullResult]
    teams_created: int = strawberry.field(description="The number of teams that were created.")
    teams_updated: int = strawberry.field(description="The number of teams that were updated.")
    assets_created: int = strawberry.field(description="The number of assets that were created.")
    assets_updated: int = strawberry.field(description="The number of assets that were updated.")
    contracts_restored: int = strawberry.field(description="The number of contracts restored to assets that had none.")
    contracts_published: int = strawberry.field(description="The number of newer contracts that were published.")
    contracts_retired: int = strawberry.field(description="The number of contracts that were retired.")
    proposals_opened: int = strawberry.field(
        description="The number of proposals opened for newer contracts with breaking changes."
    )
    registrations_created: int = strawberry.field(description="The number of registrations that were created.")
    registrations_updated: int = strawberry.field(description="The number of registrations that were updated.")
    dependencies_added: int = strawberry.field(description="The number of dependencies that were added.")
    deprecations_added: int = strawberry.field(description="The number of deprecations that were added.")
    deprecations_updated: int = strawberry.field(description="The number of deprecations that were updated.")
    policies_updated: int = strawberry.field(description="The number of policies of asks that were set.")
    passed_over: list[str] = strawberry.field(description="The contracts that were skipped, each with the reason.")


@strawberry.type(description="The result of `pullFromGit`.")
class PullFromGitPayload(Payload):
    report: PullReport | None = payload_field("The report; null if refused.")


async def push_to_git(context: Context, arguments: PushToGitInput) -> PushToGitPayload:
    """Write the files in a read transaction, so that no writer waits for the disk."""
    message = or_none(arguments.message)
    commit = None if message is None else Commit(message, or_none(arguments.author))
    async with context.database.read() as session:
        result = await sync.push(session, context.actor, context.git_sync_path, commit=commit, prune=arguments.prune)
    return PushToGitPayload(
        changed=list(result.changed),
        removed=list(result.removed),
        unknown=list(result.unknown),
        unchanged=result.unchanged,
        commit=result.commit,
    )


async def pull_from_git(context: Context, arguments: PullFromGitInput) -> PullFromGitPayload:
    """Read the files, then merge them in one transaction."""
    files = await sync.read_files(context.actor, context.git_sync_path)
    async with context.write(dry_run=arguments.dry_run) as session:
        result = await sync.pull(session, context.actor, files)
    return PullFromGitPayload(report=PullReport.of(result))


@strawberry.type
class Mutations:
    push_to_git: Any = context_mutation(
        push_to_git,
        "Write every team, asset and policy of asks to its file in the server's git folder. Needs the scope ADMIN.",
        input_description="The options of the mutation.",
    )
    pull_from_git: Any = context_mutation(
        pull_from_git,
        "Merge the files of the server's git folder, all of them or none. Needs the scope ADMIN.",
        input_description="The options of the mutation.",
    )
