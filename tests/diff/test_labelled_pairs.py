"""On the labelled pairs no verdict is unsound, nothing crashes, and `jsonschema` confirms every proven break."""

import json

import pytest
from jsonschema import validators
from referencing import Registry

from bench.diff_score import PAIRS, score, with_dialect
from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError, compare

FILES = sorted(PAIRS.glob("*.json"))
DECLARED = {
    ChangeKind.PROPERTY_ADDED,
    ChangeKind.PROPERTY_REMOVED,
    ChangeKind.PROPERTY_RENAMED,
    ChangeKind.DEFAULT_ADDED,
    ChangeKind.DEFAULT_REMOVED,
    ChangeKind.DEFAULT_CHANGED,
}


@pytest.mark.skipif(not FILES, reason="the labelled pairs are not beside the checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_verdict_is_unsound_and_nothing_crashes(path):
    for pair in json.loads(path.read_text()):
        assert score(pair).failures == []


@pytest.mark.skipif(not FILES, reason="the labelled pairs are not beside the checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_proven_break_is_confirmed(path):
    confirmed = 0
    for pair in json.loads(path.read_text()):
        old, new = (with_dialect(pair[side], pair["draft"]) for side in ("old", "new"))
        try:
            changes = compare(old, new).changes
        except SchemaError:
            continue
        for change in changes:
            if change.certainty is Certainty.PROVEN:
                confirmed += 1
                _confirm(change, old, new)
    assert confirmed


def _confirm(change, old, new):
    accepting, refusing = (old, new) if Mode.BACKWARD in change.breaks else (new, old)
    assert _is_valid(accepting, change.counterexample)
    if change.kind not in DECLARED and change.breaks & {Mode.BACKWARD, Mode.FORWARD}:
        assert not _is_valid(refusing, change.counterexample)


def _is_valid(schema, document):
    if isinstance(schema, dict):
        schema = json.loads(json.dumps(schema))
        for holder in _nullable(schema):
            holder["type"] = [holder["type"], "null"]
    kind = validators.validator_for(schema)
    return kind(schema, registry=Registry()).is_valid(document)


def _nullable(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and value.get("nullable") is True else []
    return own + [found for item in inside for found in _nullable(item)]
