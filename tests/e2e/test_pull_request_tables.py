"""Pull requests that remove, rename or move tables, and tables of several teams and projects."""

import pytest

from tests.e2e.dbt_projects import DATABASE, Model, Source
from tests.e2e.pull_requests import CUSTOMERS, ORDERS, Company, add_readers, start_shop

pytestmark = pytest.mark.long


def test_a_deleted_model_asks_its_readers_and_is_retired_by_the_sync_after_the_merge(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    add_readers(company, orders)
    deletion = shop.delete("orders")
    before = repository.gate(deletion)
    assert before.code == 1
    assert all(company.name(team) in before.text for team in ("growth", "finance", "support"))
    assert repository.ask(deletion, company.change_set(1)).code == 3
    assert repository.sync(deletion, *owner).code == 3
    assert company.find_version(orders) == "1.0.0", "nothing is retired without consent"
    for team in ("growth", "finance", "support"):
        company.answer(team, orders)
    assert repository.ask(deletion, company.change_set(1)).code == 0
    assert repository.sync(deletion, *owner).code == 0
    assert company.find_version(orders) is None


def test_a_deleted_model_without_readers_is_retired_only_on_request(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    deletion = shop.delete("orders")
    assert repository.ask(deletion, company.change_set(1)).code == 0
    assert repository.sync(deletion, *owner).code == 0
    assert company.find_version(orders) == "1.0.0"
    assert repository.sync(deletion, *owner, "--retire-removed").code == 0
    assert company.find_version(orders) is None


@pytest.mark.parametrize("change", [{"enabled": False}, {"materialized": "ephemeral"}, {"alias": "orders_of_shop"}])
def test_a_table_that_is_no_longer_built_asks_its_readers(company: Company, change: dict[str, object]) -> None:
    repository, shop = start_shop(company)
    add_readers(company, shop.fqn("orders"))
    report = repository.gate(shop.change("orders", **change))
    assert report.code == 1
    assert all(company.name(team) in report.text for team in ("growth", "finance", "support"))


def test_a_renamed_model_is_reported_as_a_rename(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    renamed = shop.change("orders", name="web_orders")
    report = repository.gate(renamed)
    assert report.code == 1
    assert renamed.fqn("web_orders") in str(report.model(orders))


def test_versions_ask_nobody_only_if_an_alias_keeps_the_old_table(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    second = Model("orders", ORDERS.without("coupon").columns, version=2)
    without_alias = company.project("shop", CUSTOMERS, Model("orders", ORDERS.columns, version=1), second)
    assert repository.gate(without_alias).code == 1
    first = Model("orders", ORDERS.columns, version=1, alias="orders", not_null=ORDERS.not_null)
    with_alias = company.project("shop", CUSTOMERS, first, second)
    assert repository.gate(with_alias).code == 0
    assert repository.sync(with_alias, "--owner", company.name("shop")).code == 0
    assert company.find_version(orders) == "1.0.0"
    assert company.find_version(f"{DATABASE}.{shop.schema}.orders_v2") == "1.0.0"


def test_a_build_in_a_schema_of_ci_is_compared_with_the_tables_in_production(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    in_ci = shop.drop_column("orders", "coupon").in_schema("pr_123")
    report = repository.ask(in_ci, company.change_set(1))
    assert report.code == 3
    assert company.find_proposal(orders) is not None
    refused = repository.sync(in_ci, "--owner", company.name("shop"))
    assert refused.code == 2
    assert "--target-schema-map" in refused.text
    assert "--new-target" in refused.text
    mapped = repository.sync(in_ci, "--owner", company.name("shop"), "--target-schema-map", f"pr_123={shop.schema}")
    assert mapped.code == 3
    assert company.find_version(orders) == "1.0.0"


def test_a_source_of_another_project_is_read_and_never_changed(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    finance = company.start_project("ledger", "finance")
    source = Source("orders", shop.schema, {"order_id": "text", "coupon": "text"})
    invoices = Model("invoices", {"order_id": "text"}, reads_sources=("orders",))
    ledger = company.project("ledger", invoices, sources=(source,))
    before = company.asset(orders)
    assert finance.sync(ledger, "--owner", company.name("finance")).code == 0
    after = company.asset(orders)
    assert (after["owner"], after["currentContract"]) == (before["owner"], before["currentContract"])
    assert [row["consumerTeam"]["name"] for row in after["registrations"]["nodes"]] == [company.name("finance")]

    report = repository.ask(shop.drop_column("orders", "order_id"), company.change_set(1))
    assert report.code == 3
    assert company.name("finance") in report.text
    assert company.answer("finance", orders) == "APPROVED"
    assert repository.sync(shop.drop_column("orders", "order_id"), "--owner", company.name("shop")).code == 0


def test_a_manifest_of_another_project_ends_no_reads(company: Company) -> None:
    repository, shop = start_shop(company)
    finance = company.start_project("ledger", "finance")
    source = Source("orders", shop.schema, {"order_id": "bigint"})
    invoices = Model("invoices", {"order_id": "bigint"}, reads_sources=("orders",))
    ledger = company.project("ledger", invoices, sources=(source,))
    finance.sync(ledger, "--owner", company.name("finance"))
    before = company.asset(shop.fqn("orders"))["registrations"]
    empty = company.project("ledger")
    assert repository.sync(empty, "--owner", company.name("shop"), "--allow-empty").code != 0
    assert company.asset(shop.fqn("orders"))["registrations"] == before
    refused = finance.sync(empty, "--owner", company.name("finance"))
    assert refused.code == 2
    assert "--allow-empty" in refused.text
    assert company.asset(shop.fqn("orders"))["registrations"] == before


def test_a_key_of_a_project_syncs_the_tables_of_all_its_owners_and_of_nobody_else(company: Company) -> None:
    repository = company.start_project("shop", "web", "logistics")
    company.hire("finance")
    web, logistics, finance = map(company.name, ("web", "logistics", "finance"))
    shop = company.project(
        "shop",
        Model("orders", ORDERS.columns, web),
        Model("parcels", {"parcel_id": "bigint"}, logistics, reads=("orders",)),
        Model("ledger", {"entry_id": "bigint"}, finance),
    )
    row = repository.sync(shop).model(shop.fqn("ledger"))
    assert (row["outcome"], row["reason"]) == ("SKIPPED", "it belongs to another team than this key")
    owners = {name: company.asset(shop.fqn(name))["owner"]["name"] for name in ("orders", "parcels")}
    assert owners == {"orders": web, "parcels": logistics}


def test_a_key_of_a_project_answers_no_question(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    for team in ("growth", "shop"):
        answer = repository.run("ack", orders, "APPROVED", "--team", company.name(team))
        assert answer.returncode == 2, answer.stdout
    proposal = company.find_proposal(orders)
    assert proposal is not None
    assert proposal["status"] == "PENDING"


def test_a_change_set_lists_publishes_and_withdraws_its_tables_together(company: Company) -> None:
    repository, shop = start_shop(company)
    company.hire("growth")
    change = shop.drop_column("orders", "coupon").drop_column("customers", "email")
    for name in ("orders", "customers"):
        company.register("growth", shop.fqn(name))
    assert repository.ask(change, company.change_set(2), "--change-set-title", "Less personal data").code == 3
    listing = repository.run("change-set", "show", company.change_set(2))
    assert listing.returncode == 0, listing.stderr
    opened_by = f"opened by  project {shop.name}"
    texts = ("Less personal data", opened_by, shop.fqn("orders"), shop.fqn("customers"))
    assert [text for text in texts if text not in listing.stdout] == []
    company.answer("growth", shop.fqn("orders"))
    early = repository.run("change-set", "publish", company.change_set(2))
    assert early.returncode != 0
    assert company.find_version(shop.fqn("orders")) == "1.0.0", "all or nothing"
    company.answer("growth", shop.fqn("customers"))
    published = repository.run("change-set", "publish", company.change_set(2))
    assert published.returncode == 0, published.stderr
    assert [company.find_version(shop.fqn(name)) for name in ("orders", "customers")] == ["2.0.0", "2.0.0"]


def test_two_projects_of_one_repository_share_the_change_set_of_a_pull_request(company: Company) -> None:
    repository, shop = start_shop(company)
    ledger_repository = company.start_project("ledger", "finance")
    ledger = company.project("ledger", Model("invoices", {"invoice_id": "bigint", "total": "numeric"}))
    assert ledger_repository.sync(ledger, "--owner", company.name("finance")).code == 0
    company.hire("growth")
    orders, invoices = shop.fqn("orders"), ledger.fqn("invoices")
    for fqn in (orders, invoices):
        company.register("growth", fqn)
    change_set = company.change_set(1)
    assert repository.ask(shop.drop_column("orders", "coupon"), change_set).code == 3
    assert ledger_repository.ask(ledger.drop_column("invoices", "total"), change_set).code == 3
    assert repository.ask(shop, change_set).code == 0, "a push that takes the break of one project back"
    assert company.find_proposal(orders) is None
    assert company.find_proposal(invoices) is not None, "the other project still asks"
