"""References, identifiers and anchors are resolved by the rules of each draft, and dangling ones are refused."""

import pytest

from tessera_gql.diff import Certainty, Mode, SchemaError, check, compare
from tessera_gql.diff.read.dialects import DIALECTS
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.report.reference_validator import ReferenceValidator
from tests.diff.engine import is_backward_compatible, parse_schema
from tests.diff.schemas import DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020, INTEGER, TEXT


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a%20b", "$defs": {"a b": TEXT}},
        {"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": TEXT}},
        {"$ref": "#/$defs/a~b", "$defs": {"a~b": TEXT}},
        {"$ref": "#/$defs/~01", "$defs": {"~1": TEXT}},
        {"$ref": "#/allOf/1", "allOf": [True, TEXT]},
        {"$ref": "#/allOf/00", "allOf": [TEXT]},
        {"$ref": "#/elsewhere/0/deep", "elsewhere": [{"deep": TEXT}]},
        {"$ref": "#/elsewhere", "elsewhere": {"$ref": "#/further"}, "further": TEXT},
        {"$id": "urn:example:root", "$ref": "#/$defs/a", "$defs": {"a": TEXT}},
        {"$id": "urn:example:root", "$ref": "urn:example:root#/$defs/a", "$defs": {"a": TEXT}},
        {"$id": "http://x/y", "$ref": "y#/$defs/a", "$defs": {"a": TEXT}},
        {"$id": "http://x/y", "$ref": "#a", "$defs": {"a": {"$anchor": "a", **TEXT}}},
        {"$id": "http://x/y", "$ref": "#/p", "p": {"$ref": "y#/q"}, "q": TEXT},
        {"$id": "http://x/y", "$ref": "#/p", "p": {"$ref": "#a", "$defs": {"q": {"$anchor": "a", **TEXT}}}},
        {"$ref": "q", "$defs": {"q": {"$id": "q", "$ref": "#/$defs/a", "$defs": {"a": TEXT}}, "a": INTEGER}},
        {"$ref": "q", "$defs": {"q": {"$id": "q", "$ref": "#a", "$defs": {"a": {"$anchor": "a", **TEXT}}}}},
        {"$ref": "#/$defs/a", "$defs": {"a": TEXT, "b": {"$id": ""}}},
        {"$ref": "#/$defs/a", "$defs": {"a": TEXT, "b": {"$id": "", "$ref": "#/$defs/c"}, "c": INTEGER}},
        {"$ref": "#/$defs/q/on/p", "$defs": {"q": {"$id": "q", "on": {"p": {"$ref": "#/a"}}, "a": TEXT}}, "a": INTEGER},
        {"$dynamicRef": "#/$defs/a", "$defs": {"a": TEXT}},
        {"$dynamicRef": "#a", "$defs": {"a": {"$anchor": "a", **TEXT}}},
        {"$dynamicRef": "#a", "$defs": {"a": {"$dynamicAnchor": "a", **TEXT}, "b": {"$dynamicAnchor": "b"}}},
        {"$ref": "#a", "$defs": {"a": {"$dynamicAnchor": "a", **TEXT}, "b": {"$id": "b", "$dynamicAnchor": "a"}}},
        {**DRAFT_6, "$ref": "#/definitions/a", "definitions": {"a": TEXT}},
        {**DRAFT_7, "$id": "http://x/y", "allOf": [{"$ref": "#a"}], "definitions": {"a": {"$id": "#a", **TEXT}}},
        {**DRAFT_4, "allOf": [{"$ref": "http://x/y#/definitions/a"}], "definitions": {"a": TEXT}, "id": "http://x/y"},
        {**DRAFT_4, "id": "http://x/y", "allOf": [{"$ref": "z"}], "$id": 7, "definitions": {"a": {"id": "z", **TEXT}}},
        {**DRAFT_2019, "$ref": "#a", "$defs": {"a": {"$anchor": "a", **TEXT}}},
        {
            **DRAFT_2019,
            "$ref": "#/$defs/a",
            "$defs": {"a": {"$id": "http://x/y", "$ref": "#/$defs/b", "$defs": {"b": TEXT}}},
        },
    ],
)
def test_a_reference_means_the_schema_it_points_to(schema):
    assert is_backward_compatible(schema, TEXT)
    assert is_backward_compatible(TEXT, schema)


@pytest.mark.parametrize(
    ("schema", "pointer", "message"),
    [
        ({"$ref": "#/allOf/2", "allOf": [TEXT, TEXT]}, "/$ref", "leads nowhere (#/allOf/2)"),
        ({"$ref": "#/allOf/\u0661", "allOf": [TEXT, TEXT]}, "/$ref", "leads nowhere"),
        ({"$ref": "#/allOf/x", "allOf": [TEXT]}, "/$ref", "leads nowhere"),
        ({"$ref": "#/allOf/" + "1" * 5_000, "allOf": [TEXT]}, "/$ref", "leads nowhere"),
        ({"$ref": "#/title/0", "title": "text"}, "/$ref", "leads nowhere"),
        ({"$ref": "#%ff"}, "", "not a URI"),
        ({"not": {"$ref": "#%ff"}}, "/not", "not a URI"),
        ({"$id": "http://[x#a", "not": {}}, "", "not a URI"),
        ({"$ref": "#/$defs/" + "x" * 300}, "/$ref", f"leads nowhere (#/$defs/{'x' * 192});"),
        ({"$ref": "q#" + "x" * 300}, "/$ref", f"leads outside the document (q#{'x' * 198}),"),
        ({"$dynamicRef": "#none"}, "/$dynamicRef", "$dynamicRef leads nowhere"),
        ({**DRAFT_7, "$ref": "#a", "definitions": {"a": {"$anchor": "a"}}}, "/$ref", "leads nowhere"),
        ({**DRAFT_2019, "$ref": "#a", "$defs": {"a": {"$dynamicAnchor": "a"}}}, "/$ref", "leads nowhere"),
        ({"$ref": "#a", "$defs": {"a": {"$id": "q", "$anchor": "a"}}}, "/$ref", "leads nowhere"),
        ({"$id": "http://x/y", "$ref": "z"}, "/$ref", "leads outside the document (z)"),
        ({"$id": "http://x/y", "not": {"$ref": ""}, "$ref": "#/a"}, "/$ref", "leads nowhere"),
    ],
)
def test_a_dangling_reference_is_refused_with_its_pointer(schema, pointer, message):
    with pytest.raises(SchemaError) as refused:
        check(schema)
    assert refused.value.pointer == pointer
    assert message in refused.value.reason


META_SCHEMAS = [dialect.uri for dialect in DIALECTS]


@pytest.mark.parametrize("uri", META_SCHEMAS)
def test_a_reference_to_a_meta_schema_means_the_schemas_of_that_draft(uri):
    for reference in (uri, uri + "#", uri.replace("http:", "https:"), uri.replace("https:", "http:")):
        schema = {"$schema": uri, "properties": {"a": {"$ref": reference}}}
        assert is_backward_compatible(schema, schema | {"title": "a"})
        assert not is_backward_compatible({}, schema)
        assert not compare(schema, {"$schema": uri, "properties": {"a": {"not": {}}}}).is_compatible(Mode.BACKWARD)
    accepts = ReferenceValidator(parse_schema({"$schema": uri, "$ref": uri})).accepts
    assert (accepts({"type": "string"}), accepts({"type": 3})) == (True, False)


def test_a_part_of_a_meta_schema_is_referred_to():
    count = {**DRAFT_4, "properties": {"a": {"$ref": f"{DIALECTS[0].uri}#/definitions/positiveInteger"}}}
    assert is_backward_compatible(count, {**DRAFT_4, "properties": {"a": {"minimum": 0}}})
    assert not is_backward_compatible({**DRAFT_4, "properties": {"a": {"minimum": 0}}}, count)
    with pytest.raises(SchemaError, match="leads nowhere"):
        check({"$ref": f"{DIALECTS[0].uri}#/definitions/none"})


def test_a_meta_schema_is_read_in_its_own_draft():
    old = {"properties": {"a": {"$ref": DIALECTS[0].uri}}}
    count = {"properties": {"minLength": {"minimum": 0}}}
    assert is_backward_compatible(old, {"properties": {"a": {"allOf": [{"$ref": DIALECTS[0].uri}, count]}}})
    assert not is_backward_compatible(old, {"properties": {"a": {"$ref": DIALECTS[4].uri}}})


def test_a_meta_schema_outside_of_the_drafts_is_not_fetched():
    for uri in ("http://json-schema.org/draft-07/hyper-schema", "http://json-schema.org/draft-04/links"):
        with pytest.raises(SchemaError, match="leads outside the document"):
            check({"$ref": uri})


def test_an_identifier_with_spaces_around_is_trimmed():
    check({"$id": " http://x/y ", "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "y#/$defs/b"}, "b": True}})


def test_five_thousand_references_are_read_and_not_one_more_wherever_they_are_found():
    def referring(many, further):
        return {"allOf": [{"$ref": "#/x"}] * many, "x": {"allOf": [{"$ref": "#/y"}] * further}, "y": True}

    check(referring(2_500, 2_500))
    with pytest.raises(SchemaError, match="more than 5,000 references"):
        check(referring(2_501, 2_500))


def test_a_subschema_with_two_names_is_reported_at_its_canonical_pointer():
    def with_escaped_name(leaf):
        return {"properties": {"p": {"$ref": "#/$defs/a~b"}}, "$defs": {"a~b": leaf}}

    (change,) = compare(with_escaped_name(TEXT), with_escaped_name(INTEGER)).changes
    assert change.pointer == "/$defs/a~0b/type"


@pytest.mark.parametrize("anchors", [2, 3])
def test_a_reference_with_a_dynamic_target_never_proves_anything(anchors):
    definitions = {f"d{n}": {"$id": f"d{n}", "$dynamicAnchor": "a", **TEXT} for n in range(anchors)}
    dynamic = {"$dynamicRef": "d0#a", "$defs": definitions}
    recursive = {**DRAFT_2019, "$recursiveAnchor": True, "type": "array", "items": {"$recursiveRef": "#"}}
    recursive["$defs"] = {f"d{n}": {"$id": f"d{n}", "$recursiveAnchor": True} for n in range(1, anchors)}
    (change,) = compare(dynamic, TEXT).breaking_changes(Mode.BACKWARD)
    assert change.certainty is Certainty.UNPROVEN
    assert not is_backward_compatible(recursive, {**DRAFT_2019, "items": {"type": "array"}})


@pytest.mark.parametrize(
    ("draft", "anchor"), [(DRAFT_2020, {"$dynamicAnchor": "meta"}), (DRAFT_2019, {"$recursiveAnchor": True})]
)
def test_a_reference_to_a_meta_schema_that_leads_back_to_the_document_never_proves_anything(draft, anchor):
    schema_or_not = {"properties": {"q": {"not": {"$ref": draft["$schema"]}}}}
    old, new = ({**draft, "$id": "http://x/s", **anchor, "maxProperties": n, **schema_or_not} for n in (1, 5))
    document = {"q": {"properties": {"x": {"a": 1, "b": 2}}}}
    verdicts = [ReferenceValidator(parse_schema(schema)).accepts(document) for schema in (old, new)]
    assert verdicts == [True, False]
    assert not is_backward_compatible(old, new)
    assert is_backward_compatible(old, {**old, "title": "t"})


def test_a_recursive_reference_counts_the_anchors_that_are_on():
    one = {**DRAFT_2019, "$recursiveAnchor": True, "type": "array", "items": {"$recursiveRef": "#"}}
    off = {"d": {"$id": "d", "$recursiveAnchor": False}, "e": {"$id": "e"}}
    assert is_backward_compatible({**one, "$defs": off}, {**DRAFT_2019, "items": {"type": "array"}})


def test_a_schema_with_only_a_reference_is_not_treated_as_the_empty_schema():
    leads = {"$ref": "#/$defs/a", "$defs": {"a": TEXT}}
    assert not is_backward_compatible({}, leads)
    assert not compare(leads, {}).is_compatible(Mode.FORWARD)


def test_a_keyword_of_another_draft_is_no_reference():
    check({**DRAFT_7, "$dynamicRef": "#nowhere", "$recursiveRef": "nowhere"})
    check({**DRAFT_2020, "$recursiveRef": "nowhere"})
    check({**DRAFT_4, "$id": "http://[x#a", "$anchor": 3})


def test_a_recursive_reference_restricts_nothing_in_the_newest_draft():
    text = {"$recursiveRef": "#/$defs/a", "$defs": {"a": TEXT}}
    assert not is_backward_compatible({**DRAFT_2020, **text}, TEXT)
    assert is_backward_compatible(text, TEXT)


def test_old_drafts_ignore_keywords_next_to_a_reference():
    whole = {"$ref": "#/definitions/a", "maxLength": 1, "$id": "http://[x#a", "definitions": {"a": TEXT}}
    assert is_backward_compatible({**DRAFT_7, **whole}, TEXT)
    assert not is_backward_compatible({**DRAFT_7, **whole}, {**TEXT, "maxLength": 1})


def test_a_schema_with_an_invalid_part_is_refused_again_when_it_is_read_with_the_same_identities():
    identities = Identities()
    for _ in range(2):
        with pytest.raises(SchemaError, match="must not be empty"):
            read({"not": {"type": []}}, identities)
