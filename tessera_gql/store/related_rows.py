"""Rows that are related to an asset, by which lists of assets are filtered: its labels, columns, consumers and more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.store.proposals import IS_OPEN
from tessera_gql.store.proposals import TABLE as PROPOSALS
from tessera_gql.store.tables import AssetColumn, AssetLabel, Deprecation, Registration, table


@dataclass(frozen=True)
class RelatedRows:
    """Rows whose `key` is the id of an asset, and the `value` that a filter compares.

    A folded value is compared ignoring case, as the keys of names are. Where a filter only asks whether there is a
    row, the value is the key.
    """

    key: ColumnElement[Any]
    value: ColumnElement[Any]
    conditions: tuple[ColumnElement[bool], ...] = ()
    is_folded: bool = False


_columns, _labels = table(AssetColumn).c, table(AssetLabel).c
_deprecations, _registrations = table(Deprecation).c, table(Registration).c
_is_live = _registrations.status != RegistrationStatus.INACTIVE
_is_whole = (_deprecations.ended_at.is_(None), _deprecations.path == "")

RELATED_ROWS: Mapping[str, RelatedRows] = {
    "column": RelatedRows(_columns.asset_id, _columns.name_key, is_folded=True),
    "consumer": RelatedRows(_registrations.asset_id, _registrations.consumer_team_id, (_is_live,)),
    "deprecation": RelatedRows(_deprecations.asset_id, _deprecations.asset_id, _is_whole),
    "label": RelatedRows(_labels.asset_id, _labels.name_key, is_folded=True),
    "open proposal": RelatedRows(PROPOSALS.c.asset_id, PROPOSALS.c.asset_id, (IS_OPEN,)),
}
"""The related rows by the name that a filter gives them."""
