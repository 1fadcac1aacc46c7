"""Operations on dbt manifests, which travel as files: they are larger than any other operation may be."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.nouns import ManifestReport
from tessera_gql.client.operation import Field, Operation, TeamRef, Upload, change, given, team_ref
from tessera_gql.client.words import CompatibilityMode

Manifest: TypeAlias = Path | bytes | Mapping[str, Any]
"""The file `target/manifest.json`, its content, or the JSON object in it."""


class Syncing(TypedDict, total=False):
    """`owner` takes the tables for which the manifest names nobody; `create_teams` makes the owners it names."""

    owner: TeamRef
    create_teams: bool
    compatibility_mode: CompatibilityMode
    supersede: bool
    dry_run: bool


def sync_dbt(manifest: Manifest, **options: Unpack[Syncing]) -> Operation[ManifestReport]:
    """Assets, contracts and lineage from dbt, all of it or nothing. The same manifest again writes nothing."""
    said = given(**{**options, "owner": team_ref(options.get("owner"))})
    sent = {"manifest": None, **said}
    operation = change(Field("syncDbtManifest", ManifestReport), sent, of="report", repeatable=True)
    return replace(operation, upload=Upload("variables.input.manifest", _content(manifest)))


def _content(manifest: Manifest) -> bytes:
    match manifest:
        case Path():
            return manifest.read_bytes()
        case bytes():
            return manifest
        case _:
            return json.dumps(manifest).encode()
