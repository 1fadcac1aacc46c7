"""Operations on dbt manifests. A manifest is uploaded as a file and not encoded again, because it may be large."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import CompatibilityMode
from tessera_gql.client.errors import Invalid
from tessera_gql.client.models import JsonObject, ManifestReport, ModelImpact
from tessera_gql.client.operation import (
    UPLOAD_PLACEHOLDER,
    Operation,
    RootField,
    TeamRef,
    build_team_ref,
    build_variables,
    parse_model,
)
from tessera_gql.client.progress import ProgressCallback

BOM = b"\xef\xbb\xbf"

Manifest: TypeAlias = Path | bytes | Mapping[str, Any]
"""The path of `target/manifest.json`, its content, or its parsed JSON object."""


class SyncOptions(TypedDict, total=False):
    """Options of a sync; those that are None are left out.

    `owner`: team of the models without an owner in the manifest. `owners`: teams by the owner's name in the manifest.
    `create_teams`: create the missing owners. `per_asset`: skip assets that are refused instead of rolling back.
    `retire_removed`: retire contracts whose model left the manifest and has no consumers.
    `idempotency_key`: the key with which the call can be repeated.
    """

    owner: TeamRef | None
    owners: Mapping[str, str] | None
    create_teams: bool
    compatibility_mode: CompatibilityMode
    supersede: bool
    dry_run: bool
    per_asset: bool
    retire_removed: bool
    idempotency_key: str | None


def sync_dbt(
    manifest: Manifest, *, on_progress: ProgressCallback | None = None, **options: Unpack[SyncOptions]
) -> Operation[ManifestReport]:
    """Sync assets, contracts and lineage from a dbt manifest in one transaction. Idempotent for the same manifest."""
    owners = [{"owner": owner, "team": team} for owner, team in (options.get("owners") or {}).items()]
    variables = build_variables(**{**options, "owner": build_team_ref(options.get("owner")), "owners": owners or None})
    root = RootField("syncDbtManifest", ManifestReport)
    input_ = {**variables, "manifest": UPLOAD_PLACEHOLDER}
    operation = root.build_idempotent_mutation(input_, payload_field="report")
    return replace(operation, upload=read_manifest(manifest), on_progress=on_progress)


def dbt_impact(
    manifest: Manifest, *, on_progress: ProgressCallback | None = None
) -> Operation[tuple[ModelImpact, ...]]:
    """Compute per model what a sync would do and which teams would be asked. Writes nothing."""
    root = RootField("dbtImpact", ModelImpact, {"manifest": "JSON!"})
    query = root.build_get_query({"manifest": UPLOAD_PLACEHOLDER}, "")

    def parse(data: JsonObject) -> tuple[ModelImpact, ...]:
        return tuple(parse_model(ModelImpact, impact) for impact in data[root.name])

    return Operation(query.document, query.variables, parse, upload=read_manifest(manifest), on_progress=on_progress)


def read_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as JSON; raises Invalid for anything but a JSON object."""
    match manifest:
        case Path():
            return _validate_json(manifest.read_bytes(), str(manifest))
        case bytes():
            return _validate_json(manifest, "The manifest")
        case _:
            return json.dumps(manifest).encode()


def _validate_json(content: bytes, name: str) -> bytes:
    content = content.removeprefix(BOM)
    try:
        manifest: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON that can be read ({error}). Was it cut off? Run dbt again.") from None
    if not isinstance(manifest, dict):
        raise Invalid(f"{name} is not a dbt manifest: it is no JSON object. Give target/manifest.json.")
    return content
