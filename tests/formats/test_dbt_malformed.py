"""Reading any manifest ends in a `Manifest` that is valid JSON or in a `ManifestError`."""

import copy
import random

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import CatalogError, parse_catalog
from tests.formats.manifests import catalog, catalog_table, check, column, manifest, real, source, table

BAD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["", "\0", "struct<a:", "array<array<int", "{{ ref('", "model.shop.orders", "a.b.c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
BUDGET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def rich() -> dict:
    """A manifest with every key that the reader uses."""
    nodes = [
        table("orders", column("id", "int", constraints=[{"type": "not_null"}]), column("a.b", "struct<c: int>"),
              meta={"owner": {"name": "x"}}, constraints=[{"type": "primary_key", "columns": ["id"]}], group="g",
              contract={"enforced": True}, version=1, depends_on={"nodes": ["model.shop.mid"]}),
        table("mid", config={"materialized": "ephemeral"}, depends_on={"nodes": ["source.shop.raw_orders"]}),
        source(freshness={"warn_after": {"count": 1, "period": "day"}}),
        check("accepted_values", "id", values=[1, 2], quote=False),
        check("relationships", "id", to="ref('orders')", field="id"),
        check("expect_table_row_count_to_be_between", namespace="dbt_expectations", min_value=1),
        check("unique_combination_of_columns", namespace="dbt_utils", combination_of_columns=["id", "a"]),
        {"unique_id": "test.shop.s", "resource_type": "test", "name": "s", "raw_code": "select 1",
         "depends_on": {"nodes": ["model.shop.orders"]}},
    ]  # fmt: skip
    exposure = {"name": "e", "owner": {"name": "o"}, "depends_on": {"nodes": ["model.shop.orders"]}}
    return manifest(*nodes, adapter="bigquery", exposures={"exposure.shop.e": exposure})


def small_real(name: str) -> dict:
    """A real manifest without the keys that are never read, so that copies are cheap."""
    document = orjson.loads(real(name))
    return {key: document.get(key, {}) for key in ("metadata", "nodes", "sources", "exposures", "metrics")}


def mutate(document: dict, values: list, dice: random.Random) -> dict:
    """Replace random parts of the document by the values."""
    mutant = copy.deepcopy(document)
    for value in values:
        holder = mutant[dice.choice(["metadata", "nodes", "nodes", "nodes", "sources", "exposures"])] or mutant
        while isinstance(holder, dict | list) and holder:
            key = dice.choice(list(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
            if dice.random() < 0.3 or not isinstance(holder[key], dict | list) or not holder[key]:
                holder[key] = value
                break
            holder = holder[key]
    return mutant


def read_or_refuse(document: object) -> None:
    try:
        read = dbt.parse_manifest(document)  # type: ignore[arg-type]  # hostile on purpose
    except dbt.ManifestError:
        return
    orjson.dumps(read.warnings)
    for model in read.models:
        Draft202012Validator.check_schema(model.schema)
        assert b"\\u0000" not in orjson.dumps([model.schema, model.guarantees, model.meta, model.fqn, model.columns])


@BUDGET
@given(values=st.lists(BAD, min_size=1, max_size=6), dice=st.randoms(use_true_random=False))
def test_a_manifest_with_wrong_values_anywhere_never_ends_in_a_traceback(values, dice):
    read_or_refuse(mutate(rich(), values, dice))


@settings(BUDGET, max_examples=60)
@given(values=st.lists(BAD, min_size=20, max_size=60), dice=st.randoms(use_true_random=False))
def test_a_real_manifest_of_version_1_with_wrong_values_never_ends_in_a_traceback(values, dice):
    read_or_refuse(mutate(small_real("jaffle_shop_v1.json"), values, dice))


@settings(BUDGET, max_examples=20)
@given(values=st.lists(BAD, min_size=50, max_size=100), dice=st.randoms(use_true_random=False))
def test_a_real_manifest_of_version_12_with_wrong_values_never_ends_in_a_traceback(values, dice):
    read_or_refuse(mutate(small_real("jaffle_shop_v12.json"), values, dice))


@BUDGET
@given(values=st.lists(BAD, min_size=1, max_size=6), dice=st.randoms(use_true_random=False))
def test_a_catalog_with_wrong_values_anywhere_never_ends_in_a_traceback(values, dice):
    listed = catalog_table("orders", **{"id": "int", "a": "struct<b int64>", "a.b": "int64"})
    document = {**catalog(**{"model.shop.orders": listed}), "exposures": {}}
    try:
        covered = parse_catalog(mutate(document, values, dice))
    except CatalogError:
        return
    for model in dbt.parse_manifest(rich(), covered).models:
        Draft202012Validator.check_schema(model.schema)
        assert b"\\u0000" not in orjson.dumps([model.schema, model.known_columns])


@BUDGET
@given(end=st.integers(0, 5_000))
def test_a_truncated_manifest_is_refused(end):
    document = orjson.dumps(rich())
    read_or_refuse(document[: min(end, len(document) - 1)])


@BUDGET
@given(document=BAD | st.binary(max_size=20) | st.text(max_size=20))
def test_any_value_at_all_is_refused_with_a_reason(document):
    read_or_refuse(document)


def test_very_deep_json_is_refused_or_read():
    for depth in (200, 1_000, 100_000):
        read_or_refuse(b"[" * depth + b"]" * depth)
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        read_or_refuse(orjson.dumps(rich()).replace(b'"owner":{"name":"x"}', b'"owner":' + deep))
    cycle: dict = {}
    cycle["metadata"] = cycle
    read_or_refuse(cycle)


def test_entries_whose_names_hold_a_nul_character_are_left_out_and_named():
    node = {**table("orders", column("id")), "unique_id": "model.shop.or\0ders"}
    exposure = {"unique_id": "e", "name": "board", "type": "dashboard", "depends_on": {"nodes": []}}
    parsed = dbt.parse_manifest(manifest(node, table("b"), exposures={"exposure.a\0": exposure}))
    assert [model.name for model in parsed.models] == ["b"]
    assert parsed.exposures == ()
    assert [warning for warning in parsed.warnings if "NUL" in warning] == [
        "Entries of `exposures` have a NUL character in their name and were left out: exposure.a\ufffd.",
        "Entries of `nodes` have a NUL character in their name and were left out: model.shop.or\ufffdders.",
    ]
