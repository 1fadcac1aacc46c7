"""Keywords that apply further schemas to the same value. The walk finds their differences."""

from __future__ import annotations

from tessera_gql.diff.keywords.record import MIXED_YEAR, Keyword

COMPOSITION = (
    Keyword(
        {"$ref": {4: "text"}}, "A reference to a schema in the same document. In drafts before 2019-09 it stands alone."
    ),
    Keyword(
        {"$dynamicRef": {2020: "text"}, "$recursiveRef": {2019: "text", 2020: None, MIXED_YEAR: "text"}},
        "A reference that may depend on the dynamic scope. A schema with one that does is undecided.",
    ),
    Keyword({"allOf": {4: "schemas"}}, "Schemas of which all must hold. They are merged before they are compared."),
    Keyword(
        {"anyOf": {4: "schemas"}},
        "Schemas of which at least one must hold. A schema or null is read as a nullable value.",
    ),
    Keyword({"oneOf": {4: "schemas"}}, "Schemas of which exactly one must hold."),
    Keyword({"not": {4: "schema"}}, "A schema that must not hold."),
    Keyword(
        {"if": {7: "schema"}, "then": {7: "schema"}, "else": {7: "schema"}},
        "A condition, and the schemas that must hold where it does and where it doesn't.",
    ),
)
