"""Combine the columns that a manifest declares, those of a catalog, and what earlier ones showed of a table.

What is known of a table's columns is stored with its contract, by column:

    {"declared": type or null}                     in the manifest
    {"observed": type or null}                     in the catalog, or in an earlier one
    {"declared": …, "observed": …}                 in both
    {"declared": …, "missing": null}               declared, but the last catalog of the table has no such column
    {"undocumented": null}                         was declared only, and is no longer, and no catalog says more

The last two are no columns of the contract. They keep the knowledge of one input for the next.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from tessera_gql.formats.dbt_catalog import ColumnTypes
from tessera_gql.formats.untrusted_json import JsonObject
from tessera_gql.formats.warehouse_types import parse_type

KnownColumns: TypeAlias = dict[str, dict[str, str | None]]

_COLUMN_SECTIONS = ("nullability", "accepted_values", "relationships")


def combine_columns(
    declared: ColumnTypes,
    observed: ColumnTypes | None,
    known_columns: Mapping[str, Mapping[str, str | None]],
    contract_columns: Collection[str] = (),
) -> KnownColumns:
    """Return what is known with a manifest, and a catalog if there is one, in the order of the columns.

    Names are the same in any case. The spelling of the contract stays, or a known one; else the declared one counts,
    else that of the catalog.
    """
    known_entries = {name.lower(): entry for name, entry in known_columns.items()}
    declared_types = {name.lower(): text for name, text in declared.items()}
    if observed is None:
        entries = _carry_over(declared_types, known_entries)
    else:
        entries = _apply_catalog(declared_types, {name.lower(): text for name, text in observed.items()})
    names = (*(observed or ()), *declared)
    exact_names = set(contract_columns).intersection(names)
    spelling = _choose_spelling((*names, *known_columns, *contract_columns, *exact_names))
    return {spelling[key]: entry for key, entry in entries.items()}


def list_column_types(known_columns: KnownColumns) -> dict[str, str | None]:
    """Return the types of the columns of the contract: the observed type if there is one, else the declared one."""
    return {
        name: entry.get("observed") or entry.get("declared")
        for name, entry in known_columns.items()
        if not entry.keys() & {"missing", "undocumented"}
    }


def respell_guarantees(guarantees: JsonObject, names: Iterable[str]) -> JsonObject:
    """Return guarantees that spell their columns like these names."""
    spelling = {name.lower(): name for name in names}

    def respell(column: str) -> str:
        return spelling.get(column.lower(), column)

    respelled = dict(guarantees)
    for section in _COLUMN_SECTIONS:
        if section in respelled:
            respelled[section] = {respell(column): promise for column, promise in respelled[section].items()}
    if "uniqueness" in respelled:
        respelled["uniqueness"] = {
            ", ".join(sorted(map(respell, columns.split(", ")))): promise
            for columns, promise in respelled["uniqueness"].items()
        }
    return respelled


def _choose_spelling(names: Iterable[str]) -> dict[str, str]:
    """Map lower-cased names to the last spelling among names. A field is spelled with the name of its parent."""
    spelling = {name.lower(): name for name in names}
    for key in sorted(key for key in spelling if "." in key):
        parent, _, field = spelling[key].rpartition(".")
        spelling[key] = f"{spelling.get(parent.lower(), parent)}.{field}"
    return spelling


def _apply_catalog(declared: ColumnTypes, observed: ColumnTypes) -> KnownColumns:
    entries: KnownColumns = {}
    for key, text in observed.items():
        entries[key] = {"declared": declared[key], "observed": text} if key in declared else {"observed": text}
    for key, text in declared.items():
        if key not in observed:
            entries[key] = {"declared": text, "missing": None}
    return entries


def _carry_over(declared: ColumnTypes, known_entries: Mapping[str, Mapping[str, str | None]]) -> KnownColumns:
    """Combine the declared columns with what earlier catalogs showed of the table."""
    entries: KnownColumns = {key: _redeclare(text, known_entries.get(key, {})) for key, text in declared.items()}
    has_observations = any("observed" in entry for entry in known_entries.values())
    for key, entry in known_entries.items():
        if key in declared:
            continue
        if "undocumented" in entry or ("observed" in entry and "declared" not in entry):
            entries[key] = dict(entry)
        elif has_observations and not entry.keys() & {"observed", "missing"}:
            entries[key] = {"undocumented": None}
    return entries


def _redeclare(text: str | None, before: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the entry of a declared column. Another declared type makes the observed one obsolete."""
    entry: dict[str, str | None] = {"declared": text}
    if "missing" in before:
        entry["missing"] = None
    elif "observed" in before:
        previous = before.get("declared")
        is_redeclared = text is not None and previous is not None and not _is_same_type(previous, text)
        entry["observed"] = None if is_redeclared else before["observed"]
    return entry


def _is_same_type(left: str, right: str) -> bool:
    return left == right or parse_type(left).schema == parse_type(right).schema
