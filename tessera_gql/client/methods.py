"""The clients: each method executes the operation that the function of the same name builds."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from tessera_gql.client.async_client import AsyncBaseClient
from tessera_gql.client.calls import check_call
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.operations import (
    acknowledgments,
    ask_policies,
    catalog,
    comments,
    coverage,
    debts,
    deprecations,
    fields,
    manifests,
    outlook,
    projects,
    publishing,
    subscriptions,
    usage,
    webhooks,
)
from tessera_gql.client.operations import change_sets as change_set_operations
from tessera_gql.client.operations import lineage as lineage_operations
from tessera_gql.client.operations import proposals as proposal_operations
from tessera_gql.client.operations import registrations as registration_operations
from tessera_gql.client.operations import search as search_operations
from tessera_gql.client.operations import teams as team_operations
from tessera_gql.client.sync_client import BaseClient

P = ParamSpec("P")
R_co = TypeVar("R_co", bound=Operation[Any] | PaginatedQuery[Any] | Subscription[Any], covariant=True)
T = TypeVar("T")
Stream: TypeAlias = PaginatedQuery[T] | Subscription[T]


class ClientMethod(Generic[P, R_co]):
    """Descriptor that makes a method of both clients from a function that builds an operation."""

    def __init__(self, build: Callable[P, R_co]) -> None:
        self._build = build

    @overload
    def __get__(self: "ClientMethod[P, Operation[T]]", client: BaseClient, owner: object) -> Callable[P, T]: ...
    @overload
    def __get__(self: "ClientMethod[P, Stream[T]]", client: BaseClient, owner: object) -> Callable[P, Generator[T]]: ...
    @overload
    def __get__(
        self: "ClientMethod[P, Operation[T]]", client: AsyncBaseClient, owner: object
    ) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(
        self: "ClientMethod[P, Stream[T]]", client: AsyncBaseClient, owner: object
    ) -> Callable[P, AsyncGenerator[T]]: ...
    @overload
    def __get__(self, client: None, owner: object) -> Callable[P, R_co]: ...
    def __get__(self, client: BaseClient | AsyncBaseClient | None, owner: object) -> Callable[P, Any]:
        """Bind the method to a client; on the class it is the function itself, so that `help` shows its signature."""
        if client is None:
            return self._build

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            check_call(self._build, args, kwargs)
            match self._build(*args, **kwargs):
                case PaginatedQuery() as query:
                    return client.iterate(query)
                case Subscription() as subscription:
                    return client.listen(subscription)
                case operation:
                    return client.run(operation)

        return method


class ClientMethods:
    """The methods of both clients."""

    viewer = ClientMethod(team_operations.viewer)
    create_team = ClientMethod(team_operations.create_team)
    get_team = ClientMethod(team_operations.get_team)
    find_team = ClientMethod(team_operations.find_team)
    teams = ClientMethod(team_operations.teams)
    update_team = ClientMethod(team_operations.update_team)
    set_ask_policy = ClientMethod(ask_policies.set_ask_policy)
    ask_policies = ClientMethod(ask_policies.ask_policies)
    archive_team = ClientMethod(team_operations.archive_team)
    unarchive_team = ClientMethod(team_operations.unarchive_team)
    create_project = ClientMethod(projects.create_project)
    update_project = ClientMethod(projects.update_project)
    get_project = ClientMethod(projects.get_project)
    find_project = ClientMethod(projects.find_project)
    projects = ClientMethod(projects.projects)
    create_asset = ClientMethod(catalog.create_asset)
    update_asset = ClientMethod(catalog.update_asset)
    rename_asset = ClientMethod(catalog.rename_asset)
    set_asset_tier = ClientMethod(catalog.set_asset_tier)
    set_labels = ClientMethod(fields.set_labels)
    fields = ClientMethod(fields.fields)
    archive_asset = ClientMethod(catalog.archive_asset)
    unarchive_asset = ClientMethod(catalog.unarchive_asset)
    get_asset = ClientMethod(catalog.get_asset)
    find_asset = ClientMethod(catalog.find_asset)
    assets = ClientMethod(catalog.assets)
    add_dependency = ClientMethod(catalog.add_dependency)
    register = ClientMethod(registration_operations.register)
    update_registration = ClientMethod(registration_operations.update_registration)
    unregister = ClientMethod(registration_operations.unregister)
    registrations = ClientMethod(registration_operations.registrations)
    publish_contract = ClientMethod(publishing.publish_contract)
    contracts = ClientMethod(publishing.contracts)
    get_contract = ClientMethod(publishing.get_contract)
    export_contract = ClientMethod(publishing.export_contract)
    retire_contract = ClientMethod(publishing.retire_contract)
    lineage = ClientMethod(lineage_operations.lineage)
    lineage_start = ClientMethod(lineage_operations.lineage_start)
    contract_diff = ClientMethod(lineage_operations.contract_diff)
    impact = ClientMethod(publishing.impact)
    diff = ClientMethod(publishing.diff)
    get_proposal = ClientMethod(proposal_operations.get_proposal)
    proposals = ClientMethod(proposal_operations.proposals)
    comment = ClientMethod(comments.comment)
    acknowledge = ClientMethod(proposal_operations.acknowledge)
    extend_proposal = ClientMethod(proposal_operations.extend_proposal)
    withdraw_proposal = ClientMethod(proposal_operations.withdraw_proposal)
    publish_proposal = ClientMethod(proposal_operations.publish_proposal)
    propose_retirement = ClientMethod(proposal_operations.propose_retirement)
    get_change_set = ClientMethod(change_set_operations.get_change_set)
    change_sets = ClientMethod(change_set_operations.change_sets)
    withdraw_change_set = ClientMethod(change_set_operations.withdraw_change_set)
    publish_change_set = ClientMethod(change_set_operations.publish_change_set)
    inbox = ClientMethod(acknowledgments.inbox)
    inbox_groups = ClientMethod(acknowledgments.inbox_groups)
    reason_paths = ClientMethod(acknowledgments.reason_paths)
    acknowledge_change_set = ClientMethod(acknowledgments.acknowledge_change_set)
    acknowledge_debt = ClientMethod(debts.acknowledge_debt)
    owes = ClientMethod(outlook.owes)
    team_deprecations = ClientMethod(outlook.team_deprecations)
    proposal_outlook = ClientMethod(outlook.proposal_outlook)
    event_log = ClientMethod(outlook.event_log)
    debts = ClientMethod(debts.debts)
    deprecate = ClientMethod(deprecations.deprecate)
    end_deprecation = ClientMethod(deprecations.end_deprecation)
    deprecations = ClientMethod(deprecations.deprecations)
    create_usage_source = ClientMethod(usage.create_usage_source)
    usage_sources = ClientMethod(usage.usage_sources)
    import_usage = ClientMethod(usage.import_usage)
    principals = ClientMethod(usage.principals)
    principal_rules = ClientMethod(usage.principal_rules)
    map_principal = ClientMethod(usage.map_principal)
    unmap_principal = ClientMethod(usage.unmap_principal)
    observations = ClientMethod(usage.observations)
    unused_fields = ClientMethod(coverage.unused_fields)
    unused_fields_coverage = ClientMethod(coverage.unused_fields_coverage)
    register_observed_reader = ClientMethod(coverage.register_observed_reader)
    narrowable_registrations = ClientMethod(coverage.narrowable_registrations)
    coverage = ClientMethod(coverage.coverage)
    sync_dbt = ClientMethod(manifests.sync_dbt)
    ask_dbt = ClientMethod(manifests.ask_dbt)
    dbt_impact = ClientMethod(manifests.dbt_impact)
    create_webhook = ClientMethod(webhooks.create_webhook)
    update_webhook = ClientMethod(webhooks.update_webhook)
    delete_webhook = ClientMethod(webhooks.delete_webhook)
    test_webhook = ClientMethod(webhooks.test_webhook)
    redeliver_webhook = ClientMethod(webhooks.redeliver_webhook)
    webhooks = ClientMethod(webhooks.webhooks)
    search = ClientMethod(search_operations.search)
    search_suggestions = ClientMethod(search_operations.search_suggestions)
    events = ClientMethod(subscriptions.events)
    subscribe = ClientMethod(subscriptions.subscribe)
    acknowledgment_requests = ClientMethod(subscriptions.acknowledgment_requests)
    status_changes = ClientMethod(subscriptions.status_changes)


class AsyncTesseraClient(AsyncBaseClient, ClientMethods):
    """Asynchronous client: `async with AsyncTesseraClient() as tessera: …`. Use one per event loop.

    It has the methods of TesseraClient: `await tessera.get_team("finance")` where that returns a value, and
    `async for team in tessera.teams():` where it lists or subscribes. Takes any number of concurrent calls;
    `max_connections` of them are under way.
    """


class TesseraClient(BaseClient, ClientMethods):
    """Synchronous client: `with TesseraClient() as tessera: …`. Threads may share it.

    Beside what a method says, each raises InvalidCall for an unknown option, Unauthenticated for a missing or wrong
    key, Forbidden without the right, Unavailable after all retries, and ServerFault if the server failed; all are a
    TesseraError, whose message says what to do. Methods that list load their pages while you iterate.

    `async with TesseraClient() as tessera: …` opens an AsyncTesseraClient with the same options.
    """

    _async_client: AsyncTesseraClient | None = None

    async def __aenter__(self) -> AsyncTesseraClient:
        endpoint = self.endpoint
        self._async_client = AsyncTesseraClient(endpoint.url, endpoint.api_key, **self._options)
        return self._async_client

    async def __aexit__(self, *_error: object) -> None:
        if self._async_client is not None:
            await self._async_client.close()
        self.close()
