"""Whoever is hurt through lineage is asked, nobody else is while lineage is known, and each path is real."""

from collections.abc import Mapping
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import FieldReader, Reasons, find_affected_teams, split_read
from tessera_gql.policy.enums import ColumnEdgeKind
from tessera_gql.policy.lineage_walk import AssetEdge, ColumnLink, LineageWalk, OwnLineage, add_lineage
from tests.policy.test_affected_teams import change

COPIED, DERIVED, FILTER = ColumnEdgeKind.COPIED, ColumnEdgeKind.DERIVED, ColumnEdgeKind.FILTER
OWNER, TEAMS = UUID(int=1), [UUID(int=number) for number in range(2, 6)]
ASSETS = [UUID(int=number) for number in range(100, 107)]
COLUMNS = ["a", "b", "c"]
Edges = Mapping[tuple[UUID, UUID], list[ColumnLink]]
links = st.builds(
    ColumnLink, st.sampled_from(COLUMNS), st.sampled_from([*COLUMNS, ""]), st.sampled_from([COPIED, DERIVED])
).map(lambda link: ColumnLink(link.source_column, "", FILTER) if not link.target_column else link)
pairs = st.tuples(st.sampled_from(ASSETS), st.sampled_from(ASSETS)).filter(lambda pair: pair[0] != pair[1])
graphs = st.dictionaries(pairs, st.lists(links, max_size=4), max_size=14)
owners = st.fixed_dictionaries({asset: st.sampled_from([OWNER, OWNER, *TEAMS]) for asset in ASSETS[1:]})
fields = st.none() | st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=2, unique=True).map(tuple)
readers = st.dictionaries(
    st.sampled_from(ASSETS), st.lists(st.builds(FieldReader, st.sampled_from(TEAMS), fields), max_size=2), max_size=5
)


def lineage_of(graph: Edges, owner: Mapping[UUID, UUID], reading: Mapping[UUID, list[FieldReader]]) -> OwnLineage:
    edges = [AssetEdge(source, owner[source], target, owner[target]) for source, target in graph]
    return OwnLineage(edges, graph, reading)


def brute_force(
    column: str, graph: Edges, owner: Mapping[UUID, UUID], reading: Mapping[UUID, list[FieldReader]]
) -> set[UUID]:
    """Find who is hurt, by marking single columns until nothing changes."""
    marked, hurt = {(ASSETS[0], column)}, set[UUID]()
    while True:
        following = set(marked)
        for (source, target), items in graph.items():
            if owner[source] != OWNER:
                continue
            for name in [name for asset, name in marked if asset == source]:
                reached = {link.target_column for link in items if link.source_column == name}
                reached = reached if items else {""}
                if owner[target] != OWNER:
                    hurt |= {owner[target]} if reached else set()
                    continue
                following |= {(target, item) for item in (COLUMNS if "" in reached else reached)}
        if following == marked:
            break
        marked = following
    for asset, items in reading.items():
        names = {name for marked_asset, name in marked if marked_asset == asset}
        hurt |= {item.team_id for item in items if names and (item.fields is None or names & set(item.fields))}
    return hurt - {OWNER}


def walk(
    changes: list[Change], graph: Edges, owner: Mapping[UUID, UUID], reading: Mapping[UUID, list[FieldReader]]
) -> dict[UUID, Reasons]:
    direct = find_affected_teams(changes, reading.get(ASSETS[0], ()), OWNER)
    found = LineageWalk(ASSETS[0], OWNER, changes, lineage_of(graph, owner, reading)).find_teams()
    return dict(add_lineage(direct, changes, found).asked)


@settings(max_examples=400, deadline=None)
@given(graphs, owners, readers, st.sampled_from(COLUMNS))
def test_exactly_the_teams_that_a_change_hurts_are_asked(
    graph: Edges, owner: Mapping[UUID, UUID], reading: Mapping[UUID, list[FieldReader]], column: str
) -> None:
    owner = {ASSETS[0]: OWNER, **owner}
    reading = {asset: items for asset, items in reading.items() if owner[asset] == OWNER}
    asked = walk([change(column)], graph, owner, reading)
    assert set(asked) == brute_force(column, graph, owner, reading)
    for reasons in asked.values():
        for path in reasons.paths:
            assert path.steps[0] == (ASSETS[0], column)
            hops = [*zip(path.steps, path.steps[1:], strict=False)]
            assert all((before[0], after[0]) in graph for before, after in hops)
            assert path.is_known == all(graph[before[0], after[0]] for before, after in hops)
    linked = {pair: items for pair, items in graph.items() if items}
    hurt_for_sure = brute_force(column, linked, owner, reading)
    assert {team for team, reasons in asked.items() if not reasons.is_lineage_unknown} >= hurt_for_sure


@settings(max_examples=200, deadline=None)
@given(graphs, owners, readers, st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True))
def test_readers_and_owners_alone_are_those_that_the_whole_walk_finds(
    graph: Edges, owner: Mapping[UUID, UUID], reading: Mapping[UUID, list[FieldReader]], columns: list[str]
) -> None:
    owner, changes = {ASSETS[0]: OWNER, **owner}, [change(column) for column in columns]
    lineage = lineage_of(graph, owner, reading)
    reached = LineageWalk(ASSETS[0], OWNER, changes, lineage).find_teams()
    walk = LineageWalk(ASSETS[0], OWNER, changes, lineage_of(graph, owner, {}))
    owners_alone, reads = walk.find_owners(), walk.find_reads(reading)
    assert owners_alone | reads.keys() == reached.keys()
    assert owners_alone == walk.find_teams().keys()
    without_owners = {team: reads[team] for team in reads.keys() - owners_alone}
    for team, fields in without_owners.items():
        texts = {text for texts in (reached[team].reads or {}).values() for text in texts}
        assert {(asset or ASSETS[0], path) for asset, path in map(split_read, texts)} == fields


def asked_teams(*names: str, graph: Edges, reading: Mapping[UUID, list[FieldReader]]) -> dict[UUID, Reasons]:
    return walk([change(name) for name in names], graph, dict.fromkeys(ASSETS, OWNER), reading)


def test_a_copied_column_keeps_its_nested_fields() -> None:
    graph = {(ASSETS[0], ASSETS[1]): [ColumnLink("items", "lines", COPIED)]}
    reading = {ASSETS[1]: [FieldReader(TEAMS[0], ("lines[].sku",)), FieldReader(TEAMS[1], ("lines[].price",))]}
    assert set(asked_teams("items[].sku", graph=graph, reading=reading)) == {TEAMS[0]}
    graph = {(ASSETS[0], ASSETS[1]): [ColumnLink("items", "lines", DERIVED)]}
    assert set(asked_teams("items[].sku", graph=graph, reading=reading)) == {TEAMS[0], TEAMS[1]}


def test_a_change_of_the_whole_document_follows_every_link() -> None:
    graph = {(ASSETS[0], ASSETS[1]): [ColumnLink("a", "b", COPIED)]}
    reading = {ASSETS[1]: [FieldReader(TEAMS[0], ("b",)), FieldReader(TEAMS[1], ("c",))]}
    assert set(asked_teams("", graph=graph, reading=reading)) == {TEAMS[0]}


def test_names_of_columns_match_in_any_case() -> None:
    graph = {(ASSETS[0], ASSETS[1]): [ColumnLink("coupon", "DISCOUNT", COPIED)]}
    reading = {ASSETS[1]: [FieldReader(TEAMS[0], ("discount",))]}
    (reasons,) = asked_teams("COUPON", graph=graph, reading=reading).values()
    assert reasons.paths[0].steps == ((ASSETS[0], "COUPON"), (ASSETS[1], "DISCOUNT"))
