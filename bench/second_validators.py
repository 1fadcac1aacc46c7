"""Check verdicts of the diff engine on generated schemas with validators that it doesn't use.

`python -m bench second_validators --pairs 50000 --seed N` generates schemas of all drafts and edits of them,
independently of the tests' own generator, and compares each pair. It fails

- if a document refutes a "compatible": a producer writes it, and the other schema refuses it (for CONSUMER: what a
  reader of the old schema sees of it);
- if a declared field disappears under a "compatible" (for FORWARD: if one is new);
- if a validator doesn't confirm the counterexample of a proven change;
- if a comparison crashes.

A validator that can't be installed is left out, and the report names it.
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench._produced_documents import Ambiguous, DeclaredProperties
from bench._schema_edits import edit_schema
from bench._schema_grammar import DRAFTS, DocumentGrammar, Draft, SchemaGrammar
from bench._validators import ExternalValidator, ValidationRequest, Validity, find_validators
from tessera_gql.diff import Certainty, Change, ChangeKind, Mode, SchemaDiff, SchemaError, compare

BATCH_SIZE = 500
DOCUMENTS_PER_SCHEMA = 20
MAX_EXAMPLES = 5
"""Failures of one kind that are printed in full."""
BY_RULE = frozenset(
    {
        ChangeKind.PROPERTY_ADDED,
        ChangeKind.PROPERTY_REMOVED,
        ChangeKind.PROPERTY_RENAMED,
        ChangeKind.DEFAULT_ADDED,
        ChangeKind.DEFAULT_REMOVED,
        ChangeKind.DEFAULT_CHANGED,
    }
)
"""Changes that may break without a document that the other schema refuses."""


@dataclass
class Pair:
    """Two schemas, their comparison, and the documents to validate against both."""

    draft: Draft
    old: dict[str, Any]
    new: dict[str, Any]
    diff: SchemaDiff
    samples: list[Any] = field(default_factory=list[Any])
    projections: dict[int, int] = field(default_factory=dict[int, int])
    """Indexes in `samples`: of what a producer of the new schema writes, and what readers of the old one see of it."""
    produced: dict[Mode, list[int]] = field(default_factory=dict[Mode, list[int]])
    """Indexes in `samples` of what a producer writes, of the old schema for BACKWARD and of the new one for FORWARD."""

    @property
    def proven_changes(self) -> list[Change]:
        return [change for change in self.diff.changes if change.certainty is Certainty.PROVEN]

    def request(self, *, has_samples: bool) -> ValidationRequest:
        counterexamples = [change.counterexample for change in self.proven_changes]
        documents = counterexamples + (self.samples if has_samples else [])
        return ValidationRequest(self.draft.number, (self.old, self.new), documents)


@dataclass
class Results:
    """Counts of what was checked, and the first failures of each kind."""

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: list[str] = field(default_factory=list[str])

    def fail(self, reason: str, old: Any, new: Any, **facts: Any) -> None:
        label = f"FAILED: {reason}"
        self.counts[label] += 1
        if self.counts[label] <= MAX_EXAMPLES:
            self.examples.append(json.dumps({"reason": reason, **facts, "old": old, "new": new}, default=str))

    @property
    def has_failed(self) -> bool:
        return any(label.startswith("FAILED") for label in self.counts)


def generate_pairs(seed: int, count: int, results: Results) -> Iterator[Pair]:
    """Generate and compare pairs. Each has its own random source, so that one of them can be repeated alone."""
    for index in range(count):
        random = Random(f"{seed}/{index}")
        draft = DRAFTS[index % len(DRAFTS)]
        grammar = SchemaGrammar(random, draft)
        old = grammar.root()
        new = edit_schema(random, grammar, old) if random.random() < 0.9 else SchemaGrammar(random, draft).root()
        results.counts["pairs"] += 1
        try:
            diff = compare(old, new)
            _ = [change.as_json() for change in diff.changes]  # collects the evidence
        except SchemaError:
            results.counts["pairs refused by the engine"] += 1
            continue
        except Exception as error:  # noqa: BLE001 - a crash is what is counted here
            results.fail("the comparison crashed", old, new, index=index, error=repr(error))
            continue
        yield add_samples(random, Pair(draft, old, new, diff))


def add_samples(random: Random, pair: Pair) -> Pair:
    """Add documents near both schemas, and what a reader of the old schema sees of those of the new one."""
    for schema in (pair.old, pair.new):
        grammar = DocumentGrammar(random, schema)
        pair.samples += [grammar.document() for _ in range(DOCUMENTS_PER_SCHEMA)]
    old, new = DeclaredProperties(pair.old, pair.draft), DeclaredProperties(pair.new, pair.draft)
    for mode, producer in ((Mode.BACKWARD, old), (Mode.FORWARD, new)):
        pair.produced[mode] = [n for n, document in enumerate(pair.samples) if producer.is_produced(document)]
    for n in pair.produced[Mode.FORWARD]:
        try:
            projection = old.project(pair.samples[n])
        except Ambiguous:
            continue
        pair.projections[n] = n if projection == pair.samples[n] else len(pair.samples)
        if pair.projections[n] != n:
            pair.samples.append(projection)
    return pair


def check_batch(pairs: Sequence[Pair], validators: Sequence[ExternalValidator], results: Results) -> None:
    is_any_fast = any(validator.is_fast for validator in validators)
    verdicts: dict[str, list[Validity]] = {}
    samplers: list[str] = []
    for validator in validators:
        has_samples = validator.is_fast or not is_any_fast
        samplers += [validator.name] if has_samples else []
        verdicts[validator.name] = validator.validate([pair.request(has_samples=has_samples) for pair in pairs])
    for index, pair in enumerate(pairs):
        count_verdicts(pair, results)
        validities = {name: rows[index] for name, rows in verdicts.items()}
        check_counterexamples(pair, validities, results)
        check_samples(pair, [validities[name] for name in samplers], results)
        check_paths(pair, results)


def count_verdicts(pair: Pair, results: Results) -> None:
    results.counts["changes"] += len(pair.diff.changes)
    results.counts["breaking changes"] += sum(1 for change in pair.diff.changes if change.breaks)
    for mode in Mode:
        results.counts[f"compatible {mode.value}"] += pair.diff.is_compatible(mode)


def check_counterexamples(pair: Pair, validities: dict[str, Validity], results: Results) -> None:
    for n, change in enumerate(pair.proven_changes):
        results.counts["counterexamples"] += 1
        accepting, refusing = (0, 1) if Mode.BACKWARD in change.breaks else (1, 0)
        is_accepted_by_both = change.kind in BY_RULE or change.breaks.isdisjoint((Mode.BACKWARD, Mode.FORWARD))
        for name, validity in validities.items():
            if validity is None or (name == "ajv" and meets_defect_of_ajv(pair, change.counterexample)):
                results.counts[f"not validated by {name}"] += 1
            elif validity[accepting][n] and (is_accepted_by_both or not validity[refusing][n]):
                results.counts[f"confirmed by {name}"] += 1
            else:
                results.fail(
                    f"{name} doesn't confirm a counterexample",
                    pair.old,
                    pair.new,
                    kind=change.kind,
                    breaks=sorted(change.breaks),
                    document=change.counterexample,
                )


def meets_defect_of_ajv(pair: Pair, document: Any) -> bool:
    """Return whether ajv is known to be wrong.

    JavaScript reads 1.0 as 1, which differ in draft 4. Beside a list in `items`, or `prefixItems` and `maxContains`,
    ajv accepts an empty array although `contains` demands an item.
    """
    if pair.draft.number == 4:
        return any(isinstance(value, float) and value.is_integer() for value in _iterate_values(document))
    return any(
        "contains" in part and (isinstance(part.get("items"), list) or part.keys() >= {"prefixItems", "maxContains"})
        for part in _iterate_objects(pair)
    )


def _iterate_values(value: Any) -> Iterator[Any]:
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _iterate_values(item)


def _iterate_objects(pair: Pair) -> Iterator[dict[str, Any]]:
    return (part for part in _iterate_values([pair.old, pair.new]) if isinstance(part, dict))


def check_samples(pair: Pair, validities: Sequence[Validity], results: Results) -> None:
    """Look for documents that refute a "compatible". All validators must agree on them."""
    complete = [validity for validity in validities if validity is not None]
    offset = len(pair.proven_changes)

    def is_valid(side: int, sample: int) -> bool | None:
        answers = {validity[side][offset + sample] for validity in complete}
        return answers.pop() if len(answers) == 1 else None

    sources = {
        Mode.BACKWARD: (0, 1, [(n, n) for n in pair.produced[Mode.BACKWARD]]),
        Mode.FORWARD: (1, 0, [(n, n) for n in pair.produced[Mode.FORWARD]]),
        Mode.CONSUMER: (1, 0, [*pair.projections.items()]),
    }
    for mode, (producing, reading, documents) in sources.items():
        is_compatible = pair.diff.is_compatible(mode)
        for sample, projection in documents:
            if is_valid(producing, sample) is not True:
                continue
            results.counts[f"documents tried against {mode.value}"] += is_compatible
            if is_valid(reading, projection) is not False:
                continue
            results.counts[f"incompatible pairs with a document that shows it, {mode.value}"] += not is_compatible
            if is_compatible:
                documents_of = {"document": pair.samples[sample], "seen": pair.samples[projection]}
                results.fail(f"a document refutes {mode.value}", pair.old, pair.new, **documents_of)
            break


def check_paths(pair: Pair, results: Results) -> None:
    """Look for declared fields that a "compatible" version lost, or for FORWARD added."""
    old, new = (DeclaredProperties(schema, pair.draft).paths() for schema in (pair.old, pair.new))
    for mode, missing in ((Mode.BACKWARD, old - new), (Mode.CONSUMER, old - new), (Mode.FORWARD, new - old)):
        if missing and pair.diff.is_compatible(mode):
            results.fail(f"a declared field refutes {mode.value}", pair.old, pair.new, paths=sorted(missing)[:3])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench second_validators", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000, help="number of pairs of schemas")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run")
    parser.add_argument("--minutes", type=float, default=math.inf, help="time after which no further pair is generated")
    options = parser.parse_args()
    validators, missing = find_validators()
    print(
        f"seed {options.seed}; validators: {', '.join(validator.name for validator in validators)}", *missing, sep="\n"
    )
    results = run(options.seed, options.pairs, validators, options.minutes)
    for label, count in sorted(results.counts.items()):
        print(f"{label:70}{count:>10,}")
    print(*results.examples, "FAIL" if results.has_failed else "PASS", sep="\n")
    return int(results.has_failed)


def run(seed: int, count: int, validators: Sequence[ExternalValidator], minutes: float = math.inf) -> Results:
    results = Results()
    end = time.monotonic() + 60 * minutes
    batch: list[Pair] = []
    for pair in generate_pairs(seed, count, results):
        batch.append(pair)
        if len(batch) == BATCH_SIZE:
            check_batch(batch, validators, results)
            print(f"{results.counts['pairs']:,} pairs", file=sys.stderr, flush=True)
            batch = []
            if time.monotonic() > end:
                break
    if batch:
        check_batch(batch, validators, results)
    return results


if __name__ == "__main__":
    sys.exit(main())
