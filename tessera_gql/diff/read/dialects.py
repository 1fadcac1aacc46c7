"""The keywords of each JSON Schema draft, from their records. Keywords that a draft does not define are annotations."""

import re
from typing import NamedTuple, cast

from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.keywords.record import MIXED_YEAR
from tessera_gql.diff.keywords.registry import KEYWORDS


class Dialect(NamedTuple):
    """One draft of JSON Schema. `shapes` maps its keywords to the shape of their value (see `read.shapes`)."""

    name: str
    uri: str
    year: int
    shapes: dict[str, str]

    @property
    def knows_siblings_of_ref(self) -> bool:
        return self.year >= 2019

    @property
    def knows_dependencies(self) -> bool:
        """Whether `dependencies` applies. Later drafts use `dependentRequired` and `dependentSchemas`."""
        return not self.knows_siblings_of_ref

    @property
    def knows_nullable(self) -> bool:
        """Whether `nullable: true` adds null to `type`, as in OpenAPI 3.0."""
        return self is MIXED

    @property
    def forbids_decimal_points(self) -> bool:
        """Whether `1.0` is no integer. Later drafts look at the value, not at how it is written."""
        return self.year == 4

    def is_ambiguous(self, entries: dict[str, object]) -> bool:
        """Whether a keyword of the schema applies in some drafts and is ignored in others, in the dialect `MIXED`."""
        if self is not MIXED:
            return False
        return bool(entries.get("dependencies")) or ("$ref" in entries and has_asserting_siblings(entries))

    @property
    def id_keyword(self) -> str:
        return "id" if self.year == 4 else "$id"


def _create_dialect(name: str, uri: str, year: int) -> Dialect:
    shapes = {
        keyword: shape for record in KEYWORDS for keyword in record.names if (shape := record.find_shape(keyword, year))
    }
    return Dialect(name, uri, year, shapes)


DRAFT_4 = _create_dialect("draft 4", "http://json-schema.org/draft-04/schema", 4)
DRAFT_6 = _create_dialect("draft 6", "http://json-schema.org/draft-06/schema", 6)
DRAFT_7 = _create_dialect("draft 7", "http://json-schema.org/draft-07/schema", 7)
DRAFT_2019 = _create_dialect("2019-09", "https://json-schema.org/draft/2019-09/schema", 2019)
DRAFT_2020 = _create_dialect("2020-12", "https://json-schema.org/draft/2020-12/schema", 2020)
DIALECTS = (DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020)
MIXED = _create_dialect("2020-12", DRAFT_2020.uri, MIXED_YEAR)
"""The dialect of OpenAPI 3.0, and of a schema without `$schema` whose keywords no draft has together: 2020-12, and the
older keywords where they can have one meaning only."""

_BY_NAME = {"4": DRAFT_4, "5": DRAFT_4, "6": DRAFT_6, "7": DRAFT_7, "2019-09": DRAFT_2019, "2020-12": DRAFT_2020}
_ASSERTING = frozenset(key for dialect in DIALECTS for key in dialect.shapes) - NON_ASSERTING - {"$ref", "$id", "id"}

_ANY_DRAFT = "json-schema.org/draft"
_PREFIX = re.compile(r"(https?://)?(www\.)?")
_DRAFT_URI = re.compile(r"json-schema\.org/draft[-/]?0?([4-7]|2019-09|2020-12)/(hyper-)?schema(\.json)?")
_BY_PREFIX = {
    "iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/": DRAFT_4,
    "spec.openapis.org/oas/3.0/": MIXED,
    "spec.openapis.org/oas/3.1/": DRAFT_2020,
    "spec.openapis.org/oas/3.2/": DRAFT_2020,
}
"""The drafts on which other dialects are built that are read as that draft: their own keywords are annotations."""


def has_asserting_siblings(entries: dict[str, object]) -> bool:
    """Return whether a schema with a reference has keywords that drafts before 2019-09 ignore next to it."""
    return len(entries) > 1 and not _ASSERTING.isdisjoint(entries)


def find_draft(uri: str) -> Dialect | None:
    """Return the draft whose meta-schema a URI names. Scheme, capitals and a trailing `#` make no difference."""
    match = _DRAFT_URI.fullmatch(_normalize_uri(uri))
    return None if match is None else _BY_NAME[match[1]]


def _normalize_uri(uri: str) -> str:
    return _PREFIX.sub("", uri.strip().lower(), count=1).rstrip("#/")


def declared_dialect(schema: object, pointer: str = "") -> Dialect | None:
    """Return the draft named by `$schema`, or None if there is no `$schema` or its URI names no draft.

    A URI outside of json-schema.org is a dialect of its own, built on an unknown draft. Raises `SchemaError` for a
    draft that is not supported.
    """
    if not isinstance(schema, dict) or "$schema" not in schema:
        return None
    uri = cast("object", schema["$schema"])
    draft = find_draft(uri) if isinstance(uri, str) else None
    if draft is not None:
        return draft
    name = _normalize_uri(uri) if isinstance(uri, str) else _ANY_DRAFT
    if name.startswith(_ANY_DRAFT):
        uris = ", ".join(dialect.uri for dialect in DIALECTS)
        raise SchemaError(f"its $schema is not a draft read here; use one of {uris}.", pointer=f"{pointer}/$schema")
    return next((dialect for prefix, dialect in _BY_PREFIX.items() if name.startswith(prefix)), None)


def check_draft(schema: object, pointer: str, dialect: Dialect) -> None:
    """Raise `SchemaError` for a subschema that names another draft than the document."""
    if isinstance(schema, dict) and declared_dialect(schema, pointer) not in (None, dialect):
        raise SchemaError(
            f"its $schema is another draft than that of the whole, {dialect.uri}; write all of it in one.",
            pointer=f"{pointer}/$schema",
        )
