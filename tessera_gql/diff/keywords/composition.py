"""Keywords that apply further schemas to the same value. The walk finds their differences."""

from __future__ import annotations

from tessera_gql.diff.keywords.record import Keyword

COMPOSITION = (
    Keyword(("$ref",), "A reference to a schema in the same document. In drafts before 2019-09 it stands alone."),
    Keyword(
        ("$dynamicRef", "$recursiveRef"),
        "A reference that may depend on the dynamic scope. A schema with one that does is undecided.",
    ),
    Keyword(("allOf",), "Schemas of which all must hold. They are merged before they are compared."),
    Keyword(("anyOf",), "Schemas of which at least one must hold. A schema or null is read as a nullable value."),
    Keyword(("oneOf",), "Schemas of which exactly one must hold."),
    Keyword(("not",), "A schema that must not hold."),
    Keyword(("if", "then", "else"), "A condition, and the schemas that must hold where it does and where it doesn't."),
)
