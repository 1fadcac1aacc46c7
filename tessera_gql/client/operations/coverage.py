"""Operations on coverage: on what it rests that nobody reads something, and what to do about readers without a team."""

from datetime import datetime

from tessera_gql.client.base_model import build_selection
from tessera_gql.client.coverage_models import Coverage, UnusedField, UnusedFieldsCoverage
from tessera_gql.client.errors import NotFound
from tessera_gql.client.models import JsonObject
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_team_ref,
    build_variables,
    describe_missing_asset,
    parse_model,
)
from tessera_gql.client.usage_models import NarrowableRegistration, ObservedReader, Principal


def coverage(asset: AssetRef) -> Operation[Coverage]:
    """Get on what it rests who reads an asset: registered and observed teams, and the time that reads cover.

    Raises NotFound if there is no such asset.

    Example:
        print(tessera.coverage("analytics.marts.orders").text)
    """
    document = f"query ($by: AssetRef!) {{ asset(by: $by) {{ coverage {{ {build_selection(Coverage)} }} }} }}"

    def parse(data: JsonObject) -> Coverage:
        if data["asset"] is None:
            raise NotFound(describe_missing_asset(asset))
        return parse_model(Coverage, data["asset"]["coverage"])

    return Operation(document, {"by": build_asset_ref(asset)}, parse)


def unused_fields(asset: AssetRef, since: datetime) -> PaginatedQuery[UnusedField]:
    """List the declared fields that no team is registered for and that no principal was seen reading since a time.

    `unused_fields_coverage` says on what that rests. Raises NotFound if there is no such asset.

    Example:
        since = datetime.now(UTC) - timedelta(days=60)
        paths = [field.path for field in tessera.unused_fields("analytics.marts.orders", since)]
    """
    root = RootField("asset", UnusedField, {"by": "AssetRef!"})
    variables = {"by": build_asset_ref(asset)}
    return root.build_nested_paginated_query(
        "unusedFields", variables, describe_missing_asset(asset), since=("DateTime!", since)
    )


def unused_fields_coverage(asset: AssetRef, since: datetime) -> Operation[UnusedFieldsCoverage]:
    """Get the number of unused fields of an asset since a time, and on what it rests that they are.

    Raises NotFound if there is no such asset.

    Example:
        since = datetime.now(UTC) - timedelta(days=60)
        basis = tessera.unused_fields_coverage("analytics.marts.orders", since)
        print(basis.total_count, basis.is_complete, basis.coverage.text)
    """
    selection = build_selection(UnusedFieldsCoverage)
    document = (
        "query ($by: AssetRef!, $since: DateTime!)"
        f" {{ asset(by: $by) {{ unusedFields(since: $since, first: 1) {{ {selection} }} }} }}"
    )

    def parse(data: JsonObject) -> UnusedFieldsCoverage:
        if data["asset"] is None:
            raise NotFound(describe_missing_asset(asset))
        return parse_model(UnusedFieldsCoverage, data["asset"]["unusedFields"])

    return Operation(document, build_variables(by=build_asset_ref(asset), since=since), parse)


def register_observed_reader(
    principal: Principal | str, *, team: TeamRef | None = None, idempotency_key: str | None = None
) -> Operation[ObservedReader]:
    """Map a principal, or its id, to a team and register the team for what the principal was seen reading.

    Without a `team` it is the one that the principal has, or else the suggested one. Needs the scope ADMIN.
    Raises Invalid if there is neither, NotFound for an unknown id.

    Example:
        principal = next(item for item in tessera.principals() if item.name == "svc_tax")
        reader = tessera.register_observed_reader(principal, team="finance")
        print([registration.asset.fqn for registration in reader.registrations])
    """
    identity = principal.id if isinstance(principal, Principal) else principal
    values = build_variables(principal=identity, team=build_team_ref(team), idempotency_key=idempotency_key)
    return RootField("registerObservedReader", ObservedReader).build_idempotent_mutation(values)


def narrowable_registrations(
    *, asset_id: str | None = None, consumer_team_id: str | None = None
) -> PaginatedQuery[NarrowableRegistration]:
    """List registrations with the fields to which observed reads suggest to narrow each of them.

    Raises Invalid for an id of another type.

    Example:
        for item in tessera.narrowable_registrations():
            print(item.asset.fqn, item.suggested_fields and item.suggested_fields.fields)
    """
    filter_ = build_filter(asset=("eq", asset_id), consumer_team=("eq", consumer_team_id))
    root = RootField("registrations", NarrowableRegistration, {"filter": "RegistrationFilter"})
    return root.build_paginated_query(filter=filter_)
