"""The loop of a dbt project: a pull request asks the readers, the merge releases what they agreed to.

Every step is a command of a workflow, with the key of the project; teams answer with keys of their own.
"""

import pytest

from tests.e2e.dbt_projects import Model
from tests.e2e.pull_requests import ORDERS, Company, add_readers, start_shop

pytestmark = pytest.mark.long


def test_a_dropped_column_waits_for_its_readers_and_is_published_by_the_sync_after_the_merge(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    add_readers(company, orders)
    pull_request = shop.drop_column("orders", "coupon")

    before = repository.gate(pull_request)
    assert (before.code, before.model(orders)["state"]) == (1, "ASK")
    asked = sorted(team["team"] for team in before.model(orders)["asked"])
    assert asked == sorted(map(company.name, ("finance", "growth")))
    assert company.find_proposal(orders) is None, "a gate without --ask writes nothing"

    for _ in range(2):
        assert (
            repository.ask(
                pull_request, company.change_set(1), "--reason", "Coupons moved to a table of their own."
            ).code
            == 3
        )
    assert company.count_requests(orders) == 2, "each team is asked once"
    assert company.answer("growth", orders) == "PENDING"
    assert repository.ask(pull_request, company.change_set(1)).code == 3
    assert company.answer("finance", orders) == "APPROVED"
    for _ in range(3):
        assert repository.ask(pull_request, company.change_set(1)).code == 0
        assert company.find_version(orders) == "1.0.0", "a pull request publishes nothing"

    merged = repository.sync(pull_request, *owner)
    assert (merged.code, merged.model(orders)["outcome"]) == (0, "PUBLISHED"), merged.text
    assert company.find_version(orders) == "2.0.0"
    assert company.find_proposal(orders) is None
    assert repository.sync(pull_request, *owner).code == 0
    assert company.count_requests(orders) == 2

    following = pull_request.add_column("orders", "voucher_id", "bigint")
    assert repository.ask(following, company.change_set(2)).code == 0
    assert repository.sync(following, *owner).code == 0
    assert company.find_version(orders) == "2.1.0"


def test_a_second_pull_request_over_the_same_table_is_a_conflict_that_names_the_first(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    assert repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1)).code == 3
    second = repository.ask(shop.drop_column("orders", "status"), company.change_set(2))
    assert second.code == 1
    assert company.change_set(1) in second.text
    proposal = company.find_proposal(orders)
    assert proposal is not None
    assert proposal["status"] == "PENDING"
    assert company.count_requests(orders) == 2, "the readers of the second change are not asked yet"


def test_the_second_pull_request_asks_once_the_first_is_merged(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    first = shop.drop_column("orders", "coupon")
    repository.ask(first, company.change_set(1))
    company.answer("growth", orders)
    company.answer("finance", orders)
    assert repository.sync(first, "--owner", company.name("shop")).code == 0
    second = repository.ask(first.drop_column("orders", "status"), company.change_set(2))
    assert second.code == 3
    proposal = company.find_proposal(orders)
    assert proposal is not None
    assert sorted(team["name"] for team in proposal["awaiting"]) == sorted(map(company.name, ("finance", "support")))


def test_an_abandoned_pull_request_is_withdrawn_and_leaves_the_table_to_the_next(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    withdrawn = repository.run("change-set", "withdraw", company.change_set(1))
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert company.find_proposal(orders) is None
    assert repository.ask(shop.drop_column("orders", "status"), company.change_set(2)).code == 3
    again = repository.run("change-set", "withdraw", company.change_set(1), "--missing-ok")
    assert again.returncode == 0, "the event of a closed pull request may be delivered twice"
    proposal = company.find_proposal(orders)
    assert proposal is not None, "the other pull request keeps its proposal"


def test_a_push_that_no_longer_breaks_withdraws_the_question(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    company.answer("growth", orders, "BLOCKED", "The spring campaign runs until June.")
    blocked = repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    assert blocked.code == 1
    assert "The spring campaign runs until June." in blocked.text
    assert repository.ask(shop.add_column("orders", "voucher_id", "bigint"), company.change_set(1)).code == 0
    assert company.find_proposal(orders) is None
    assert company.count_requests(orders) == 2


def test_a_push_with_another_break_replaces_the_proposal_of_its_own_pull_request(company: Company) -> None:
    repository, shop = start_shop(company)
    orders = shop.fqn("orders")
    add_readers(company, orders)
    repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    assert repository.ask(shop.drop_column("orders", "status"), company.change_set(1)).code == 3
    proposal = company.find_proposal(orders)
    assert proposal is not None
    assert sorted(team["name"] for team in proposal["awaiting"]) == sorted(map(company.name, ("finance", "support")))


def test_a_merge_before_the_answers_publishes_the_other_tables_and_waits_for_this_one(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, customers, owner = shop.fqn("orders"), shop.fqn("customers"), ("--owner", company.name("shop"))
    add_readers(company, orders)
    change = shop.drop_column("orders", "coupon").add_column("customers", "country", "varchar")
    repository.ask(change, company.change_set(1))
    assert repository.sync(change, *owner).code == 3
    assert (company.find_version(orders), company.find_version(customers)) == ("1.0.0", "1.1.0")
    company.answer("growth", orders)
    company.answer("finance", orders)
    assert repository.sync(change, *owner).code == 0
    assert company.find_version(orders) == "2.0.0"


def test_approval_outlives_a_merge_of_a_column_that_nobody_reads(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    company.hire("growth")
    company.register("growth", orders, "coupon")
    pull_request = shop.drop_column("orders", "coupon")
    repository.ask(pull_request, company.change_set(1))
    company.answer("growth", orders)
    assert repository.sync(shop.add_column("orders", "channel", "varchar"), *owner).code == 0
    assert company.find_version(orders) == "1.1.0"
    assert repository.ask(pull_request, company.change_set(1)).code == 0
    assert company.count_requests(orders) == 1
    assert repository.sync(pull_request, *owner).code == 0
    assert (company.find_version(orders), company.columns(orders)) == ("2.0.0", {"order_id", "ordered_at", "status"})


def test_the_merge_of_an_approved_change_keeps_the_column_that_main_got_meanwhile(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    company.hire("growth")
    company.register("growth", orders, "coupon")
    repository.ask(shop.drop_column("orders", "coupon"), company.change_set(1))
    company.answer("growth", orders)
    meanwhile = shop.add_column("orders", "channel", "varchar")
    assert repository.sync(meanwhile, *owner).code == 0
    assert repository.sync(meanwhile.drop_column("orders", "coupon"), *owner).code == 0
    assert company.count_requests(orders) == 1, "growth has answered this break already"
    assert company.columns(orders) == {"order_id", "ordered_at", "status", "channel"}


def test_a_break_that_another_merge_brought_is_not_covered_by_the_approval(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    add_readers(company, orders)
    pull_request = shop.drop_column("orders", "coupon")
    repository.ask(pull_request, company.change_set(1))
    company.answer("growth", orders)
    company.answer("finance", orders)
    repository.sync(shop.add_column("orders", "channel", "varchar"), *owner)
    company.hire("partners")
    company.register("partners", orders, "channel")
    stale = repository.gate(pull_request)
    assert stale.code == 1, "the branch lacks `channel`, which a team reads by now"
    assert company.name("partners") in stale.text


def test_a_revert_asks_nobody_and_a_second_removal_asks_again(company: Company) -> None:
    repository, shop = start_shop(company)
    orders, owner = shop.fqn("orders"), ("--owner", company.name("shop"))
    company.hire("growth")
    company.register("growth", orders, "coupon")
    removal = shop.drop_column("orders", "coupon")
    repository.ask(removal, company.change_set(1))
    company.answer("growth", orders)
    repository.sync(removal, *owner)
    assert repository.ask(shop, company.change_set(2)).code == 0
    assert repository.sync(shop, *owner).code == 0
    assert company.find_version(orders) == "2.1.0"
    assert repository.ask(removal, company.change_set(3)).code == 3
    assert company.count_requests(orders) == 2, "the release used up the first answer"


def test_a_table_that_nobody_reads_may_break_at_once(company: Company) -> None:
    repository, shop = start_shop(company)
    change = shop.drop_column("customers", "email")
    assert repository.ask(change, company.change_set(1)).code == 0
    assert company.find_version(shop.fqn("customers")) == "1.0.0"
    assert repository.sync(change, "--owner", company.name("shop")).code == 0
    assert company.find_version(shop.fqn("customers")) == "2.0.0"


def test_a_column_that_only_the_catalog_has_is_guarded_like_a_declared_one(company: Company) -> None:
    repository, shop = start_shop(company, Model("orders", ORDERS.columns, undeclared=("coupon",)))
    orders = shop.fqn("orders")
    add_readers(company, orders)
    assert "coupon" in company.columns(orders)
    without_catalog = repository.gate(shop, has_catalog=False)
    assert without_catalog.code == 0, "a manifest alone drops nothing that only the catalog had"
    dropped = repository.gate(shop.drop_column("orders", "coupon"))
    assert (dropped.code, dropped.model(orders)["state"]) == (1, "ASK")


def test_a_manifest_of_dbt_parse_keeps_the_reads_that_compiled_queries_showed(company: Company) -> None:
    repository = company.start_project("shop", "shop", "finance")
    invoices = Model(
        "invoices", {"order_id": "bigint", "coupon": "varchar"}, company.name("finance"), reads=("orders",)
    )
    shop = company.project("shop", ORDERS, invoices)
    owner = ("--owner", company.name("shop"))
    repository.sync(shop, *owner)
    reads = [{"consumerTeam": {"name": company.name("finance")}, "fields": ["order_id", "coupon"]}]
    assert company.asset(shop.fqn("orders"))["registrations"]["nodes"] == reads
    assert repository.sync(shop, *owner, is_compiled=False, has_catalog=False).code == 0
    assert company.asset(shop.fqn("orders"))["registrations"]["nodes"] == reads
