"""Between consecutive releases of public dbt packages, catalogs show every real change of a column and no other."""

import pytest

from bench._dbt_releases import RELEASES, Release, evaluate, find_changes, iterate_pairs
from bench.dbt_gate import count_false, count_seen, is_exact
from tessera_gql.diff import Mode
from tessera_gql.formats import dbt
from tessera_gql.policy.compatibility import Terms, judge

PAIRS = list(iterate_pairs()) if RELEASES.is_dir() else []
pytestmark = pytest.mark.skipif(not PAIRS, reason="the shared data folder has no dbt_catalogs")
every_pair = pytest.mark.parametrize(
    ("before", "after"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1].name[-7:]}") for pair in PAIRS]
)


def to_terms(model: dbt.Model) -> Terms:
    return Terms(model.schema, model.guarantees, Mode.CONSUMER, known_columns=model.known_columns)


@every_pair
def test_every_real_drop_and_new_type_breaks_and_nothing_else_does(before: Release, after: Release) -> None:
    result = evaluate(before, after)
    facts, findings = result.facts, result.with_catalogs
    assert facts.dropped - findings.dropped == frozenset()
    assert facts.retyped - findings.breaking == frozenset()
    assert (facts.respelled or frozenset()) <= findings.retyped
    assert count_false(facts, findings) == 0
    assert count_seen(facts, result.manifests_alone) <= count_seen(facts, findings)
    assert is_exact(result)


@every_pair
def test_a_manifest_after_a_catalog_drops_only_columns_that_were_declared(before: Release, after: Release) -> None:
    old, new = before.parse(with_catalog=True), after.parse(with_catalog=False)
    declared = {(table, name.lower()) for table, model in old.items() for name in model.declared_types}
    assert find_changes(old, new).dropped <= declared


@every_pair
def test_a_release_with_and_without_its_catalog_in_turn_is_unchanged(before: Release, after: Release) -> None:
    covered, declared = before.parse(with_catalog=True), before.parse(with_catalog=False)
    for table, model in covered.items():
        current = to_terms(model)
        for item in (declared[table], model, declared[table]):
            assert judge(current, to_terms(dbt.apply_known_columns(item, current.known_columns))).is_unchanged
    assert after.adapter


def test_the_releases_lose_hundreds_of_columns_of_which_the_manifests_alone_show_almost_none() -> None:
    results = [evaluate(*pair) for pair in PAIRS]
    dropped = sum(len(result.facts.dropped) for result in results)
    alone = sum(len(result.facts.dropped & result.manifests_alone.dropped) for result in results)
    assert dropped > 700
    assert alone < dropped / 10
