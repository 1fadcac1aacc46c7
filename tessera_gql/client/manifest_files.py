"""Manifests and catalogs of dbt as files that are sent as they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tessera_gql.client.errors import Invalid

BOM = b"\xef\xbb\xbf"

Manifest: TypeAlias = Path | str | bytes | Mapping[str, Any]
"""The path of `target/manifest.json` (or `target/catalog.json`), its content, or its parsed JSON object."""


class ArtifactFile(bytes):
    """The content of a manifest or catalog that was read and is a JSON object."""


def read_manifest(manifest: Manifest, noun: str = "manifest") -> bytes:
    """Return a manifest or a catalog (`noun`) as JSON; raises Invalid for anything but a JSON object."""
    match manifest:
        case ArtifactFile():
            return manifest
        case Path() | str():
            return _validate_json(Path(manifest).read_bytes(), str(manifest), noun)
        case bytes():
            return _validate_json(manifest, f"The {noun}", noun)
        case _:
            return json.dumps(manifest).encode()


def _validate_json(content: bytes, name: str, noun: str) -> bytes:
    content = content.removeprefix(BOM)
    try:
        manifest: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON that can be read ({error}). Was it cut off? Run dbt again.") from None
    if not isinstance(manifest, dict):
        raise Invalid(f"{name} is not a dbt {noun}: it is no JSON object. Give target/{noun}.json.")
    return ArtifactFile(content)
