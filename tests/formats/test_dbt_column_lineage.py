"""Column lineage of compiled queries: which columns of a table its query makes from which."""

import pytest

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_column_lineage import find_column_lineage
from tests.formats.manifests import real

UPSTREAM = {"db.s.orders": ["id", "coupon", "total", "items"], "db.s.customers": ["id", "name"]}


def edges(query: str, adapter: str = "snowflake", columns: tuple[str, ...] = ()) -> list[str]:
    """Describe the edges as `orders.coupon>discount`, with `=` for a copy and `?` for a filter."""
    lineage = find_column_lineage(query, adapter, columns, UPSTREAM)
    assert lineage.reason is None
    marks = {"COPIED": "=", "DERIVED": ">", "FILTER": "?"}
    return sorted(
        f"{fqn.rpartition('.')[2]}.{source}{marks[kind]}{target}"
        for fqn, items in lineage.edges.items()
        for source, target, kind in items
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select coupon as d, total * 2 as t from db.s.orders", ["orders.coupon=d", "orders.total>t"]),
        ("select id from db.s.orders where total > 1", ["orders.id=id", "orders.total?"]),
        (
            "with a as (select * from db.s.orders), b as (select id, coupon c from a) select b.c from b",
            ["orders.coupon=c"],
        ),
        (
            "select name, coupon from db.s.orders o join db.s.customers c on c.id = o.id",
            ["customers.id?", "customers.name=name", "orders.coupon=coupon", "orders.id?"],
        ),
        ("select id from db.s.orders union all select id from db.s.customers", ["customers.id=id", "orders.id=id"]),
        (
            "select c.id, (select max(o.total) from db.s.orders o where o.id = c.id) m from db.s.customers c",
            ["customers.id=id", "customers.id>m", "orders.id>m", "orders.total>m"],
        ),
        (
            "select id from db.s.customers c where exists (select 1 from db.s.orders o where o.coupon = c.name)",
            ["customers.id=id", "customers.name?", "orders.coupon?"],
        ),
        (
            "select f.value:sku sku from db.s.orders o, lateral flatten(o.items) f",
            ["orders.items>sku", "orders.items?"],
        ),
        (
            "select total, count(*) n from db.s.orders group by 1 order by coupon",
            ["orders.coupon?", "orders.total=total", "orders.total?"],
        ),
        ("select * exclude (items, total) from db.s.orders", ["orders.coupon=coupon", "orders.id=id"]),
        (
            "select id from db.s.orders qualify row_number() over (partition by total order by coupon) = 1",
            ["orders.coupon?", "orders.id=id", "orders.total?"],
        ),
        (
            "select * from (select id, total from db.s.orders) pivot (sum(total) for id in (1, 2))",
            ["orders.id?", "orders.total?"],
        ),
    ],
)
def test_columns_are_followed_from_a_query_to_its_tables(query: str, expected: list[str]) -> None:
    assert edges(query) == expected


def test_a_recursive_query_is_followed() -> None:
    query = """
        with recursive t as (select id, 1 n from db.s.orders union all select o.id, n + 1 from db.s.orders o
        join t on t.id = o.total) select id from t
    """
    assert edges(query, "postgres") == ["orders.id=id", "orders.total?"]


def test_a_star_passes_columns_on_that_are_described_only_behind_it() -> None:
    lineage = find_column_lineage("select * from db.s.orders", "postgres", ["extra"], {"db.s.orders": []})
    assert lineage.edges == {"db.s.orders": frozenset({("extra", "extra", "COPIED")})}
    assert lineage.stars == {"db.s.orders"}


@pytest.mark.parametrize("query", [None, "select from from", "x" * 600_000, "drop table t"])
def test_what_cannot_be_read_has_no_edges_and_a_reason(query: str | None) -> None:
    lineage = find_column_lineage(query, "postgres", [], UPSTREAM)
    assert lineage.reason is not None
    assert not lineage.edges


@pytest.mark.parametrize("name", ["jaffle_shop_v12.json", "jaffle_shop_v12_typed.json", "netsuite_after.json"])
def test_nearly_all_queries_of_real_projects_are_followed(name: str) -> None:
    manifest = dbt.parse_manifest(real(name))
    columns = {model.fqn: model.columns for model in manifest.models}
    models = [model for model in manifest.models if model.compiled_code and model.depends_on]
    unknown = 0
    for model in models:
        upstream = {fqn: columns.get(fqn, ()) for fqn in model.depends_on}
        lineage = find_column_lineage(model.compiled_code, manifest.adapter, model.columns, upstream)
        unknown += not all(lineage.edges.get(fqn) for fqn in upstream)
    assert unknown <= len(models) // 20
