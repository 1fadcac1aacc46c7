"""Names of projects and patterns of schemas are validated and stored in one form."""

import pytest

from tessera_gql.errors import Invalid
from tessera_gql.policy.projects import MAX_SCHEMAS, clean_project_name, clean_schema_patterns


def test_a_name_is_trimmed_and_composed() -> None:
    assert clean_project_name(" Cafe\u0301 ") == "Caf\u00e9"


@pytest.mark.parametrize("name", ["", "  ", "a" * 201, "a\nb", "\u202eevil"])
def test_a_name_that_can_not_be_read_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="1 to 200 visible characters") as refused:
        clean_project_name(name)
    assert refused.value.field == ("name",)


def test_patterns_are_in_lower_case_sorted_and_without_duplicates() -> None:
    assert clean_schema_patterns([" Prod.Marts ", "prod.marts", "PROD.stg_*", "marts", "*.x"]) == [
        "*.x",
        "marts",
        "prod.marts",
        "prod.stg_*",
    ]


@pytest.mark.parametrize("pattern", ["", " ", "a.", ".a", "a..b", "a.b.c", "a.[b]", "a.b?", "a b .c", "a" * 501])
def test_a_pattern_that_is_no_schema_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match="is no schema") as refused:
        clean_schema_patterns(["analytics.marts", pattern])
    assert refused.value.field == ("schemas",)


def test_the_number_of_patterns_is_limited() -> None:
    patterns = [f"db.s{number}" for number in range(MAX_SCHEMAS + 1)]
    assert len(clean_schema_patterns(patterns[:-1])) == MAX_SCHEMAS
    with pytest.raises(Invalid, match=f"at most {MAX_SCHEMAS} schemas"):
        clean_schema_patterns(patterns)
