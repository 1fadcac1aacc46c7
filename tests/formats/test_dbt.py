"""A dbt manifest becomes assets with name, owner, contract and lineage."""

import copy
import gc
import time

import orjson
import pytest

from tessera_gql.diff import Mode
from tessera_gql.formats import dbt
from tests.formats.manifests import REAL, check, column, fqns, manifest, read_one, real, source, table


def test_every_real_manifest_is_read_without_a_warning_but_for_tables_described_twice():
    paths = sorted(REAL.glob("*.json"))
    if not paths:
        pytest.skip("the shared data folder has no dbt_manifests")
    for path in paths:
        read = dbt.parse_manifest(path.read_bytes())
        assert len(read.models) >= 8
        assert all("described more than once" in warning for warning in read.warnings), path.name


@pytest.mark.parametrize(
    ("name", "version", "tables"),
    [
        ("jaffle_shop_v1.json", 1, 11),
        ("jaffle_shop_v6.json", 6, 8),
        ("jaffle_shop_v12.json", 12, 19),
        ("jaffle_shop_v12_typed.json", 12, 39),
        ("netsuite_after.json", 12, 142),
    ],
)
def test_a_real_manifest_has_as_many_assets_as_it_has_tables(name, version, tables):
    read = dbt.parse_manifest(real(name))
    assert (read.schema_version, len(read.models)) == (version, tables)


def test_a_real_release_adds_exactly_twenty_columns_and_removes_none():
    before, after = (dbt.parse_manifest(real(f"netsuite_{when}.json")) for when in ("before", "after"))
    old, new = (
        {(model.resource_type, model.fqn, name) for model in read.models for name in model.schema["properties"]}
        for read in (before, after)
    )
    assert old - new == set()
    added = [kind for kind, _, _ in new - old]
    assert (added.count("model"), added.count("source"), len(added)) == (10, 10, 20)


def test_in_the_oldest_manifest_version_the_tested_table_is_found_by_the_model_of_the_test():
    orders = next(m for m in dbt.parse_manifest(real("jaffle_shop_v1.json")).models if m.name == "fct_orders")
    assert orders.guarantees["relationships"] == {
        "customer_id": ["your-gcp-project.jaffle_shop.dim_customers.customer_id"]
    }
    assert "order_id" in orders.schema["required"]
    assert orders.schema["properties"]["status"]["enum"][-1] is None


def test_reading_twice_in_any_form_and_order_gives_the_same():
    document = orjson.loads(real("jaffle_shop_v12.json"))
    shuffled = {
        section: dict(reversed(content.items())) if isinstance(content, dict) else content
        for section, content in reversed(document.items())
    }
    readings = [
        dbt.parse_manifest(form)
        for form in (orjson.dumps(document), orjson.dumps(document).decode(), document, shuffled)
    ]
    assert all(reading == readings[0] for reading in readings)
    assert len({repr(reading) for reading in readings}) == 1


def test_the_input_is_neither_changed_nor_shared():
    document = manifest(table("orders", column("id", "int"), meta={"owner": "finance"}), check("not_null", "id"))
    before = copy.deepcopy(document)
    read = dbt.parse_manifest(document)
    read.models[0].meta["owner"] = "changed"
    assert document == before


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"meta": {"compatibility_mode": "FULL"}}, Mode.FULL),
        ({"config": {"meta": {"compatibility_mode": " consumer "}}}, Mode.CONSUMER),
        ({"meta": {"compatibility_mode": "none"}}, Mode.NONE),
        ({"meta": {}}, None),
        ({}, None),
    ],
)
def test_a_model_names_its_compatibility_mode_in_any_case(fields, mode):
    (model,) = dbt.parse_manifest(manifest(table("orders", column("id", "int"), **fields))).models
    assert model.compatibility_mode is mode


def test_the_mode_belongs_to_the_fingerprint_of_a_model_only_if_it_has_one():
    plain, same, strict = (
        dbt.parse_manifest(manifest(table("orders", column("id", "int"), meta=meta))).models[0].fingerprint
        for meta in ({}, {"owner": "finance"}, {"compatibility_mode": "FULL"})
    )
    assert plain == same != strict


@pytest.mark.parametrize("value", ["STRICT", "", 7, ["FULL"]])
def test_an_unknown_mode_is_ignored_with_a_warning_that_names_the_model(value):
    read = dbt.parse_manifest(manifest(table("orders", column("id", "int"), meta={"compatibility_mode": value})))
    assert read.models[0].compatibility_mode is None
    warned = [
        warning for warning in read.warnings if "compatibility_mode" in warning and "model.shop.orders" in warning
    ]
    assert len(warned) == (value != "")


def test_five_thousand_models_read_in_well_under_a_second():
    columns = [column(f"c{i}", "varchar(20)", description="what it means") for i in range(10)]
    nodes = [
        table(f"m{i}", *columns, depends_on={"nodes": [f"model.shop.m{j}" for j in range(max(0, i - 3), i)]})
        for i in range(5_000)
    ]
    checks = [check("not_null", "c1", on=f"model.shop.m{i}") for i in range(5_000)]
    document = orjson.dumps(manifest(*nodes, *checks))
    started = time.perf_counter()
    assert len(dbt.parse_manifest(document).models) == 5_000
    assert time.process_time() - started < 3  # CPU, of which it takes 0.6 s alone: other work may share the machine
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not JSON"),
        (b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/mani', "cut short"),
        ("\ud800", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "dbt_schema_version"),
        ({"metadata": {"dbt_schema_version": 12}}, "dbt_schema_version"),
        ({"metadata": {"dbt_schema_version": {1, 2}}}, "values that JSON has not"),
        ({"metadata": {3: 4}}, "values that JSON has not"),
        ({"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"}}, "catalog/v1.json"),
        ({**manifest(), "nodes": []}, "no object `nodes`"),
    ],
)
def test_a_document_that_is_no_manifest_is_refused_with_the_reason(document, reason):
    with pytest.raises(dbt.ManifestError) as refused:
        dbt.parse_manifest(document)
    assert reason in refused.value.reason
    assert "Give " in refused.value.reason


@pytest.mark.parametrize("version", range(1, 13))
def test_every_schema_version_from_1_to_12_is_read(version):
    assert dbt.parse_manifest(manifest(table(), version=version)).schema_version == version


def test_the_version_of_dbt_fusion_is_read_like_version_12():
    read = dbt.parse_manifest(manifest(table("orders", column("id", "int"), meta=None), version=20))
    assert (read.schema_version, read.warnings) == (20, ())
    assert read.models == dbt.parse_manifest(manifest(table("orders", column("id", "int")))).models


@pytest.mark.parametrize("version", [0, 13, 999])
def test_an_unknown_schema_version_is_read_with_a_warning_that_names_it(version):
    read = dbt.parse_manifest(manifest(table("orders", column("id", "int")), version=version))
    assert fqns(read.models) == ["analytics.core.orders"]
    assert read.warnings == (f"The schema version of the manifest is unknown; it was read like v12: v{version}.",)


def test_models_seeds_snapshots_and_sources_become_assets_and_nothing_else_does():
    nodes = [table(f"t_{kind}", kind=kind) for kind in ("model", "seed", "snapshot", "source")]
    ignored = [table(f"o_{kind}", kind=kind) for kind in ("test", "analysis", "operation", "sql operation")]
    read = dbt.parse_manifest(
        manifest(*nodes, *ignored, macros={"macro.shop.m": {}}, unit_tests={"unit_test.shop.u": {}})
    )
    assert [model.resource_type for model in read.models] == ["model", "seed", "snapshot", "source"]


def test_the_fqn_is_lower_case_and_takes_the_alias_or_the_identifier():
    read = dbt.parse_manifest(manifest(table("Orders", alias="Orders_V2"), source("raw", identifier="RAW_Orders_*")))
    assert fqns(read.models) == ["analytics.core.orders_v2", "analytics.core.raw_orders_*"]


def test_a_missing_database_shortens_the_fqn_with_a_warning():
    read = dbt.parse_manifest(manifest(table(database=None)))
    assert fqns(read.models) == ["core.orders"]
    assert read.warnings == ("These nodes name no database or no schema; their names are shorter: model.shop.orders.",)


@pytest.mark.parametrize("odd", ["a.b", "project:dataset", "a/b", "ä%"])
def test_unusual_characters_in_a_name_are_kept_with_a_warning(odd):
    read = dbt.parse_manifest(manifest(table(alias=odd)))
    assert fqns(read.models) == [f"analytics.core.{odd}"]
    assert "unusual characters" in read.warnings[0]


def test_a_table_without_database_and_schema_has_no_name():
    assert dbt.parse_manifest(manifest(table(database=None, schema=None))).models == ()


def test_every_test_of_a_real_table_is_a_guarantee():
    document = orjson.loads(real("netsuite_after.json"))
    tests = [node for node in document["nodes"].values() if node["resource_type"] == "test"]
    views = {key for key, node in document["nodes"].items() if node["config"]["materialized"] == "ephemeral"}
    expected = [node for node in tests if node["attached_node"] not in views]
    sections = [model.guarantees for model in dbt.parse_manifest(document).models if model.guarantees]
    promises = [len(guarantees) for section in sections for kind, guarantees in section.items() if kind != "freshness"]
    assert sum(promises) == len(expected) > 40


def test_a_node_without_a_usable_name_is_left_out_with_a_warning():
    read = dbt.parse_manifest(manifest(table("good"), table("bad", alias="a\nb"), {**table("worse"), "name": 7}))
    assert fqns(read.models) == ["analytics.core.good"]
    assert any(
        "no name that a table could have" in warning and "model.shop.bad" in warning for warning in read.warnings
    )


def test_two_models_that_build_one_table_conflict_with_both_ids_and_the_first_one_describes_it():
    read = dbt.parse_manifest(manifest(table("b", alias="orders"), table("a", alias="ORDERS"), table("c")))
    assert [model.unique_id for model in read.models] == ["model.shop.c", "model.shop.a"]
    assert list(read.conflicts) == ["analytics.core.orders"]
    assert read.conflicts["analytics.core.orders"].startswith("model.shop.a and model.shop.b build it")


def test_a_source_seeded_by_the_project_is_one_asset_with_the_guarantees_of_both():
    seed = table("seeded", column("id", "int"), kind="seed", alias="raw_orders")
    read = read_one(
        source("raw_orders", column("ID"), column("amount")),
        seed,
        check("not_null", "amount", on="source.shop.raw_orders"),
        check("unique", "id", on="seed.shop.seeded"),
    )
    assert (read.unique_id, read.columns) == ("source.shop.raw_orders", ("ID", "amount"))
    assert read.guarantees == {"nullability": {"amount": "never"}, "uniqueness": {"ID": "always"}}


def test_a_source_that_a_model_builds_is_that_model_and_does_not_depend_on_itself():
    read = read_one(table("orders", depends_on={"nodes": ["source.shop.same"]}), source("same", identifier="orders"))
    assert (read.unique_id, read.depends_on) == ("model.shop.orders", ())


def test_disabled_nodes_are_ignored_and_being_depended_on_they_are_named():
    off = table("off", config={"enabled": False})
    read = dbt.parse_manifest(manifest(off, table("on", depends_on={"nodes": ["model.shop.off"]})))
    assert fqns(read.models) == ["analytics.core.on"]
    assert read.models[0].depends_on == ()
    assert read.warnings == ("These nodes are depended on, but are disabled or missing: model.shop.off.",)


def test_lineage_passes_through_ephemeral_models_which_are_no_assets():
    ephemeral = {"config": {"materialized": "ephemeral"}}
    read = dbt.parse_manifest(
        manifest(
            source("raw"),
            table("inner", depends_on={"nodes": ["source.shop.raw", "model.shop.outer"]}, **ephemeral),
            table("outer", depends_on={"nodes": ["model.shop.inner", "source.shop.raw"]}, **ephemeral),
            table("last", depends_on={"nodes": ["model.shop.outer", "model.shop.inner", "macro.shop.x"]}),
        )
    )
    assert {model.name: model.depends_on for model in read.models} == {"raw": (), "last": ("analytics.core.raw",)}


def test_exposures_depend_on_tables_also_through_metrics_and_are_owned_by_name_or_address():
    exposure = {
        "name": "board",
        "type": "dashboard",
        "url": "https://bi.example/1",
        "owner": {"email": "bi@example.com"},
        "depends_on": {"nodes": ["metric.shop.revenue"]},
    }
    read = dbt.parse_manifest(
        manifest(
            table(),
            exposures={"exposure.shop.board": exposure, "exposure.shop.off": {"config": {"enabled": False}}},
            metrics={"metric.shop.revenue": {"depends_on": {"nodes": ["model.shop.orders"]}}},
        )
    )
    assert read.exposures == (
        dbt.Exposure(
            unique_id="exposure.shop.board",
            name="board",
            type="dashboard",
            owner="bi@example.com",
            url="https://bi.example/1",
            description=None,
            depends_on=("analytics.core.orders",),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({"meta": {"owner": "finance"}}, "finance"),
        ({"meta": {"team": "finance"}}, "finance"),
        ({"meta": {"owner": {"name": "finance", "email": "f@example.com"}}}, "finance"),
        ({"meta": {"owner": ["finance", "sales"]}}, "finance"),
        ({"config": {"meta": {"owner": "finance"}}}, "finance"),
        ({"group": "finance"}, "finance"),
        ({"config": {"group": "finance"}}, "finance"),
        ({"group": "sales", "meta": {"owner": "finance"}}, "finance"),
        ({"source_meta": {"owner": "finance"}}, "finance"),
        ({"meta": {"owner": 7}}, None),
        ({}, None),
    ],
)
def test_the_owner_is_the_team_that_meta_or_the_group_names(fields, owner):
    assert read_one(table(**fields)).owner == owner


def test_contract_version_deprecation_and_the_rest_of_a_model_are_kept():
    read = read_one(
        table(
            contract={"enforced": True},
            version=2,
            latest_version="3",
            deprecation_date="2027-01-01T00:00:00Z",
            tags=["b", "a"],
            config={"materialized": "view", "tags": "b", "meta": {"tier": 1}},
            meta={"tier": 2},
            compiled_sql="select 1",
            original_file_path="models/orders.sql",
            description="All orders.",
        )
    )
    assert (read.contract_enforced, read.version, read.latest_version) == (True, "2", "3")
    assert (read.deprecation_date, read.tags, read.meta) == ("2027-01-01T00:00:00Z", ("a", "b"), {"tier": 2})
    assert (read.compiled_code, read.path, read.materialized) == ("select 1", "models/orders.sql", "view")
    assert read.description == "All orders."


def test_two_versions_of_a_model_are_two_assets():
    nodes = [table("orders", alias=f"orders_v{v}", unique_id=f"model.shop.orders.v{v}", version=v) for v in (1, 2)]
    checks = [
        {
            **check("not_null", "id"),
            "attached_node": None,
            "depends_on": {"nodes": ["model.shop.orders.v1", "model.shop.orders.v2"]},
        }
    ]
    checks[0]["test_metadata"]["kwargs"]["model"] = "{{ get_where_subquery(ref('orders', v=2)) }}"
    read = dbt.parse_manifest(manifest(*nodes, *checks))
    assert [(model.fqn, model.guarantees) for model in read.models] == [
        ("analytics.core.orders_v1", None),
        ("analytics.core.orders_v2", {"nullability": {"id": "never"}}),
    ]


def test_meta_that_no_database_can_store_is_dropped_with_a_warning():
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    read = dbt.parse_manifest(
        manifest(table("a", meta={"x": deep}), table("b", meta={"x": "\0"}), table("c", meta={"x": [1]}))
    )
    assert [model.meta for model in read.models] == [{}, {}, {"x": [1]}]
    assert len(read.warnings) == 1


def test_values_of_the_wrong_type_are_ignored_with_one_warning_for_each_kind():
    wrong = {
        "description": 7,
        "columns": [],
        "tags": {"a": 1},
        "contract": {"enforced": "yes"},
        "constraints": ["not_null"],
        "depends_on": {"nodes": 5},
    }
    nodes = manifest(*[table(f"t{i}", **wrong) for i in range(5)])
    nodes["nodes"]["model.shop.broken"] = "a text"
    read = dbt.parse_manifest(nodes)
    assert len(read.models) == 5
    attributes = {(model.description, model.columns, model.tags, model.contract_enforced) for model in read.models}
    assert attributes == {(None, (), (), False)}
    affected = "model.shop.t0, model.shop.t1, model.shop.t2 and 2 more."
    assert read.warnings == (
        "Entries of `nodes` are not objects and were left out: model.shop.broken.",
        f"`columns` is not an object and was ignored: {affected}",
        f"`constraints` is not a list of objects and was ignored: {affected}",
        f"`description` is not text and was ignored: {affected}",
        f"`enforced` is not true or false and was ignored: {affected}",
        f"`nodes` is not a list and was ignored: {affected}",
        f"`tags` is not a list and was ignored: {affected}",
    )


def test_a_column_with_an_unprintable_name_is_left_out_with_a_warning():
    read = dbt.parse_manifest(manifest(table("orders", column("a\nb"), column("c"))))
    assert read.models[0].columns == ("c",)
    assert read.warnings == (
        "These nodes have columns with unprintable names, which were left out: model.shop.orders.",
    )
