"""The report of the gate: who reads what and for what, who must answer by when, and where the model is."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tessera_gql.cli import gate, gate_report
from tessera_gql.cli.dbt import DEFAULT_MANIFEST, build_ask_command
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.gate import FailOn, GateResult
from tessera_gql.cli.model_files import FileLine, ModelFiles
from tessera_gql.client.manifest_models import ManifestImpact

FQN = "analytics.core.orders"


def table(state: str = "ASK", **fields: Any) -> dict[str, Any]:
    """The impact of a table that loses its column `total`, which the team growth reads."""
    removed = {"kind": "PROPERTY_REMOVED", "path": "total", "message": "total was removed."}
    asked = {
        "team": {"id": "t", "name": "growth"},
        "because": [removed],
        "reads": [{"fields": ["total"], "purpose": "Which campaigns pay."}],
        "response": None,
        "notes": None,
        "migrationDeadline": None,
        "until": None,
        "silenceMeans": None,
    }
    return {
        "fqn": FQN,
        "uniqueId": "model.shop.orders",
        "state": state,
        "outcome": "PROPOSED",
        "isNew": False,
        "isSafe": False,
        "version": "2.0.0",
        "refused": None,
        "removed": None,
        "successor": None,
        "answerBy": None,
        "changes": [removed],
        "breaking": [removed],
        "asked": [asked | fields.pop("asked", {})],
        "informed": [],
        "openProposal": None,
        **fields,
    }


def result(*tables: dict[str, Any], **fields: Any) -> GateResult:
    values = {"warnings": [], "comparedAs": [], "declaredOnly": 0, **fields, "models": list(tables)}
    return gate.evaluate(ManifestImpact.model_validate(values))


PROPOSAL = {"id": "p", "kind": "CHANGE", "status": "PENDING", "proposedVersion": "2.0.0"}
CHANGE_SET = {"id": "c", "key": "org/shop#1", "title": None, "url": None, "status": "OPEN"}
WAITING = table("WAITING", openProposal=PROPOSAL, answerBy="2026-03-12T09:00:00Z")
MIGRATING = {"response": "MIGRATING", "notes": "After the campaign.", "migrationDeadline": "2026-04-01T00:00:00Z"}


def test_the_text_has_the_purpose_of_a_reader_and_how_to_ask() -> None:
    assert list(gate_report.render_text(result(table()))) == [
        f"{FQN} breaks its readers, as 2.0.0",
        "  breaks   total was removed.",
        "  asks     growth, which reads total (Which campaigns pay.)",
        "  ask      tessera dbt impact --ask",
        "1 tables: 1 breaking.",
    ]


def test_the_command_that_asks_has_the_manifest_and_the_options_that_were_given() -> None:
    options = {"catalog": [Path("dbt/my catalog.json")], "target-schema-map": ["pr_1=core"], "reason": [None]}
    command = build_ask_command(Path("-odd.json"), {"no-catalog": False, "new-target": True}, options)
    arguments = "--new-target '--catalog=dbt/my catalog.json' --target-schema-map=pr_1=core -- -odd.json"
    assert command == f"tessera dbt impact --ask {arguments}"
    text = gate_report.render_text(replace(result(table()), ask_command=command))
    assert f"  ask      {command}" in text
    assert build_ask_command(DEFAULT_MANIFEST, {}, {}) == "tessera dbt impact --ask"


def test_only_an_open_proposal_of_these_terms_is_answered() -> None:
    command = f"tessera ack {FQN} APPROVED --team growth"
    assert f"  answer   {command}" in gate_report.render_text(result(WAITING))
    answered = {"asked": [WAITING["asked"][0] | MIGRATING], "openProposal": PROPOSAL}
    for state in ("ASK", "CONFLICT", "REFUSED"):
        text = "\n".join(gate_report.render_text(result(table(state) | answered)))
        markdown = "\n".join(gate_report.render_markdown(result(table(state) | answered)))
        assert not [part for part in (command, "MIGRATING") if part in text or part in markdown], state


def test_a_change_set_asks_a_team_once_for_all_of_its_tables() -> None:
    proposal = PROPOSAL | {"changeSet": CHANGE_SET}
    gate_result = result(*(table("WAITING", fqn=f"a.b.t{number}", openProposal=proposal) for number in range(3)))
    command = "tessera ack APPROVED --change-set 'org/shop#1' --team growth"
    line = "org/shop#1 asks growth once, about 3 tables"
    text, markdown = list(gate_report.render_text(gate_result)), "\n".join(gate_report.render_markdown(gate_result))
    assert f"{line}: {command}" in text
    assert not [item for item in text if item.startswith("  answer")]
    assert "`growth` is asked once, in `org/shop#1`: `a.b.t0`, `a.b.t1`, `a.b.t2`." in markdown
    assert (markdown.count("tessera ack"), markdown.count(command)) == (1, 1)
    assert f"{line}: {command}" in "\n".join(gate_report.render_github(gate_result)).replace("%3A", ":")
    [ask] = gate_report.render_json(gate_result)["changeSetAsks"]
    assert (ask["team"], ask["tables"], ask["command"]) == ("growth", ["a.b.t0", "a.b.t1", "a.b.t2"], command)


@pytest.mark.parametrize(
    ("kind", "path", "fields", "columns"),
    [
        ("PROPERTY_REMOVED", "total", ("total", "note"), "total"),
        ("GUARANTEE_WEAKENED", "nullability.total", ("total",), "total"),
        ("ASSET_RETIRED", "", ("total", "note"), "total, note"),
        ("ASSET_RETIRED", "", None, "everything"),
    ],
)
def test_a_reader_is_reported_with_the_columns_that_it_reads(
    kind: str, path: str, fields: tuple[str, ...] | None, columns: str
) -> None:
    reason = {"kind": kind, "path": path, "message": "It breaks."}
    reader = {"because": [reason], "reads": [{"fields": fields, "purpose": None}]}
    assert f"  asks     growth, which reads {columns}" in gate_report.render_text(result(table(asked=reader)))


@pytest.mark.parametrize(
    ("fields", "is_reported"),
    [(("total",), True), (("total.net",), True), (None, True), (("total_paid", "note"), False)],
)
def test_a_purpose_is_reported_if_the_registration_reads_what_breaks(
    fields: tuple[str, ...] | None, is_reported: bool
) -> None:
    reads = [{"fields": ("total",), "purpose": "Closing."}, {"fields": fields, "purpose": "Board."}]
    line = f"  asks     growth, which reads total (Closing.{' Board.' if is_reported else ''})"
    assert line in gate_report.render_text(result(table(asked={"reads": reads})))
    comment = "\n".join(gate_report.render_markdown(result(table(asked={"reads": reads}))))
    assert ("Board." in comment) is is_reported


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        (("WAITING", "ASK", "CONFLICT"), "some readers have to be asked"),
        (("APPROVED", "WAITING"), "some readers have not agreed"),
        (("CONFLICT", "UNREAD"), "some tables can't be checked"),
        (("APPROVED", "NEW"), "nobody is hurt"),
    ],
)
def test_the_headline_of_a_comment_is_that_of_the_worst_table(states: tuple[str, ...], headline: str) -> None:
    lines = list(gate_report.render_markdown(result(*map(table, states))))
    assert lines[1] == f"### Data contracts: {headline}"


def test_a_table_that_comes_back_after_its_retirement_is_reported_with_its_next_version() -> None:
    back = result(table("COMPATIBLE", version="4.0.0", changes=[], breaking=[], asked={}))
    assert "  changes  It has no contract now, and gets 4.0.0" in gate_report.render_text(back)
    lines = "\n".join(gate_report.render_markdown(back))
    assert "<summary>1 compatible change</summary>" in lines
    assert f"- `{FQN}`: It has no contract now, and gets `4.0.0`" in lines


def test_the_comment_has_the_command_that_asks_and_the_informed_readers() -> None:
    comment = "\n".join(gate_report.render_markdown(result(table(informed=[{"id": "f", "name": "finance"}]))))
    assert "```console\ntessera dbt impact --ask\n```" in comment
    assert "`finance`: informed |" in comment


def test_the_text_has_the_answer_with_its_notes_and_the_date_of_the_expiry() -> None:
    lines = list(gate_report.render_text(result(WAITING | {"asked": [WAITING["asked"][0] | MIGRATING]})))
    assert (
        "  asks     growth, which reads total (Which campaigns pay.): MIGRATING until 2026-04-01, After the campaign."
        in lines
    )
    assert "  until    2026-03-12" in lines


def test_a_table_that_is_gone_names_the_teams_that_its_retirement_asks() -> None:
    lines = list(gate_report.render_text(result(table(removed="was renamed to analytics.core.sales", version=None))))
    assert lines[0] == f"{FQN} was renamed to analytics.core.sales: breaks its readers"
    assert f"  retire   retiring {FQN} asks growth" in lines


def test_one_line_says_how_many_tables_rest_on_declarations_and_where_they_were_compared() -> None:
    lines = list(gate_report.render_text(result(table(), declaredOnly=3, comparedAs=["analytics.core"])))
    assert lines[-3:] == [
        "note: the manifest has another target; compared as analytics.core.*",
        "note: 3 tables rest on declarations alone: `dbt docs generate` writes a catalog of the real columns",
        "1 tables: 1 breaking.",
    ]


def test_the_comment_begins_with_its_marker_and_escapes_what_others_wrote() -> None:
    purpose = {"fields": ["total"], "purpose": "See @everyone <b>now</b> | [x](http://evil)"}
    hostile = WAITING | {"asked": [WAITING["asked"][0] | {"reads": [purpose]}]}
    first, *lines = "\n".join(gate_report.render_markdown(result(hostile))).split("\n")
    assert first == "<!-- tessera:impact -->"
    (row,) = [line for line in lines if line.startswith(f"| `{FQN}`")]
    assert row.startswith(f"| `{FQN}` waits for answers | `2.0.0` | ")
    assert "waiting until 2026-03-12" in row
    assert "&#64;everyone" in row
    assert not [text for text in ("@everyone", "<b>", "[x]", "http:") if text in row]


def test_an_ask_says_until_when_it_awaits_an_answer_and_what_none_means() -> None:
    awaited = {"until": "2026-03-10T09:00:00Z", "silenceMeans": "it counts as consent"}
    waiting = result(table("WAITING", openProposal=PROPOSAL, answerBy="2026-03-12T09:00:00Z", asked=awaited))
    wait = "until 2026-03-10, then it counts as consent"
    assert f"no answer yet, awaited {wait}" in "\n".join(gate_report.render_text(waiting))
    assert f"waiting {wait}" in "\n".join(gate_report.render_markdown(waiting))


def test_an_annotation_points_to_the_column_in_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    models = tmp_path / "dbt/models"
    models.mkdir(parents=True)
    (models / "shop.yml").write_text(
        "models:\n  - name: customers\n    columns:\n      - name: total\n"
        "  - name: orders\n    columns:\n      - name: id\n      - name: 'total'  # the sum\n"
    )
    node = {"name": "orders", "original_file_path": "models/orders.sql", "patch_path": "shop://models/shop.yml"}
    files = ModelFiles.of_manifest({"nodes": {"model.shop.orders": node}}, tmp_path / "dbt/target/manifest.json")
    assert files.find("model.shop.orders", ["total"]) == FileLine("dbt/models/shop.yml", 8)
    assert files.find("model.shop.orders", ["note"]) == FileLine("dbt/models/shop.yml", 5)
    assert files.find("model.shop.unknown") is None
    sql_only = ModelFiles.of_manifest(
        {"nodes": {"model.shop.orders": node | {"patch_path": None}}}, tmp_path / "dbt/target/manifest.json"
    )
    assert sql_only.find("model.shop.orders", ["total"]) == FileLine("dbt/models/orders.sql", 1)


def test_github_gets_errors_and_junit_failures_for_what_fails_the_gate() -> None:
    tables = [table(), table("UNREAD", fqn="b.c.unread", asked={}), table("CONFLICT", fqn="b.c.twice", refused="Why.")]
    lines = list(gate_report.render_github(result(*tables)))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::error", "::notice"]
    assert "Why." in lines[2]
    suite = ET.fromstring(gate_report.render_junit(result(*tables)))
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [FQN, "b.c.twice"]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (("UNCHANGED", "NEW", "COMPATIBLE", "SKIPPED", "UNREAD", "APPROVED"), ExitCode.DONE),
        (("APPROVED", "WAITING"), ExitCode.WAITING),
        (("WAITING", "ASK"), ExitCode.NEGATIVE),
        (("BLOCKED",), ExitCode.NEGATIVE),
        (("CONFLICT",), ExitCode.NEGATIVE),
        (("REFUSED",), ExitCode.NEGATIVE),
    ],
)
def test_the_exit_code_is_that_of_the_worst_table(states: tuple[str, ...], code: ExitCode) -> None:
    verdicts = result(*(table(state) for state in states))
    assert verdicts.exit_code(FailOn.CONSUMERS) is code
    assert verdicts.exit_code(FailOn.NEVER) is ExitCode.DONE


def test_a_break_that_nobody_reads_fails_on_request() -> None:
    assert result(table("UNREAD")).exit_code(FailOn.BREAKING) is ExitCode.NEGATIVE


def test_json_has_answers_notes_and_the_line_beside_the_keys_of_before() -> None:
    (model,) = gate_report.render_json(result(WAITING | {"asked": [WAITING["asked"][0] | MIGRATING]}))["models"]
    assert (model["state"], model["version"], model["proposal"], model["awaiting"]) == (
        "WAITING",
        "2.0.0",
        "p",
        ["growth"],
    )
    assert model["answers"] == {"growth": "MIGRATING"}
    assert model["notes"] == {"growth": "After the campaign."}
    assert model["asked"][0]["reads"] == [{"fields": ("total",), "purpose": "Which campaigns pay."}]


READ = {
    "fqn": "shop.finance.report",
    "upstream": FQN,
    "path": "coupon",
    "sunsetAt": "2031-06-01T00:00:00Z",
    "replacement": "discount",
    "message": f"reads {FQN}.coupon, which goes on 1 June 2031; use discount",
}
READ_TEXT = f"shop.finance.report reads {FQN}.coupon, which goes on 1 June 2031; use discount"


def test_a_deprecated_read_fails_the_gate_and_is_in_every_format() -> None:
    deprecated = result(deprecatedReads=[READ])
    assert deprecated.exit_code(FailOn.CONSUMERS) is ExitCode.NEGATIVE
    assert deprecated.exit_code(FailOn.NEVER) is ExitCode.DONE
    text = list(gate_report.render_text(deprecated))
    assert text == [READ_TEXT, "0 tables: none. It starts 1 deprecated read."]
    (read,) = gate_report.render_json(deprecated)["deprecatedReads"]
    assert (read["path"], read["replacement"], read["line"]) == ("coupon", "discount", None)
    markdown = "\n".join(gate_report.render_markdown(deprecated))
    assert "something deprecated is read" in markdown
    assert "`shop.finance.report` reads" in markdown
    assert any(line.startswith("::error") and READ_TEXT in line for line in gate_report.render_github(deprecated))
    suite = ET.fromstring(gate_report.render_junit(deprecated))
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == READ_TEXT


def test_lineage_paths_are_printed_and_unknown_ones_say_so() -> None:
    steps = [{"asset": {"id": "1", "fqn": f"a.b.{name}"}, "field": column} for name, column in (("orders", "coupon"),)]
    steps.append({"asset": {"id": "2", "fqn": "a.b.fct_orders"}, "field": None})
    paths = [{"isKnown": False, "steps": steps}]
    lines = [*gate_report.render_text(result(table(asked={"paths": paths})))]
    assert "  via      orders.coupon → fct_orders.* (lineage unknown)" in lines


UNCOVERED = {"text": "no team is registered and none was seen reading; no usage source covers it"}
MISSING = {"kind": "NO_SOURCE", "message": "no usage source has seen a read of it: import the log of one that would"}
HELD = table("HELD", asked={}, coverage=UNCOVERED, missingCoverage=[MISSING]) | {"asked": []}
UNREAD = table("UNREAD", coverage=UNCOVERED) | {"asked": []}


def test_a_table_that_asks_nobody_says_on_what_that_rests() -> None:
    sentence = "No team is registered and none was seen reading; no usage source covers it."
    assert list(gate_report.render_text(result(UNREAD)))[:3] == [
        f"{FQN} breaks, but nobody reads it, as 2.0.0",
        "  breaks   total was removed.",
        f"  coverage {sentence}",
    ]
    markdown = "\n".join(gate_report.render_markdown(result(UNREAD)))
    assert f"nobody: {UNCOVERED['text']}" in markdown
    assert result(UNREAD).exit_code(FailOn.CONSUMERS) is ExitCode.DONE


def test_a_held_table_waits_with_what_is_missing_in_every_format() -> None:
    verdict = result(HELD)
    assert verdict.exit_code(FailOn.CONSUMERS) is ExitCode.WAITING
    assert list(gate_report.render_text(verdict))[:3] == [
        f"{FQN} waits for coverage, because nobody is asked, as 2.0.0",
        "  breaks   total was removed.",
        f"  held     {MISSING['message']}",
    ]
    markdown = "\n".join(gate_report.render_markdown(verdict))
    assert "observed reads don't cover enough" in markdown
    assert f"held: {MISSING['message']}" in markdown
    (model,) = gate_report.render_json(verdict)["models"]
    assert (model["missingCoverage"], model["coverage"]) == ([MISSING], UNCOVERED["text"])
    assert "::error" in "\n".join(gate_report.render_github(verdict))
    assert ET.fromstring(gate_report.render_junit(verdict)).get("failures") == "1"
