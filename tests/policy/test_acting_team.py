"""Every use of the caller's own team in the source, with what it means for the key of a project, which has no team."""

import ast
from collections.abc import Iterator
from pathlib import Path

import tessera_gql

ROOT = Path(tessera_gql.__file__).parent
CALLERS = {"actor", "caller"}

USES: dict[tuple[str, str], str] = {
    ("components.py", "_find_sharing_scope"): "the project is a part of the scope too, because it decides rights",
    ("graphql/inbox.py", "_load_viewer_groups"): "a project is never asked: its inbox is empty",
    ("graphql/viewer.py", "_load_debts"): "a project has no debts: the list is empty",
    ("graphql/viewer.py", "_load_inbox"): "a project is never asked: its inbox is empty",
    ("policy/access.py", "may_act_for_project"): "a project's key is compared by its project before this",
    ("policy/access.py", "team_ids"): "the owners of the project",
    ("policy/visibility.py", "visibility_of"): "a project's key sees no private rows but itself",
    (
        "workflows/keys.py",
        "_find_holder",
    ): "no key without a team or project: refused, as the action is not for projects",
    ("workflows/keys.py", "revoke"): "refused before, as the action is not for projects",
    (
        "workflows/change_sets.py",
        "_require_opener",
    ): "a project's key is compared by its project and owners before this",
    ("workflows/change_sets.py", "open_change_set"): "a change set that a project's key opens belongs to the project",
    ("workflows/webhooks.py", "create"): "no webhook without a team: refused, as the action is not for projects",
}
"""By module and function."""

RELATIONS = {
    ("graphql/viewer.py", "caller.team_id"): "`viewer.team` is null; `viewer.project` and `teams` say for whom"
}
"""Uses in the path of a relation of the schema."""


def uses_of_team(module: Path) -> Iterator[str]:
    """The names of the functions that read `actor.team_id`, or `self.team_id` in the class Actor."""
    tree = ast.parse(module.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr == "team_id" and _is_caller(node.value, module):
                yield function.name


def _is_caller(node: ast.expr, module: Path) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in CALLERS or (name == "self" and module.name == "access.py")


def test_every_use_of_the_callers_team_is_decided_for_the_key_of_a_project() -> None:
    uses = {
        (str(module.relative_to(ROOT)), function) for module in ROOT.rglob("*.py") for function in uses_of_team(module)
    }
    assert uses == USES.keys()


def test_every_relation_over_the_callers_team_is_decided_for_the_key_of_a_project() -> None:
    paths = {
        (str(module.relative_to(ROOT)), node.value)
        for module in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.endswith(".team_id")
        and node.value.partition(".")[0] in CALLERS
    }
    assert paths == RELATIONS.keys()
