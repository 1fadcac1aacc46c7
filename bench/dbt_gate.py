"""Show what a gate sees of the columns that public dbt packages really dropped, with their catalogs and without.

A drop or a new type is real if the catalogs of two consecutive releases show it. It is seen if the judgement under
CONSUMER breaks by it, and a finding is false if the column is still in the table. The last column counts the readers
that the first catalog of a table would ask, which must be none.
"""

import sys

from bench._dbt_releases import Facts, Findings, Result, evaluate, iterate_pairs

HEADER = ("releases", "tables", "drops", "types", "seen", "false", "alone", "false", "first")


def main() -> int:
    results = [evaluate(before, after) for before, after in iterate_pairs()]
    if not results:
        print("no releases at ../shared/data/dbt_catalogs; nothing to measure")
        return 0
    _print(*HEADER)
    for result in results:
        _print(*_to_row(result))
    rows = [_to_row(result)[1:] for result in results]
    _print("total", *(sum(column) for column in zip(*rows, strict=True)))
    is_good = all(is_exact(result) for result in results)
    print("PASS" if is_good else "FAIL")
    return 0 if is_good else 1


def is_exact(result: Result) -> bool:
    """Return whether catalogs show all real changes and no others, and a first catalog asks no team."""
    facts, findings = result.facts, result.with_catalogs
    sees_all = facts.dropped <= findings.dropped and facts.retyped <= findings.breaking
    asks_nobody = not result.first_catalog.dropped and not result.first_catalog.breaking
    return sees_all and not count_false(facts, findings) and asks_nobody


def count_seen(facts: Facts, findings: Findings) -> int:
    return len(facts.dropped & findings.dropped) + len(facts.retyped & findings.breaking)


def count_false(facts: Facts, findings: Findings) -> int:
    """Count the columns that are still in the table with the same type. Types of two adapters can't be compared."""
    retyped = findings.breaking - facts.respelled if facts.respelled is not None else ()
    return len(findings.dropped - facts.dropped) + len(retyped)


def _to_row(result: Result) -> tuple[str | int, ...]:
    facts, with_catalogs, alone = result.facts, result.with_catalogs, result.manifests_alone
    first = result.first_catalog
    return (
        result.name,
        facts.tables,
        len(facts.dropped),
        len(facts.retyped),
        count_seen(facts, with_catalogs),
        count_false(facts, with_catalogs),
        count_seen(facts, alone),
        count_false(facts, alone),
        len(first.dropped | first.breaking),
    )


def _print(name: object, *columns: object) -> None:
    print(f"{name:<46}" + "".join(f"{column:>8}" for column in columns))


if __name__ == "__main__":
    sys.exit(main())
