"""Validate the names of projects, and the patterns of the schemas that a project may sync."""

import unicodedata
from collections.abc import Iterable

from tessera_gql.errors import Invalid
from tessera_gql.policy.validation import SEGMENT_PATTERN, uniqueness_key

MAX_NAME = 200
MAX_SCHEMAS = 200
MAX_PATTERN = 500


def clean_project_name(text: str) -> str:
    """Validate a project's name; trims it and composes its characters, so that names that look alike are equal."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= MAX_NAME or any(unicodedata.category(char).startswith("C") for char in name):
        raise Invalid(
            f"A project's name has 1 to {MAX_NAME} visible characters. Use the `name` of its dbt_project.yml.",
            field=("name",),
        )
    return name


def clean_schema_patterns(texts: Iterable[str]) -> list[str]:
    """Validate patterns of `database.schema`, or of `schema` where there are no databases; returns them in lower case.

    The order is alphabetical, without duplicates.
    """
    patterns = sorted({_clean_pattern(text) for text in texts})
    if len(patterns) > MAX_SCHEMAS:
        raise Invalid(f"A project has at most {MAX_SCHEMAS} schemas. Combine them with *.", field=("schemas",))
    return patterns


def _clean_pattern(text: str) -> str:
    pattern = uniqueness_key(text)
    parts = pattern.split(".")
    if len(pattern) > MAX_PATTERN or len(parts) > 2 or not all(SEGMENT_PATTERN.fullmatch(part) for part in parts):
        raise Invalid(
            f"{text[:100]!r} is no schema. Write database.schema, or schema alone where there are no databases; *"
            " stands for any characters of a part, as in analytics.marts_*.",
            field=("schemas",),
        )
    return pattern
