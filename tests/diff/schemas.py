"""Schemas that many cases use, and functions that build one from its keywords."""

from typing import Any

TEXT, INTEGER, NUMBER, NULL, ARRAY = ({"type": name} for name in ("string", "integer", "number", "null", "array"))
NULLABLE_TEXT = {"type": ["string", "null"]}
DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
DRAFT_6 = {"$schema": "http://json-schema.org/draft-06/schema#"}
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
DRAFT_2019 = {"$schema": "https://json-schema.org/draft/2019-09/schema"}
DRAFT_2020 = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def array(**keywords: Any) -> dict[str, Any]:
    return {"type": "array", **keywords}


def obj(**keywords: Any) -> dict[str, Any]:
    return {"type": "object", **keywords}


def table(**columns: Any) -> dict[str, Any]:
    return obj(properties=columns)
