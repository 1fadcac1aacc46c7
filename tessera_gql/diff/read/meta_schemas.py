"""The official meta-schemas of all drafts. References to them resolve, although nothing is ever fetched."""

from typing import Any

from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # has no type hints
from referencing import Registry

from tessera_gql.diff.read.dialects import find_draft

META_SCHEMAS: Registry[Any] = REGISTRY


def find_meta_schema(uri: str) -> tuple[object, str]:
    """Return the meta-schema or vocabulary that a URI without fragment names, or None, and its canonical URI."""
    draft = find_draft(uri)
    if draft is not None and "hyper-schema" not in uri.lower():
        uri = draft.uri
    resource = META_SCHEMAS.get(uri)
    return (None if resource is None else resource.contents), uri
