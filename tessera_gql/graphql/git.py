"""Contracts as files on the server: pushed and pulled in the folder that GIT_SYNC_PATH names. For administrators."""

from typing import Annotated, Any

import strawberry

from tessera_gql.errors import Refusal
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.errors import UserError
from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.mutations import Input, Payload
from tessera_gql.workflows import git
from tessera_gql.workflows.git_folder import Commit
from tessera_gql.workflows.git_state import Pulled


@strawberry.input(description="A push of everything into files.")
class PushToGitInput(Input):
    message: str | None = optional("Commits what was written, with this message; nothing is committed if left out.")
    author: str | None = optional("Who the commit is by, as `Name <address>`.")


@strawberry.type(description="What a push wrote.")
class PushToGitPayload(Payload):
    written: list[str] | None = strawberry.field(default=None, description="Files that are new or changed.")
    removed: list[str] | None = strawberry.field(default=None, description="Files of what is gone.")
    unchanged: int | None = strawberry.field(default=None, description="How many files stayed as they were.")
    commit: str | None = strawberry.field(default=None, description="The new commit, if there was anything to commit.")


@strawberry.input(description="A pull of everything from files.")
class PullFromGitInput(Input):
    dry_run: bool = strawberry.field(default=False, description="Do everything, answer, and take it all back.")


@strawberry.type(description="What a pull wrote.")
class PullReport:
    teams_created: int = strawberry.field(description="Teams that were new.")
    teams_updated: int = strawberry.field(description="Teams that changed.")
    assets_created: int = strawberry.field(description="Assets that were new.")
    assets_updated: int = strawberry.field(description="Assets that changed.")
    contracts_restored: int = strawberry.field(description="Versions restored to assets without any.")
    contracts_published: int = strawberry.field(description="Newer versions that were published.")
    contracts_retired: int = strawberry.field(description="Versions that were retired.")
    proposals_opened: int = strawberry.field(description="Newer versions that break something and wait.")
    registrations_created: int = strawberry.field(description="Registrations that were new.")
    registrations_updated: int = strawberry.field(description="Registrations that changed.")
    dependencies_added: int = strawberry.field(description="Edges of the lineage that were new.")
    passed_over: list[str] = strawberry.field(description="Versions in files that were left out, and why.")

    @classmethod
    def of(cls, done: Pulled) -> "PullReport":
        facts: dict[str, Any] = vars(done) | {"passed_over": list(done.passed_over)}
        return cls(**facts)


@strawberry.type(description="What a pull wrote.")
class PullFromGitPayload(Payload):
    report: PullReport | None = strawberry.field(default=None, description="Null if it was refused.")


async def push_to_git(context: Context, asked: PushToGitInput) -> PushToGitPayload:
    """Reads only, so that nobody waits for the disk to be written to."""
    message = given(asked.message)
    commit = None if message is None else Commit(message, given(asked.author))
    async with context.database.read() as session:
        done = await git.push(session, context.actor, context.git_sync_path, commit=commit)
    return PushToGitPayload(
        written=list(done.written), removed=list(done.removed), unchanged=done.unchanged, commit=done.commit
    )


async def pull_from_git(context: Context, asked: PullFromGitInput) -> PullFromGitPayload:
    """The files are read before the transaction begins."""
    files = await git.read(context.actor, context.git_sync_path)
    async with context.write(dry_run=asked.dry_run) as session:
        done = await git.pull(session, context.actor, files)
    return PullFromGitPayload(report=PullReport.of(done))


async def _push(
    info: Info,
    input: Annotated[PushToGitInput, strawberry.argument(description="What to do.")],  # noqa: A002 - the graph's name
) -> PushToGitPayload | None:
    try:
        answer = await push_to_git(info.context, input)
    except Refusal as refusal:
        answer = PushToGitPayload(errors=[UserError.of(refusal, {}, input)])
    answer.client_mutation_id = given(input.client_mutation_id)
    return answer


async def _pull(
    info: Info,
    input: Annotated[PullFromGitInput, strawberry.argument(description="What to do.")],  # noqa: A002 - the graph's name
) -> PullFromGitPayload | None:
    try:
        answer = await pull_from_git(info.context, input)
    except Refusal as refusal:
        answer = PullFromGitPayload(errors=[UserError.of(refusal, {}, input)])
    answer.client_mutation_id = given(input.client_mutation_id)
    return answer


@strawberry.type
class Mutations:
    push_to_git: Any = strawberry.mutation(
        resolver=_push,
        graphql_type=PushToGitPayload | None,
        description="Writes every team and asset to its file. Needs the scope ADMIN.",
    )
    pull_from_git: Any = strawberry.mutation(
        resolver=_pull,
        graphql_type=PullFromGitPayload | None,
        description="Merges what the files say; all of it or nothing. Needs the scope ADMIN.",
    )
