"""Compare a manifest of another target, such as the schema of a pull request, with the tables of its project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tessera_gql.formats.dbt import Exposure, Manifest, Model
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.workflows.dbt.state import SOURCE


@dataclass(frozen=True)
class KnownTarget:
    """The names of a manifest's tables in the known target by their fqns, and the schemas of both targets."""

    names: Mapping[str, str]
    manifest_schemas: tuple[str, ...]
    known_schemas: tuple[str, ...]


def find_other_target(manifest: Manifest, project_assets: Sequence[KnownAsset]) -> KnownTarget | None:
    """Return how the manifest's tables are named in the known target; None if one of its schemas is known.

    Models are matched by `unique_id`. A model that is new is expected in the schema of the models beside it.
    """
    known_tables = [asset for asset in project_assets if asset.contract_id is not None and not asset.is_source]
    models = [model for model in manifest.models if model.resource_type != SOURCE]
    manifest_schemas = _schemas_of(model.fqn for model in models)
    known_schemas = _schemas_of(asset.fqn for asset in known_tables)
    if not models or not known_tables or manifest_schemas & known_schemas:
        return None
    by_unique_id = {asset.unique_id: asset.fqn for asset in known_tables}
    names = {model.fqn: by_unique_id[model.unique_id] for model in models if model.unique_id in by_unique_id}
    schemas = _match_schemas(names)
    for model in models:
        schema, _, name = model.fqn.rpartition(".")
        if model.fqn not in names and schema in schemas:
            names[model.fqn] = f"{schemas[schema]}.{name}"
    mapped_schemas = _schemas_of(names.values()) or known_schemas
    return KnownTarget(names, tuple(sorted(manifest_schemas)), tuple(sorted(mapped_schemas)))


def _schemas_of(fqns: Iterable[str]) -> set[str]:
    return {fqn.rpartition(".")[0].lower() for fqn in fqns}


def _match_schemas(names: Mapping[str, str]) -> dict[str, str]:
    """Return the known schema of each schema whose tables are all in one known schema."""
    matches: dict[str, set[str]] = {}
    for fqn, known_fqn in names.items():
        matches.setdefault(fqn.rpartition(".")[0], set()).add(known_fqn.rpartition(".")[0])
    return {schema: known_schemas.pop() for schema, known_schemas in matches.items() if len(known_schemas) == 1}


def map_schemas(manifest: Manifest, schema_map: Mapping[str, str]) -> dict[str, str]:
    """Return the new fqns of tables in mapped schemas, by fqn; a schema is `schema` or `database.schema`."""
    lowered = {old.lower(): new.lower() for old, new in schema_map.items()}
    names: dict[str, str] = {}
    for model in manifest.models:
        path, _, name = model.fqn.rpartition(".")
        database, _, schema = path.rpartition(".")
        if model.resource_type == SOURCE or (new := lowered.get(path, lowered.get(schema))) is None:
            continue
        names[model.fqn] = f"{new}.{name}" if "." in new or not database else f"{database}.{new}.{name}"
    return names


def rename_tables(manifest: Manifest, names: Mapping[str, str]) -> tuple[Manifest, dict[str, str]]:
    """Return the manifest with other fqns, and the old names by the new ones.

    A table keeps its name if another table of the manifest has the new one.
    """
    used_names = {model.fqn for model in manifest.models}
    unique: dict[str, str] = {}
    for fqn, new_fqn in names.items():
        if new_fqn not in used_names:
            unique[fqn] = new_fqn
            used_names.add(new_fqn)
    models = [_rename_model(model, unique) for model in manifest.models]
    exposures = tuple(_rename_exposure(exposure, unique) for exposure in manifest.exposures)
    renamed = replace(
        manifest,
        models=tuple(sorted(models, key=lambda model: model.fqn)),
        exposures=exposures,
        semantic_consumers=tuple(_rename_exposure(consumer, unique) for consumer in manifest.semantic_consumers),
        conflicts={unique.get(fqn, fqn): reason for fqn, reason in manifest.conflicts.items()},
    )
    return renamed, {new: old for old, new in unique.items()}


def _rename_model(model: Model, names: Mapping[str, str]) -> Model:
    fqn, depends_on = names.get(model.fqn, model.fqn), _rename_all(model.depends_on, names)
    return (
        model if (fqn, depends_on) == (model.fqn, model.depends_on) else replace(model, fqn=fqn, depends_on=depends_on)
    )


def _rename_exposure(exposure: Exposure, names: Mapping[str, str]) -> Exposure:
    columns = exposure.columns and {names.get(fqn, fqn): fields for fqn, fields in exposure.columns.items()}
    return replace(exposure, depends_on=_rename_all(exposure.depends_on, names), columns=columns)


def _rename_all(fqns: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(names.get(fqn, fqn) for fqn in fqns))
