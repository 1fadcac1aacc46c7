"""Operations on dbt manifests, which are larger than any other operation may be: sent as they are, not built anew."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.errors import Invalid
from tessera_gql.client.nouns import JsonObject, ManifestReport, ModelImpact
from tessera_gql.client.operation import UPLOAD, Field, Operation, TeamRef, create, get, given, read, team_ref
from tessera_gql.client.progress import Hear
from tessera_gql.client.words import CompatibilityMode

BOM = b"\xef\xbb\xbf"

Manifest: TypeAlias = Path | bytes | Mapping[str, Any]
"""The file `target/manifest.json`, its content, or the JSON object in it."""


class Syncing(TypedDict, total=False):
    """`owner` takes the tables for which the manifest names nobody; `create_teams` makes the owners it names.

    `owners` leads from owners as the manifest spells them to names of teams. `per_asset` skips what is refused instead
    of taking nothing. `retire_removed` retires what left the manifest and is read by nobody.
    """

    owner: TeamRef
    owners: Mapping[str, str]
    create_teams: bool
    compatibility_mode: CompatibilityMode
    supersede: bool
    dry_run: bool
    per_asset: bool
    retire_removed: bool


def sync_dbt(
    manifest: Manifest, *, on_progress: Hear | None = None, **options: Unpack[Syncing]
) -> Operation[ManifestReport]:
    """Assets, contracts and lineage from dbt, all of it or nothing. The same manifest again writes nothing."""
    owners = [{"owner": owner, "team": team} for owner, team in (options.get("owners") or {}).items()]
    said = given(**{**options, "owner": team_ref(options.get("owner")), "owners": owners or None})
    sent = {**said, "manifest": UPLOAD}
    operation = create(Field("syncDbtManifest", ManifestReport), sent, of="report")
    return replace(operation, upload=text_of(manifest), hear=on_progress)


def dbt_impact(manifest: Manifest, *, on_progress: Hear | None = None) -> Operation[tuple[ModelImpact, ...]]:
    """What a sync would come to, table by table, and who would be asked. Nothing is written."""
    root = Field("dbtImpact", ModelImpact, {"manifest": "JSON!"})
    found = get(root, {"manifest": UPLOAD}, "")

    def parse(data: JsonObject) -> tuple[ModelImpact, ...]:
        return tuple(read(ModelImpact, one) for one in data[root.name])

    return Operation(found.document, found.variables, parse, upload=text_of(manifest), hear=on_progress)


def text_of(manifest: Manifest) -> bytes:
    """As JSON; raises Invalid for what is none, before anything is sent."""
    match manifest:
        case Path():
            return _checked(manifest.read_bytes(), str(manifest))
        case bytes():
            return _checked(manifest, "The manifest")
        case _:
            return json.dumps(manifest).encode()


def _checked(content: bytes, name: str) -> bytes:
    content = content.removeprefix(BOM)
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON that can be read ({error}). Was it cut off? Run dbt again.") from None
    if not isinstance(found, dict):
        raise Invalid(f"{name} is not a dbt manifest: it is no JSON object. Give target/manifest.json.")
    return content
