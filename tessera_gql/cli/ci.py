"""`tessera publish` and `tessera impact`: one schema, from a file. Exit 1 it breaks somebody, 3 it waits."""

from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.documents import Dialect, Part, SchemaFile, Written, offered
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.remote import Json, connected, print_answer, read_json
from tessera_gql.cli.terminal import print_line
from tessera_gql.client import CompatibilityMode, Impact, Publication, PublishOutcome
from tessera_gql.client.operations.publishing import Publishing
from tessera_gql.escaping import tessera_command

Guarantees = Annotated[Path | None, typer.Option(help="A JSON file with what is promised beside the schema.")]


def publish(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: str,
    schema: SchemaFile,
    team: Annotated[str | None, typer.Option("--team", "-t", help="Who publishes; the owner by default.")] = None,
    version: Annotated[str | None, typer.Option(help="Not the next honest one, but this.")] = None,
    guarantees: Guarantees = None,
    mode: Annotated[CompatibilityMode | None, typer.Option(case_sensitive=False, help="From now on.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for those who are asked.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although it breaks. Needs ADMIN and a reason.")] = False,
    supersede: Annotated[bool, typer.Option("--supersede", help="End another open proposal.")] = False,
    when_approved: Annotated[bool, typer.Option("--when-approved", help="Publish with the last consent.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything and keep nothing.")] = False,
    written: Written = None,
    part: Part = None,
    dialect: Dialect = None,
    as_json: Json = False,
) -> None:
    """Publish a schema. Exit 0 published or unchanged, 3 it breaks somebody and waits for them, 2 refused.

    The file is a JSON Schema, or by its name ODCS (.yaml), Avro (.avsc), SQL (.sql) or a protobuf descriptor set (.pb).

    Example: tessera publish analytics.marts.orders orders.json --team shop --reason "Coupons moved."
    """
    options = Publishing(force=force, supersede=supersede, publish_when_approved=when_approved, dry_run=dry_run)
    if version:
        options["version"] = version
    if guarantees:
        options["guarantees"] = read_json(guarantees)
    if mode:
        options["compatibility_mode"] = mode
    if reason:
        options["reason"] = reason
    with connected() as client:
        offer = offered(schema, written, part, dialect)
        done = client.publish_contract(fqn=fqn, schema_def=offer, published_by=team, **options)
    print_answer(done) if as_json else _tell(fqn, done)
    if done.outcome is PublishOutcome.PROPOSED and done.proposal and done.proposal.status != "APPROVED":
        raise typer.Exit(ExitCode.WAITING)


def _tell(fqn: str, done: Publication) -> None:
    version = done.contract.version if done.contract else "?"
    match done.outcome:
        case PublishOutcome.UNCHANGED:
            print_line(f"{fqn} {version} is unchanged.")
        case PublishOutcome.PROPOSED if done.proposal:
            proposal = done.proposal
            print_line(f"{fqn} {proposal.proposed_version} breaks its readers; a proposal is open: {proposal.id}")
            for change in proposal.breaking_changes:
                print_line(f"  {change.message}")
            for team in proposal.awaiting:
                print_line(f"  waits for: {tessera_command('ack', fqn, 'APPROVED', team=team.name)}")
            if proposal.status == "APPROVED":
                print_line(f"  Nobody has to answer: {tessera_command('publish-proposal', fqn)}")
        case outcome:
            print_line(f"{fqn} {version} is published{' by force' if outcome == 'FORCED' else ''}.")
            for found in done.diff.changes if done.diff else ():
                print_line(f"  {found.message}")


def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: str,
    schema: SchemaFile,
    guarantees: Guarantees = None,
    mode: Annotated[
        CompatibilityMode | None, typer.Option(case_sensitive=False, help="As if it were the mode.")
    ] = None,
    written: Written = None,
    part: Part = None,
    dialect: Dialect = None,
    as_json: Json = False,
) -> None:
    """Say what publishing a schema would do. Nothing is written. Exit 0 it hurts nobody, 1 somebody would be asked.

    Example: tessera impact analytics.marts.orders orders.json
    """
    promised = read_json(guarantees) if guarantees else None
    with connected() as client:
        offer = offered(schema, written, part, dialect)
        found = client.impact(offer, asset=fqn, guarantees=promised, compatibility_mode=mode)
    print_answer(found) if as_json else _foretell(found)
    if found.asked:
        raise typer.Exit(ExitCode.NEGATIVE)


def _foretell(found: Impact) -> None:
    version = f" as {found.version}" if found.version else ""
    verdict = {"UNCHANGED": "would be unchanged", "PROPOSED": "would have to be proposed"}
    print_line(f"{found.asset.fqn} {verdict.get(found.outcome, 'would be published')}{version}.")
    breaking = {change.fingerprint for change in found.breaking}
    for change in found.changes:
        mark = "breaks" if change.fingerprint in breaking else "      "
        print_line(f"  {mark}  {change.message}")
    for asked in found.asked:
        because = ", ".join(dict.fromkeys(reason.path or "everything" for reason in asked.because))
        print_line(f"  asks {asked.team.name}, which reads {because}")
    for team in found.informed:
        print_line(f"  tells {team.name}")
