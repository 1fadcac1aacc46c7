"""Find the keywords that values of one schema violate in another, where no comparer yields a difference for them.

Without these differences, another change at or below the value would pass for the only reason that containment fails.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, islice

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.compare.walk import ViewPair
from tessera_gql.diff.differences import Difference
from tessera_gql.diff.messages import describe_changed_keyword
from tessera_gql.diff.prove.constraints import Literal, NoWitness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.read.view import View, ViewPart, non_null_option

ALTERNATIVES = ("anyOf", "oneOf")
DEPENDENCIES = ("dependentRequired", "dependentSchemas", "dependencies")
MAX_OPTION_PAIRS = 64
"""Pairs of options of `oneOf` that are searched for a value of both."""


def find_violated_keywords(solver: Solver, writing: View, reading: View) -> Iterator[tuple[str, str]]:
    """Yield the keywords of the reading view that a written value may violate, each with its pointer."""
    premises = [Literal(node, holds=True, is_produced=True) for node in writing.nodes]
    for part in reading.parts:
        for keyword in part.node.keywords.keys() & {*ALTERNATIVES, *DEPENDENCIES}:
            violations = _list_violations(part, keyword, writing)
            if any(_may_exist(solver, [*premises, *violation]) for violation in violations):
                yield keyword, f"{part.node.pointer}/{keyword}"


def keyword_difference(keyword: str, pointer: str, mode: Mode) -> Difference:
    message = describe_changed_keyword(keyword)
    return Difference(ChangeKind.COMPOSITION_CHANGED, pointer, message, directions=frozenset({mode}))


def is_listed(pair: ViewPair, keyword: str, mode: Mode) -> bool:
    """Return whether a difference of the keyword itself is listed for the pair and breaks the mode."""
    pointers = {f"{node.pointer}/{keyword}" for view in (pair.old, pair.new) for node in view.schemas}
    return any(
        mode in item.directions and any(f"{item.pointer}/".startswith(f"{pointer}/") for pointer in pointers)
        for item in pair.differences
    )


def _may_exist(solver: Solver, literals: list[Literal]) -> bool:
    try:
        return solver.find(literals) is not NoWitness.EMPTY
    except RecursionError:  # the stack of the caller may be deep already
        return True


def _list_violations(part: ViewPart, keyword: str, writing: View) -> Iterator[list[Literal]]:
    """Yield the ways to violate a keyword, each as literals that must all hold."""
    node = part.node
    if keyword in ALTERNATIVES:
        if non_null_option(node, keyword) is not None:  # a view has its types instead
            return
        not_null = [Literal(node.cache.null(node.document), holds=False)] if part.or_null else []
        yield from ([*not_null, *violation] for violation in _refused_alternatives(node, keyword, writing))
    elif keyword == "dependentSchemas":
        yield from _refused_dependent_schemas(node, writing)
    elif keyword == "dependentRequired":
        yield from _missing_dependents(node, writing)
    else:
        yield from _missing_dependents(node, writing)
        yield from _refused_dependent_schemas(node, writing)


def _refused_alternatives(node: Schema, keyword: str, writing: View) -> Iterator[list[Literal]]:
    options = node.children(keyword)
    unmatched = Counter(option.key for peer in writing.schemas for option in peer.children(keyword))
    is_new: list[bool] = []
    for option in options:
        unmatched[option.key] -= 1
        is_new.append(unmatched[option.key] < 0)
    if any(is_new) or any(count > 0 for count in unmatched.values()):
        yield [Literal(option, holds=False) for option in options]
    if keyword == "oneOf":
        pairs = (pair for pair in combinations(range(len(options)), 2) if is_new[pair[0]] or is_new[pair[1]])
        for left, right in islice(pairs, MAX_OPTION_PAIRS):
            yield [Literal(options[left], holds=True), Literal(options[right], holds=True)]


def _missing_dependents(node: Schema, writing: View) -> Iterator[list[Literal]]:
    for name, dependents in node.dependent_names.items():
        existing = {dependent for peer in writing.schemas for dependent in peer.dependent_names.get(name, ())}
        for dependent in dependents:
            if dependent not in existing:
                yield [_presence(node, name), _presence(node, dependent, holds=False)]


def _refused_dependent_schemas(node: Schema, writing: View) -> Iterator[list[Literal]]:
    existing = {(name, schema.key) for peer in writing.schemas for name, schema in peer.dependent_schemas()}
    for name, schema in node.dependent_schemas():
        if (name, schema.key) not in existing:
            yield [_presence(node, name), Literal(schema, holds=False)]


def _presence(node: Schema, name: str, *, holds: bool = True) -> Literal:
    return Literal(node.cache.object_with(node.document, name), holds)
