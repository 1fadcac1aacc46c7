"""Operations on dbt manifests. A manifest is uploaded as a file and not encoded again, because it may be large."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, TypeVar

from typing_extensions import Unpack

from tessera_gql.client.enums import CompatibilityMode
from tessera_gql.client.manifest_files import Manifest, read_manifest
from tessera_gql.client.manifest_models import ManifestImpact, ManifestReport
from tessera_gql.client.models import JsonObject
from tessera_gql.client.operation import (
    CATALOG_PLACEHOLDER,
    UPLOAD_PLACEHOLDER,
    Operation,
    RootField,
    TeamRef,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.operations.change_sets import build_change_set_input
from tessera_gql.client.progress import ProgressCallback
from tessera_gql.client.requests import ChangeSetRequest

T = TypeVar("T")


class ImpactOptions(TypedDict, total=False):
    """Options of an impact.

    `catalog`: `target/catalog.json` of the same run. `change_set`: key of the change set whose proposals an ask would
    update. `new_target`: take tables that are all in other schemas than before as moved. `schema_map`: the schemas of
    the assets by those of the manifest.
    """

    catalog: Manifest | None
    change_set: str | None
    new_target: bool
    schema_map: Mapping[str, str] | None


class AskOptions(TypedDict, total=False):
    """Options of an ask, as those of an impact. `reason`: for the asked teams."""

    catalog: Manifest | None
    change_set: ChangeSetRequest | str | None
    reason: str | None
    new_target: bool
    schema_map: Mapping[str, str] | None
    supersede: bool
    atomic: bool
    dry_run: bool


class SyncOptions(AskOptions, total=False):
    """Options of a sync; those that are None are left out.

    `owner`: team of the models without an owner in the manifest. `owners`: teams by the owner's name in the manifest.
    `sources`: teams of sources that no project builds. `create_teams`: create the missing owners. `atomic`: refuse all
    tables because of one. `retire_removed`: retire contracts whose model left the manifest and has no consumers.
    `allow_empty`: accept a manifest without models of a known project.
    `idempotency_key`: the key with which the call can be repeated.
    """

    owner: TeamRef | None
    owners: Mapping[str, str] | None
    sources: Mapping[str, str] | None
    create_teams: bool
    compatibility_mode: CompatibilityMode
    retire_removed: bool
    allow_empty: bool
    idempotency_key: str | None


def sync_dbt(
    manifest: Manifest, *, on_progress: ProgressCallback | None = None, **options: Unpack[SyncOptions]
) -> Operation[ManifestReport]:
    """Sync assets, contracts and lineage from a dbt manifest. The same manifest again changes nothing.

    Returns what became of each table. Raises Invalid for a manifest that can't be read, NotFound for an owner that does
    not exist, Conflict if all tables are in other schemas than before.

    Example:
        report = tessera.sync_dbt(manifest, owner="shop-platform", create_teams=True)
        print(report)
    """
    root = RootField("syncDbtManifest", ManifestReport)
    operation = root.build_idempotent_mutation(_build_input(options), payload_field="report")
    return _add_files(operation, manifest, options.get("catalog"), on_progress)


def ask_dbt(
    manifest: Manifest, *, on_progress: ProgressCallback | None = None, **options: Unpack[AskOptions]
) -> Operation[ManifestImpact]:
    """Open and update proposals for what a manifest breaks, and return its impact. Asking again asks no team twice.

    Raises Invalid for a manifest that can't be read, Forbidden for tables of other teams.

    Example:
        impact = tessera.ask_dbt(manifest, change_set="github.com/fernhill/warehouse#500", reason="New marts.")
        print([model.fqn for model in impact.models])
    """
    root = RootField("syncDbtManifest", ManifestImpact)
    operation = root.build_mutation({**_build_input(options), "intent": "ASK"}, payload_field="impact")
    return replace(_add_files(operation, manifest, options.get("catalog"), on_progress), is_idempotent=True)


def _build_input(options: Mapping[str, Any]) -> JsonObject:
    """Build the input of `syncDbtManifest`."""
    return build_variables(
        **{
            **options,
            "manifest": UPLOAD_PLACEHOLDER,
            "catalog": None if options.get("catalog") is None else CATALOG_PLACEHOLDER,
            "owner": build_team_ref(options.get("owner")),
            "owners": _build_mappings("owner", "team", options.get("owners")),
            "sources": _build_mappings("source", "team", options.get("sources")),
            "schema_map": _build_mappings("old", "new", options.get("schema_map")),
            "change_set": build_change_set_input(options.get("change_set")),
        }
    )


def _build_mappings(key: str, value: str, mapping: Mapping[str, str] | None) -> list[JsonObject] | None:
    return [{key: name, value: target} for name, target in (mapping or {}).items()] or None


def dbt_impact(
    manifest: Manifest, *, on_progress: ProgressCallback | None = None, **options: Unpack[ImpactOptions]
) -> Operation[ManifestImpact]:
    """Compute per table what a sync would do and which teams would be asked. Writes nothing.

    Raises Invalid for a manifest that can't be read.

    Example:
        impact = tessera.dbt_impact(manifest)
        print([model.fqn for model in impact.models])
    """
    types = {"catalog": "JSON", "changeSet": "String", "newTarget": "Boolean!", "schemaMap": "[SchemaMapping!]"}
    schema_map = _build_mappings("old", "new", options.get("schema_map"))
    catalog = None if options.get("catalog") is None else CATALOG_PLACEHOLDER
    optional = build_variables(**{**options, "schema_map": schema_map, "catalog": catalog})
    arguments = {"manifest": "JSON!"} | {name: types[name] for name in optional}
    root = RootField("dbtImpact", ManifestImpact, arguments)
    query = root.build_get_query({"manifest": UPLOAD_PLACEHOLDER, **optional}, "The server returned no impact.")
    return _add_files(query, manifest, options.get("catalog"), on_progress)


def _add_files(
    operation: Operation[T], manifest: Manifest, catalog: Manifest | None, on_progress: ProgressCallback | None
) -> Operation[T]:
    """Add the files to an operation; each replaces its placeholder in the variables."""
    catalog_content = None if catalog is None else read_manifest(catalog, "catalog")
    return replace(operation, upload=read_manifest(manifest), catalog=catalog_content, on_progress=on_progress)
