"""Declared columns are judged by what was declared, and observed ones by what was observed."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.diff import ChangeKind, Mode
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import parse_catalog
from tessera_gql.policy.compatibility import Judgement, Terms, decide_outcome, judge, next_version
from tessera_gql.policy.enums import Outcome
from tests.formats.manifests import catalog, catalog_table, check, column, manifest, table

NAMES = ("a", "b", "c", "items", "items.x")
TYPES = ("integer", "bigint", "text", "numeric(10,2)", "date")
LAWS = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Input:
    """A manifest of one table: declared columns with types, columns with tests, and the catalog if there is one."""

    declared: dict[str, str | None]
    observed: dict[str, str] | None = None
    never_null: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    adapter: str = "bigquery"

    def without_catalog(self) -> "Input":
        return replace(self, observed=None)


def parse(item: Input) -> dbt.Model:
    checks = [check("not_null", name) for name in item.never_null]
    checks += [check("accepted_values", name, values=["1", "2"]) for name in item.accepted]
    columns = [column(name, data_type) for name, data_type in item.declared.items()]
    document = manifest(table("orders", *columns), *checks, adapter=item.adapter)
    if item.observed is None:
        return dbt.parse_manifest(document).models[0]
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", **item.observed)}))
    return dbt.parse_manifest(document, observed).models[0]


def build_terms(item: Input, current: Terms | None) -> Terms:
    model = dbt.apply_known_columns(parse(item), current.known_columns if current else None)
    return Terms(model.schema, model.guarantees, Mode.CONSUMER, known_columns=model.known_columns)


def sync(*inputs: Input) -> tuple[Terms, Judgement]:
    """Publish the inputs in turn; return the last terms and how they were judged."""
    current: Terms | None = None
    for item in inputs:
        proposed = build_terms(item, current)
        judgement = judge(current, proposed)
        current = proposed
    assert current is not None
    return current, judgement


def kinds(judgement: Judgement) -> list[ChangeKind]:
    return [change.kind for change in judgement.changes]


def api_terms(**columns: Any) -> Terms:
    return Terms({"type": "object", "properties": columns}, None, Mode.CONSUMER)


def with_records(columns: dict[str, Any]) -> dict[str, Any]:
    """Remove fields without their record, which no warehouse has."""
    return {name: item for name, item in columns.items() if "." not in name or name.partition(".")[0] in columns}


def fix_records(columns: dict[str, str]) -> dict[str, str]:
    """Give a record the type that has its field."""
    fixed = with_records(columns)
    if "items" in fixed:
        fixed["items"] = f"STRUCT<x {fixed['items.x']}>" if "items.x" in fixed else "text"
    return fixed


observations = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TYPES), min_size=1).map(fix_records).filter(bool)
declarations = st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(TYPES)).map(with_records)
checked = st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple)
inputs = st.builds(Input, declarations, observations, checked, checked)
manifests = inputs.map(Input.without_catalog)


@LAWS
@given(inputs | manifests)
def test_the_same_input_again_changes_nothing(item: Input) -> None:
    _, judgement = sync(item, item)
    assert judgement.is_unchanged


@LAWS
@given(inputs, st.lists(st.booleans(), min_size=1, max_size=5), st.booleans())
def test_after_the_first_catalog_a_manifest_with_and_without_it_changes_nothing(
    item: Input, has_catalog: list[bool], starts_with_manifest: bool
) -> None:
    current: Terms | None = build_terms(item.without_catalog(), None) if starts_with_manifest else None
    current = build_terms(item, current)
    for is_covered in has_catalog:
        proposed = build_terms(item if is_covered else item.without_catalog(), current)
        assert judge(current, proposed).is_unchanged
        current = proposed


@LAWS
@given(manifests, inputs)
def test_the_first_catalog_breaks_by_no_column_and_no_type(before: Input, after: Input) -> None:
    same_checks = replace(after, never_null=before.never_null, accepted=before.accepted)
    _, judgement = sync(before, same_checks)
    assert [change.message for change in judgement.breaking] == []


@LAWS
@given(inputs, declarations, st.lists(manifests, max_size=2), st.data())
def test_a_column_that_is_gone_from_the_next_catalog_breaks_at_the_latest_then(
    first: Input, declared: dict[str, str | None], between: list[Input], data: st.DataObject
) -> None:
    assert first.observed
    dropped = data.draw(st.sampled_from(sorted(first.observed)))
    remaining = {
        name: text for name, text in first.observed.items() if name != dropped and not name.startswith(dropped)
    }
    if dropped == "items.x":
        remaining["items"] = "STRUCT<y text>"
    last = replace(first, declared=declared, observed={**remaining, "fresh": "text"})
    judgements = [sync(first, *between[:count])[1] for count in range(1, len(between) + 1)]
    judgements.append(sync(first, *between, last)[1])
    fields = {field for judgement in judgements for change in judgement.breaking for field in change.fields}
    assert any(dropped in (field, field.replace("[]", "")) or dropped.startswith(field) for field in fields)


@LAWS
@given(inputs, st.lists(manifests, min_size=1, max_size=3))
def test_a_manifest_alone_never_drops_a_column_that_only_a_catalog_showed(first: Input, later: list[Input]) -> None:
    assert first.observed
    ever_declared = {*first.declared, *(name for item in later for name in item.declared)}
    terms, _ = sync(first, *later)
    top_level = {name for name in first.observed if "." not in name}
    assert top_level - ever_declared <= set(terms.schema["properties"])


@LAWS
@given(inputs | manifests, inputs | manifests)
def test_terms_that_differ_are_never_unchanged_and_always_get_a_version(before: Input, after: Input) -> None:
    current, proposed = build_terms(before, None), build_terms(before, None)
    proposed = build_terms(after, current)
    judgement = judge(current, proposed)
    if not judgement.is_unchanged:
        assert next_version(None, "1.0.0", judgement) > "1.0.0"
        assert decide_outcome(judgement) is (Outcome.PROPOSED if judgement.breaking else Outcome.PUBLISHED)
    else:
        assert (current.schema, current.guarantees) == (proposed.schema, proposed.guarantees)


@LAWS
@given(inputs | manifests, st.sampled_from([str.upper, str.title]))
def test_case_alone_is_no_change(item: Input, respell: Any) -> None:
    observed = None if item.observed is None else {respell(name): text for name, text in item.observed.items()}
    declared = {respell(name): text for name, text in item.declared.items()}
    _, judgement = sync(item, replace(item, declared=declared, observed=observed))
    assert judgement.is_unchanged


@LAWS
@given(inputs, manifests)
def test_terms_without_known_columns_are_spelled_like_the_proposed_ones(item: Input, before: Input) -> None:
    same = replace(before, declared=item.declared, never_null=item.never_null, accepted=item.accepted)
    upper = replace(same, declared={name.upper(): text for name, text in same.declared.items()})
    current = replace(build_terms(upper, None), known_columns=None)
    assert judge(current, build_terms(item, None)).breaking == ()


def test_a_column_that_a_catalog_never_showed_goes_without_asking_and_is_named() -> None:
    _, judgement = sync(Input({"a": None, "b": None}), Input({"a": None, "b": None}, {"a": "text"}))
    assert judgement.breaking == ()
    assert [(change.kind, change.path) for change in judgement.changes] == [
        (ChangeKind.PROPERTY_REMOVED, "b"),
        (ChangeKind.TYPE_NARROWED, ""),
    ]
    assert judgement.changes[0].message == (
        "b was declared, but the catalog has no such column, and none was ever observed."
    )
    assert judgement.changes[1].message == "The types of these columns are known for the first time: a."
    assert judgement.changes[1].after == {"a": "text"}


def test_a_column_that_is_no_longer_documented_breaks_as_long_as_no_catalog_covers_the_table() -> None:
    _, judgement = sync(Input({"a": None, "b": None}), Input({"a": None}))
    assert [change.path for change in judgement.breaking] == ["b"]
    _, judgement = sync(Input({}, {"a": "text"}), Input({"b": None}), Input({}))
    assert [change.path for change in judgement.breaking] == ["b"]


def test_a_new_observed_type_breaks_once_a_type_was_observed() -> None:
    first, second = Input({}, {"a": "integer"}), Input({}, {"a": "date"})
    assert [change.path for change in sync(first, second)[1].breaking] == ["a"]
    assert sync(Input({"a": "integer"}), second)[1].breaking == ()


def test_a_declared_type_that_changes_breaks_and_the_catalog_after_it_asks_nobody() -> None:
    before, after = Input({"a": "int"}, {"a": "integer"}), Input({"a": "date"})
    assert sync(before, after)[1].breaking
    assert sync(before, after, Input({"a": "date"}, {"a": "date"}))[1].breaking == ()


def test_null_and_values_stay_compared_when_the_first_type_comes() -> None:
    before = Input({"a": None}, never_null=("a",), accepted=("a",))
    same = replace(before, observed={"a": "integer"})
    assert sync(before, same)[1].breaking == ()
    nullable = replace(same, never_null=())
    assert ChangeKind.NULLABLE_ADDED in [change.kind for change in sync(before, nullable)[1].breaking]
    free = replace(same, accepted=())
    assert ChangeKind.GUARANTEE_WEAKENED in [change.kind for change in sync(before, free)[1].breaking]


def test_a_promise_about_a_column_that_never_was_goes_with_it() -> None:
    before = Input({"a": None, "b": None}, never_null=("b",), accepted=("b",))
    assert sync(before, Input({"a": None}, {"a": "text"}))[1].breaking == ()


def test_a_contract_of_the_api_counts_as_declared() -> None:
    current = api_terms(a={"type": ["string", "null"]}, b={}, c={"anyOf": [{"type": "integer"}, {"type": "null"}]})
    proposed = build_terms(Input({}, {"a": "date", "b": "text", "c": "bigint"}), None)
    assert judge(current, proposed).breaking == ()
    declared = build_terms(Input({"a": "int", "b": "text", "c": None}), None)
    assert {change.path for change in judge(current, declared).breaking} == {"a", "c"}


def test_a_column_behind_a_reference_is_compared_as_it_is() -> None:
    current = replace(api_terms(a={"$ref": "#/$defs/n"}), known_hash=None)
    current.schema["$defs"] = {"n": {"type": "integer"}}
    proposed = build_terms(Input({}, {"a": "text"}, never_null=("a",)), None)
    assert [change.path for change in judge(current, proposed).breaking] == ["a"]


def test_a_publish_without_known_columns_is_compared_as_it_is_and_the_same_schema_is_unchanged() -> None:
    current = build_terms(Input({}, {"a": "text", "b": "text"}), None)
    assert judge(current, replace(current, known_columns=None)).is_unchanged
    properties = {"a": current.schema["properties"]["a"]}
    proposed = Terms({**current.schema, "properties": properties}, None, Mode.CONSUMER)
    assert [change.path for change in judge(current, proposed).breaking] == ["b"]


def test_a_schema_that_is_no_object_is_compared_as_it_is() -> None:
    current = Terms(True, None, Mode.CONSUMER)
    assert not judge(current, build_terms(Input({"a": "int"}), None)).is_unchanged


def test_the_current_terms_are_not_changed_by_a_judgement() -> None:
    first = build_terms(Input({"items": None, "items.x": "text", "b": "int"}), None)
    before = repr(first.schema)
    proposed = build_terms(Input({}, {"items": "STRUCT<x integer>", "items.x": "integer"}), first)
    assert judge(first, proposed).breaking == ()
    assert repr(first.schema) == before
