"""Measure how many random faults in the diff engine its tests detect.

`python scripts/mutation_sample.py --seed N --mutants 60` changes one expression or statement of `tessera_gql/diff` at a
time, in a copy of the repository, and runs the tests of the engine until one fails. The files of tests run in the order
of their duration; `--fast` leaves out those of generated cases, which take most of the time. Tests that fail without a
fault don't count. The exit code is 1 if fewer than 90 % of the faults are detected.
"""

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("tessera_gql/diff")
COPIED = ("tessera_gql", "tests", "bench", "migrations", "conftest.py", "pyproject.toml")
SHARED_DATA = ROOT / "../shared"
TARGET_SHARE = 0.9
SLOW = ("laws", "mode_laws", "labelled_pairs", "second_validators", "limits", "search_effort", "evidence_limits")

OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}


@dataclass(frozen=True)
class Mutant:
    """A fault: the file, the line, a description, and the faulty source."""

    path: Path
    line: int
    description: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.description}"


def sample_mutants(random: Random, count: int) -> list[Mutant]:
    """Choose faults at random, each kind of fault with the same probability."""
    sites = [
        (path, kind, index)
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
        for kind, index, _ in list_sites(ast.parse(path.read_text()))
    ]
    by_kind: dict[str, list[tuple[Path, int]]] = {}
    for path, kind, index in sites:
        by_kind.setdefault(kind, []).append((path, index))
    for kind_sites in by_kind.values():
        random.shuffle(kind_sites)
    mutants: list[Mutant] = []
    while len(mutants) < count and any(by_kind.values()):
        kind = random.choice([kind for kind, remaining in by_kind.items() if remaining])
        path, index = by_kind[kind].pop()
        mutants.append(build_mutant(path, kind, index))
    return mutants


def list_sites(tree: ast.AST) -> Iterator[tuple[str, int, ast.AST]]:
    """Iterate over the kind, the position in the walk, and the node of every possible fault."""
    annotations = {id(inner) for node in ast.walk(tree) for part in _annotations(node) for inner in ast.walk(part)}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and _is_text(node.value)}
    for index, node in enumerate(ast.walk(tree)):
        if id(node) not in annotations | docstrings and (kind := _kind(node)) is not None:
            yield kind, index, node


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("annotation", "returns"):
        annotation = getattr(node, name, None)
        if isinstance(annotation, ast.AST):
            yield annotation
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast":
        yield node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _kind(node: ast.AST) -> str | None:
    match node:
        case ast.Compare():
            return "comparison"
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return "boolean"
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPPOSITES:
            return "arithmetic"
        case ast.Constant(value=int() | str()):
            return "constant"
        case ast.Call(args=[ast.expr(), ast.expr(), *_]) if ast.unparse(node.func) != "isinstance":
            return "swapped arguments"
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Continue() | ast.Break():
            return "removed statement"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return "removed statement"
        case _:
            return None


def build_mutant(path: Path, kind: str, index: int) -> Mutant:
    tree = ast.parse(path.read_text())
    node = list(ast.walk(tree))[index]
    before = ast.unparse(node)
    replacement = _mutate(node, kind)
    _replace(tree, node, replacement)
    description = f"{kind}: {_shorten(before)} → {_shorten(ast.unparse(replacement))}"
    return Mutant(
        path.relative_to(ROOT), getattr(node, "lineno", 0), description, ast.unparse(ast.fix_missing_locations(tree))
    )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _mutate(node: ast.AST, kind: str) -> ast.AST:
    """Return the faulty form of a node."""
    if kind == "removed statement":
        return ast.Pass()
    mutated = deepcopy(node)
    match mutated:
        case ast.Compare():
            mutated.ops[0] = OPPOSITES[type(mutated.ops[0])]()
        case ast.UnaryOp():
            return mutated.operand
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign():
            mutated.op = OPPOSITES[type(mutated.op)]()
        case ast.Constant():
            value = mutated.value
            mutated.value = not value if isinstance(value, bool) else value + (1 if isinstance(value, int) else "_")
        case ast.Call():
            mutated.args[:2] = reversed(mutated.args[:2])
        case _:
            raise TypeError(kind)
    return mutated


def _replace(tree: ast.AST, node: ast.AST, replacement: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, replacement)
            elif isinstance(value, list):
                value[:] = [replacement if item is node else item for item in value]


@dataclass(frozen=True)
class TestPlan:
    """The files of tests in the order in which they run, the tests that fail without a fault, and a time limit."""

    files: Sequence[str]
    failing: Sequence[str]
    timeout_seconds: float

    def command(self) -> list[str]:
        deselected = [argument for test in self.failing for argument in ("--deselect", test)]
        return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *deselected, *self.files]


def copy_repository(folder: Path) -> Path:
    """Copy what the tests need. The data that tests read beside the checkout is linked."""
    copy = folder / "checkout"
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(source, copy / name)
    if SHARED_DATA.exists():
        (folder / "shared").symlink_to(SHARED_DATA.resolve())
    return copy


def plan_tests(copy: Path, *, is_fast: bool) -> TestPlan:
    """Run the tests of the engine once without a fault."""
    report = copy.parent / "report.xml"
    ignored = [f"--ignore=tests/diff/test_{name}.py" for name in SLOW if is_fast]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        *ignored,
        "tests/diff",
    ]
    start = time.monotonic()
    completed = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True, env=_environment(copy))
    if completed.returncode not in {0, 1}:  # not even collected: every fault would count as detected
        sys.exit(f"The tests can't run without a fault:\n{completed.stdout[-2000:]}")
    seconds: dict[str, float] = {}
    failing: list[str] = []
    for case in ET.parse(report).iter("testcase"):
        file = case.attrib["classname"].replace(".", "/") + ".py"
        seconds[file] = seconds.get(file, 0) + float(case.attrib["time"])
        if case.find("failure") is not None or case.find("error") is not None:
            failing.append(f"{file}::{case.attrib['name']}")
    files = sorted(seconds, key=seconds.__getitem__)
    return TestPlan(files, failing, 60 + 3 * (time.monotonic() - start))


def _environment(copy: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(copy.parent)}


def is_detected(mutant: Mutant, copy: Path, plan: TestPlan) -> bool:
    """Run the tests on the mutant. A run that doesn't end in time counts as detected."""
    original = (copy / mutant.path).read_text()
    (copy / mutant.path).write_text(mutant.source)
    try:
        completed = subprocess.run(
            plan.command(),
            cwd=copy,
            check=False,
            capture_output=True,
            timeout=plan.timeout_seconds,
            env=_environment(copy),
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        (copy / mutant.path).write_text(original)
    return completed.returncode != 0


def measure(mutants: Sequence[Mutant], jobs: int, *, is_fast: bool) -> list[Mutant]:
    """Return the mutants that no test detects."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            copies.put(copy_repository(Path(folder) / str(job)))
        plan = plan_tests(first := copies.get(), is_fast=is_fast)
        copies.put(first)
        print(
            f"{len(plan.files)} files of tests; without a fault {len(plan.failing)} tests fail", *plan.failing, sep="\n"
        )

        def test(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                detected = is_detected(mutant, copy, plan)
            finally:
                copies.put(copy)
            print(f"{'detected' if detected else 'SURVIVED'}  {mutant}", flush=True)
            return detected

        with ThreadPoolExecutor(jobs) as pool:
            return [mutant for mutant, detected in zip(mutants, pool.map(test, mutants), strict=True) if not detected]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run")
    parser.add_argument("--mutants", type=int, default=60, help="number of faults")
    parser.add_argument("--jobs", type=int, default=2, help="tests that run at the same time")
    parser.add_argument("--fast", action="store_true", help="leave out the tests of generated cases")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    mutants = sample_mutants(Random(options.seed), options.mutants)
    survivors = measure(mutants, options.jobs, is_fast=options.fast)
    share = 1 - len(survivors) / len(mutants)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} detected ({share:.0%})", *survivors, sep="\n")
    return int(share < TARGET_SHARE)


if __name__ == "__main__":
    sys.exit(main())
