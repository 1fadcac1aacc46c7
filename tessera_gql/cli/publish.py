"""`tessera publish`, `impact` and `retire`: publish the schema in a file, preview that, or retire an asset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect, read_json
from tessera_gql.cli.completion import complete_team
from tessera_gql.cli.coverage_report import describe_coverage, list_hold_lines
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.gate import describe_other_change_set, is_same_key
from tessera_gql.cli.lineage_report import describe_paths
from tessera_gql.cli.pull_request import find_commit
from tessera_gql.cli.schema_options import DialectOption, FormatOption, PartOption, SchemaArgument, read_schema
from tessera_gql.cli.silence import describe_wait
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note
from tessera_gql.client.enums import AwaitedStep, CompatibilityMode, Intent, PublishOutcome
from tessera_gql.client.requests import ChangeSetRequest
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client import AwaitedTeam, Impact, Proposal, PublishResult, RetirementResult
    from tessera_gql.client.models import CoveredProposal
    from tessera_gql.client.operations.proposals import RetirementOptions
    from tessera_gql.client.operations.publishing import PublishOptions

AskOption = Annotated[
    bool, typer.Option("--ask", help="Only ask the affected teams, as for a pull request: nothing is published.")
]
ReasonOption = Annotated[str | None, typer.Option(help="Reason for the change, for the asked teams.")]
SupersedeOption = Annotated[bool, typer.Option("--supersede", help="End an open proposal of the asset.")]
WhenApprovedOption = Annotated[bool, typer.Option("--when-approved", help="Publish once all teams approve.")]
ExplicitOption = Annotated[
    bool, typer.Option("--explicit", help="Keep an approved proposal for `tessera publish-proposal`.")
]
ChangeSetOption = Annotated[
    str | None, typer.Option("--change-set", metavar="KEY", help="Pull request, such as github.com/org/repo#17.")
]
ChangeSetTitleOption = Annotated[str | None, typer.Option(help="Title of the change set, for the asked teams.")]
ChangeSetUrlOption = Annotated[str | None, typer.Option(help="Address of the pull request.")]
ChangeSetCommitOption = Annotated[
    str | None, typer.Option(help="Commit that is proposed; by default that of the CI job.")
]
GuaranteesOption = Annotated[Path | None, typer.Option(help="JSON file with guarantees, such as freshness and volume.")]


def publish(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: FqnArgument,
    schema: SchemaArgument,
    team: Annotated[
        str | None,
        typer.Option("--team", "-t", help="Team that publishes; by default the owner.", autocompletion=complete_team),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Version; by default the next one.")] = None,
    guarantees: GuaranteesOption = None,
    mode: Annotated[
        CompatibilityMode | None, typer.Option(case_sensitive=False, help="Compatibility mode from now on.")
    ] = None,
    reason: ReasonOption = None,
    ask: AskOption = False,
    change_set: ChangeSetOption = None,
    change_set_title: ChangeSetTitleOption = None,
    change_set_url: ChangeSetUrlOption = None,
    change_set_commit: ChangeSetCommitOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish a breaking change; needs ADMIN and --reason.")
    ] = False,
    supersede: SupersedeOption = False,
    when_approved: WhenApprovedOption = False,
    explicit: ExplicitOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run and roll back: nothing is written.")] = False,
    format_: FormatOption = None,
    part: PartOption = None,
    dialect: DialectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a schema. Exit 0 if published or unchanged, 2 if refused, 3 if it waits for acknowledgments.

    The file is a JSON Schema (.json, .yaml), or, by its extension, a data contract of ODCS v3 or the Data Contract
    Specification (.yaml), Avro (.avsc), SQL (.sql) or a protobuf descriptor set (.pb). A breaking change asks the teams
    that read what breaks; run the command again once they agree, and it is published. With --ask nothing is published.

    Example: tessera publish analytics.marts.orders orders.json --team shop --reason "Coupons moved."
    """
    options: PublishOptions = {"force": force, "supersede": supersede, "dry_run": dry_run}
    options |= {"publish_when_approved": when_approved, "require_explicit_publish": explicit}
    options |= {"version": version or None, "compatibility_mode": mode, "reason": reason or None}
    options["intent"] = Intent.ASK if ask else None
    options["change_set"] = _build_change_set(change_set, change_set_title, change_set_url, change_set_commit)
    if guarantees:
        options["guarantees"] = read_json(guarantees)
    files = {"schema": schema, "document": schema, **({"guarantees": guarantees} if guarantees else {})}
    with connect(**files) as client:
        schema_def = read_schema(schema, format_, part, dialect)
        result = client.publish_contract(fqn=fqn, schema_def=schema_def, published_by=team, **options)
    _print_warnings(result.warnings or ())
    print_json(result) if as_json else _print_publish_result(fqn, result)
    _print_other_change_set(fqn, result.proposal, change_set)
    if result.outcome is PublishOutcome.PROPOSED and result.proposal and result.proposal.status != "APPROVED":
        raise typer.Exit(ExitCode.WAITING)


def _print_other_change_set(fqn: str, proposal: Proposal | None, requested: str | None) -> None:
    """Say on stderr that an open proposal with these terms stays in the change set that asked first."""
    current = proposal.change_set if proposal and proposal.is_open else None
    if current is None or requested is None or is_same_key(current.key, requested):
        return
    print_note((describe_other_change_set(fqn, current.key, requested), "yellow"))
    show = build_tessera_command("change-set", "show", current.key)
    print_note(f"  to see it: {show}; to move it: {build_tessera_command('withdraw', fqn)}, then run this again")


def _build_change_set(
    key: str | None, title: str | None, url: str | None, commit: str | None
) -> ChangeSetRequest | None:
    if key is None and (title or url or commit):
        raise fail("A title, URL or commit needs the change set that it belongs to: --change-set KEY.")
    return None if key is None else ChangeSetRequest(key, title or None, url or None, commit or find_commit(os.environ))


def retire(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: FqnArgument,
    reason: Annotated[str, typer.Option(help="Reason for the retirement, for the asked teams.")],
    team: Annotated[
        str | None,
        typer.Option("--team", "-t", help="Owner team; by default that of the key.", autocompletion=complete_team),
    ] = None,
    ask: AskOption = False,
    change_set: ChangeSetOption = None,
    change_set_title: ChangeSetTitleOption = None,
    change_set_url: ChangeSetUrlOption = None,
    change_set_commit: ChangeSetCommitOption = None,
    supersede: SupersedeOption = False,
    when_approved: WhenApprovedOption = False,
    explicit: ExplicitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Retire an asset, after all teams that read it agree. Exit 0 if retired, 2 if refused, 3 if it waits.

    Every reader is asked. Run again once they agree, and the contract is retired; without readers it is retired at
    once.

    Example: tessera retire analytics.marts.orders --reason "Replaced by orders_v2."
    """
    options: RetirementOptions = {
        "intent": Intent.ASK if ask else None,
        "change_set": _build_change_set(change_set, change_set_title, change_set_url, change_set_commit),
        "supersede": supersede,
        "publish_when_approved": when_approved,
        "require_explicit_publish": explicit,
    }
    with connect() as client:
        result = client.propose_retirement(fqn, reason=reason, team=team, **options)
    print_json(result) if as_json else _print_retirement(fqn, result)
    _print_other_change_set(fqn, result.proposal, change_set)
    if result.contract is None and result.proposal.status != "APPROVED":
        raise typer.Exit(ExitCode.WAITING)


def _print_retirement(fqn: str, result: RetirementResult) -> None:
    if result.contract:
        print_line(f"{fqn} {result.contract.version} is retired.")
        _print_coverage(result.proposal)
        return
    print_line(f"The retirement of {fqn} is {result.proposal.status}: {result.proposal.id}")
    _print_next_steps(fqn, result.proposal)


def _print_coverage(proposal: CoveredProposal) -> None:
    """Say on what it rests that nobody reads what a proposal changes, if it asks nobody about some of it."""
    if proposal.coverage is not None and any(not change.teams for change in proposal.breaking_changes):
        print_line(f"  {describe_coverage(proposal.coverage)}")


def _print_next_steps(fqn: str, proposal: CoveredProposal) -> None:
    for item in proposal.waits_for:
        print_line(f"  waits for: {build_tessera_command('ack', fqn, 'APPROVED', team=item.team.name)}")
        if description := _describe_hold(item):
            print_line(f"             ({description})")
    if proposal.hold is not None:
        for line in list_hold_lines(fqn, proposal.hold):
            print_line(f"  {line}")
    _print_coverage(proposal)
    if proposal.status == "APPROVED":
        print_line(f"  approved; to publish it: {build_tessera_command('publish-proposal', fqn)}")


def _describe_hold(item: AwaitedTeam) -> str:
    """Describe why a change waits for a team: it has not answered yet, it migrates or it blocks."""
    holds = {AwaitedStep.CHANGE_OF_MIND: "it blocks", AwaitedStep.MIGRATION: "it migrates"}
    return holds.get(item.step) or describe_wait(item)


def _print_warnings(warnings: Iterable[str]) -> None:
    """Print which parts of the document were left out, on stderr."""
    for warning in warnings:
        print_note(warning)


def _print_publish_result(fqn: str, result: PublishResult) -> None:
    version = result.contract.version if result.contract else "?"
    match result.outcome:
        case PublishOutcome.UNCHANGED:
            print_line(f"{fqn} {version} is unchanged.")
        case PublishOutcome.PROPOSED if result.proposal:
            proposal = result.proposal
            print_line(f"{fqn} {proposal.proposed_version} breaks its readers; a proposal is open: {proposal.id}")
            for change in proposal.breaking_changes:
                print_line(f"  {change.message}")
            _print_next_steps(fqn, proposal)
        case PublishOutcome.COMPATIBLE:
            print_line(f"{fqn}: nothing breaks, so a release would publish it.")
            _print_changes(result)
        case outcome:
            print_line(f"{fqn} {version} is published{' by force' if outcome == 'FORCED' else ''}.")
            _print_changes(result)
            if result.proposal is not None and outcome == PublishOutcome.PUBLISHED:
                _print_coverage(result.proposal)


def _print_changes(result: PublishResult) -> None:
    for difference in result.diff.changes if result.diff else ():
        print_line(f"  {difference.message}")


def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: FqnArgument,
    schema: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Schema file as of `tessera publish`; none with --without.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Drop this field of the contract; repeatable.")
    ] = None,
    guarantees: GuaranteesOption = None,
    mode: Annotated[
        CompatibilityMode | None, typer.Option(case_sensitive=False, help="Mode instead of the asset's.")
    ] = None,
    format_: FormatOption = None,
    part: PartOption = None,
    dialect: DialectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Preview a publish without writing anything. Exit 0 if no team would be asked, 1 otherwise, 3 if it would be held.

    Example: tessera impact analytics.marts.orders orders.json

    Example: tessera impact analytics.marts.orders --without discount_code
    """
    if (schema is None) == (not without):
        raise fail("Say what would change, one of them: a schema file, or --without FIELD for what would be dropped.")
    guarantees_def = read_json(guarantees) if guarantees else None
    files = {"guarantees": guarantees} if guarantees else {}
    if schema is not None:
        files |= {"schema": schema, "document": schema}
    with connect(**files) as client:
        schema_def = read_schema(schema, format_, part, dialect) if schema is not None else None
        result = client.impact(
            schema_def, asset=fqn, without_fields=without, guarantees=guarantees_def, compatibility_mode=mode
        )
    _print_warnings(result.warnings)
    print_json(result) if as_json else _print_impact(result)
    if result.asked:
        raise typer.Exit(ExitCode.NEGATIVE)
    if result.missing_coverage:
        raise typer.Exit(ExitCode.WAITING)


def _print_impact(impact_: Impact) -> None:
    version = f" as {impact_.version}" if impact_.version else ""
    outcomes = {"UNCHANGED": "would be unchanged", "PROPOSED": "would have to be proposed"}
    print_line(f"{impact_.asset.fqn} {outcomes.get(impact_.outcome, 'would be published')}{version}.")
    breaking = {change.fingerprint for change in impact_.breaking}
    for change in impact_.changes:
        mark = "breaks" if change.fingerprint in breaking else "      "
        print_line(f"  {mark}  {change.message}")
    for asked in impact_.asked:
        paths = ", ".join(dict.fromkeys(reason.path or "everything" for reason in asked.reasons))
        print_line(f"  asks {asked.team.name}, which reads {paths}")
        for path in describe_paths(asked.paths):
            print_line(f"    via {path}")
    for team in impact_.informed:
        print_line(f"  tells {team.name}")
    for item in impact_.missing_coverage:
        print_line(f"  held   {item.message}")
    if impact_.coverage is not None:
        print_line(f"  {describe_coverage(impact_.coverage)}")
