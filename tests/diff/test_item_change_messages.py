"""Changes of the keywords about items, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import DRAFT_7, INTEGER, TEXT, array


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            array(),
            array(items=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/items",
                    breaks={BACKWARD, FULL},
                    message="The schema: items are restricted now.",
                )
            ],
        ),
        (
            array(items=TEXT),
            array(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/items",
                    breaks={FORWARD, FULL},
                    message="The schema: items are not restricted any more.",
                )
            ],
        ),
        (
            {**DRAFT_7, **array(items=[TEXT], additionalItems=INTEGER)},
            {**DRAFT_7, **array(items=[TEXT])},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/additionalItems",
                    breaks={FORWARD, FULL},
                    message="The schema: further items are not restricted any more.",
                )
            ],
        ),
        (
            {**DRAFT_7, **array(items=[TEXT])},
            {**DRAFT_7, **array(items=[TEXT], additionalItems=False)},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/additionalItems",
                    breaks={BACKWARD, FULL},
                    message="The schema: further items are not allowed any more.",
                )
            ],
        ),
        (
            array(unevaluatedItems=False),
            array(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/unevaluatedItems",
                    breaks={FORWARD, FULL},
                    message="The schema: further items are allowed now.",
                )
            ],
        ),
        (
            array(contains=TEXT),
            array(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/contains",
                    breaks={FORWARD, FULL},
                    message="The schema need not contain a certain item any more.",
                )
            ],
        ),
        (
            array(),
            array(contains=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/contains",
                    breaks={BACKWARD, FULL},
                    message="The schema must contain a certain item now.",
                )
            ],
        ),
        (
            array(contains=TEXT),
            array(contains=TEXT, minContains=2),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/minContains",
                    before=1,
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The schema: minContains tightened from 1 to 2.",
                )
            ],
        ),
        (
            array(contains=TEXT, minContains=3),
            array(contains=TEXT, minContains=2),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/minContains",
                    before=3,
                    after=2,
                    breaks={FORWARD, FULL},
                    message="The schema: minContains relaxed from 3 to 2.",
                )
            ],
        ),
        (
            array(contains=TEXT),
            array(contains=TEXT, maxContains=2),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/maxContains",
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The schema: maxContains was added: 2.",
                )
            ],
        ),
        (
            array(contains=TEXT, maxContains=2),
            array(contains=TEXT, maxContains=3),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maxContains",
                    before=2,
                    after=3,
                    breaks={FORWARD, FULL},
                    message="The schema: maxContains relaxed from 2 to 3.",
                )
            ],
        ),
        (
            array(contains=TEXT, maxContains=3),
            array(contains=TEXT, maxContains=2),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/maxContains",
                    before=3,
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The schema: maxContains tightened from 3 to 2.",
                )
            ],
        ),
        (
            array(contains=TEXT, maxContains=2),
            array(contains=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maxContains",
                    before=2,
                    breaks={FORWARD, FULL},
                    message="The schema: maxContains was removed (was 2).",
                )
            ],
        ),
        (
            array(contains={"minimum": 1}),
            array(contains={"minimum": 2}),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/contains/minimum",
                    before=1,
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="[]: minimum tightened from 1 to 2.",
                )
            ],
        ),
    ],
)
def test_a_change_of_an_item_keyword_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
