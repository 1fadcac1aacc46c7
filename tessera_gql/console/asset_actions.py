"""The forms about an asset: registrations and deprecations."""

from collections.abc import Mapping
from typing import Any

from tessera_gql.console.form_action import FormAction, read_team
from tessera_gql.console.forms import InvalidForm, SentForm
from tessera_gql.console.pages import PathParams


def _read_registration(path: PathParams, form: SentForm) -> dict[str, Any]:
    fields = form.get_all("fields")
    if not fields and not form.get("all_fields"):
        raise InvalidForm("Choose the columns that the team reads, or all of them.")
    return {
        "asset": {"fqn": path["fqn"]},
        "fields": None if form.get("all_fields") else fields,
        "purpose": form.get_or_none("purpose"),
        **read_team(form),
    }


def _describe_registration(payload: Mapping[str, Any]) -> str:
    registration = payload["registration"]
    fields = registration["fields"]
    columns = "all columns" if fields is None else "1 column" if len(fields) == 1 else f"{len(fields)} columns"
    return f"{registration['consumerTeam']['name']} is registered for {columns} of {registration['asset']['fqn']}."


def _read_deprecation(path: PathParams, form: SentForm) -> dict[str, Any]:
    sunset_at = form.get_day_end("sunset_at")
    if sunset_at is None:
        raise InvalidForm("Say on which day it goes.")
    fields = [field for field in form.get_all("fields") if field]
    return {
        "asset": {"fqn": path["fqn"]},
        "fields": fields or None,
        "sunsetAt": sunset_at,
        "replacement": form.get_or_none("replacement"),
    }


def _describe_deprecation(payload: Mapping[str, Any]) -> str:
    paths = [deprecation["path"] for deprecation in payload["deprecations"] if deprecation["path"]]
    return f"{', '.join(paths) or 'The asset'} is deprecated. Its readers are informed."


def _read_deprecation_end(path: PathParams, form: SentForm) -> dict[str, Any]:
    field = form.get("field")
    return {"asset": {"fqn": path["fqn"]}, "fields": [field] if field else None}


def _read_registration_end(path: PathParams, _form: SentForm) -> dict[str, Any]:
    return {"registration": path["registration"]}


def _read_narrower_registration(path: PathParams, form: SentForm) -> dict[str, Any]:
    fields = form.get_all("fields")
    if not fields:
        raise InvalidForm("Keep one column at least, or end the registration on the page of the asset's readers.")
    return {"registration": path["registration"], "fields": fields}


ASSET_ACTIONS: tuple[FormAction, ...] = (
    FormAction("register", "/assets/{fqn}/register", ("asset",), _read_registration, _describe_registration),
    FormAction(
        "unregister",
        "/assets/{fqn}/registrations/{registration}/end",
        ("readers",),
        _read_registration_end,
        lambda payload: (
            f"{payload['registration']['consumerTeam']['name']} no longer reads"
            f" {payload['registration']['asset']['fqn']}, and is no longer asked about it."
        ),
    ),
    FormAction(
        "update_registration",
        "/registrations/{registration}/fields",
        ("inbox",),
        _read_narrower_registration,
        _describe_registration,
    ),
    FormAction("deprecate", "/assets/{fqn}/deprecate", ("asset",), _read_deprecation, _describe_deprecation),
    FormAction(
        "end_deprecation",
        "/assets/{fqn}/deprecations/end",
        ("asset",),
        _read_deprecation_end,
        lambda payload: f"The deprecation of {payload['deprecations'][0]['path'] or 'the asset'} is withdrawn.",
    ),
)
