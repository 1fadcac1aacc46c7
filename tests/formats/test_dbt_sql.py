"""The columns that a compiled query reads are found, perhaps too many but never too few."""

import pytest

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_sql import find_column_usage
from tests.formats.manifests import real

UPSTREAM = {"db.s.orders": ["Id", "customer_id", "total", "note"], "db.s.customers": ["id", "name", "country"]}
ORDERS, CUSTOMERS = UPSTREAM

IMPORTS = """
with o as (select * from db.s.orders), c as (select * from db.s.customers)
select o.id, c.name from o join c on o.customer_id = c.id where o.note is null
"""
CASES: list[tuple[str, set[str] | None, set[str] | None]] = [
    ("select id, total from db.s.orders, db.s.customers c where c.name = 'x'", {"Id", "total"}, {"id", "name"}),
    (
        IMPORTS,
        {"Id", "customer_id", "note"},
        {"id", "name"},
    ),
    (
        "with s as (select * from db.s.orders), r as (select id, total as t from s) select * from r, db.s.customers c",
        {"Id", "total"},
        None,
    ),
    ("select count(*) from db.s.orders o join db.s.customers c using (id)", {"Id"}, {"id"}),
    ("select o.id from db.s.orders o natural join db.s.customers", None, None),
    ("select to_json(o), c.id from db.s.orders o, db.s.customers c", None, {"id"}),
    ("select a.* from db.s.orders a union all select id, name, 1, 1 from db.s.customers", None, {"id", "name"}),
    ("select hash(o.*), c.id from db.s.orders o, db.s.customers c", None, {"id"}),
    (
        "select 1 from (select total, id from db.s.orders) where id in (select id from db.s.customers where name = 1)",
        {"Id", "total"},
        {"id", "name"},
    ),
    (
        "select id from db.s.orders where exists (select 1 from db.s.customers c where c.id = customer_id)",
        {"Id", "customer_id"},
        {"id"},
    ),
    (
        "select id from db.s.orders o group by id having sum(total) > (select max(country) from db.s.customers)",
        {"Id", "total"},
        {"country"},
    ),
    ("select * except (note) from db.s.orders cross join (select name from db.s.customers) c", None, {"name"}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "orders", "customers"), CASES)
def test_a_query_reads_the_columns_it_names(query: str, orders: set[str] | None, customers: set[str] | None) -> None:
    usages = find_column_usage(query, "postgres", UPSTREAM)
    read = {fqn: None if usage.columns is None else set(usage.columns) for fqn, usage in usages.items()}
    for fqn, expected in ((ORDERS, orders), (CUSTOMERS, customers)):
        if expected is None:
            assert read[fqn] is None
        else:
            columns = read[fqn]
            assert columns is not None
            assert expected <= columns


def test_a_star_in_a_cte_reads_no_more_than_its_readers() -> None:
    query = "with o as (select * from db.s.orders), r as (select id, total as t from o) select * from r"
    assert find_column_usage(query, "duckdb", UPSTREAM)[ORDERS].columns == ("Id", "total")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (None, "no compiled query"),
        ("selec bogus from", "could not be read"),
        ("", "could not be read"),
        ("{{ ref('x') }}", "could not be read"),
        ("select 1", "does not name it"),
        ("select * from db.s.orders", "all its columns"),
        ("select other from db.s.orders", "no column that it declares"),
        ("select id from db.s.orders" + " " * 600_000, "too long"),
        ("select " + "(" * 3_000 + "1" + ")" * 3_000, "could not be read"),
    ],
)
def test_an_undecidable_query_reads_all_columns_with_a_reason(query: str | None, reason: str) -> None:
    usage = find_column_usage(query, "postgres", UPSTREAM)[ORDERS]
    assert usage.columns is None
    assert usage.reason is not None
    assert reason in usage.reason


def test_a_record_is_read_by_its_name() -> None:
    declared = {"p.d.t": ["id", "items.sku", "items.qty"]}
    usages = find_column_usage("select i.sku from `p`.`d`.`t`, unnest(items) i", "bigquery", declared)
    assert usages["p.d.t"].columns == ("items",)


def test_most_queries_of_a_real_project_are_read() -> None:
    manifest = dbt.parse_manifest(real("netsuite_after.json"))
    columns = {model.fqn: model.columns for model in manifest.models}
    read = [
        reading
        for model in manifest.models
        if model.compiled_code
        for reading in find_column_usage(
            model.compiled_code, manifest.adapter, {fqn: columns[fqn] for fqn in model.depends_on}
        ).values()
    ]
    assert len([model for model in read if model.columns]) >= 100
    assert not [model for model in read if model.reason and "could not be read" in model.reason]
