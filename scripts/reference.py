"""Write docs/reference and the modes in docs/compatibility.md from the code.

`--check` writes nothing and exits with 1 if a page differs from what would be written.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)
from graphql.language import print_ast
from graphql.utilities import ast_from_value

from tessera_gql.cli.commands import COMMANDS, load_command
from tessera_gql.cli.exit_codes import MEANINGS
from tessera_gql.client import AsyncTesseraClient, TesseraClient
from tessera_gql.client.methods import ClientMethod, ClientMethods
from tessera_gql.config import Settings, secrets
from tessera_gql.config.limits import LimitSettings
from tessera_gql.diff import MODE_DESCRIPTIONS, Mode, judge_everyday_changes
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.keywords.registry import KEYWORDS
from tessera_gql.diff.keywords.type import TYPE
from tessera_gql.diff.read.dialects import DIALECTS, Dialect
from tessera_gql.diff.values.json_types import ALL_TYPES, format_types

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs"
SETTINGS_TEXT = """Every setting is an environment variable, or a line in a file `.env`.
[Configuring](../configuring.md) explains files for secrets, `tessera config` and how mistakes are reported.
"""
SECRETS_TEXT = """A setting marked *secret* can also come from a file: `ADMIN_KEY_FILE` holds the path of a file with
`ADMIN_KEY`, and so on.
"""
NOTICE = "<!-- Written by `make reference`; changes made here are lost. -->\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Settings


def settings_page() -> str:
    limits = set(LimitSettings.model_fields)
    secret = set(secrets.secret_names(Settings.model_fields))
    ordinary = [_setting(name, secret) for name in Settings.model_fields if name not in limits]
    head = ("setting", "default", "meaning")
    return "\n".join(
        [
            NOTICE,
            "# Settings\n",
            SETTINGS_TEXT,
            table(head, ordinary),
            SECRETS_TEXT,
            "## Limits\n",
            "What one client may ask of a server at once. Every figure is inclusive.\n",
            table(head, [_setting(name, secret) for name in limits_in_order()]),
            "## Clients\n",
            table(
                ("variable", "meaning"),
                [
                    ("`TESSERA_URL`", "The server that the command line, the Python client and the examples call."),
                    ("`TESSERA_API_KEY`", "The key that they send."),
                    ("`TESSERA_TRACEBACK`", "`1` prints the traceback of a defect instead of one line."),
                ],
            ),
        ]
    )


def limits_in_order() -> list[str]:
    return [name for name in Settings.model_fields if name in LimitSettings.model_fields]


def _setting(name: str, secret: set[str]) -> tuple[str, str, str]:
    field = Settings.model_fields[name]
    default = field.get_default(call_default_factory=True)
    meaning = f"{field.description}{' *secret*' if name in secret else ''}"
    return f"`{name.upper()}`", _default(default), meaning


def _default(value: object) -> str:
    match value:
        case None | []:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case list():
            return f"`{','.join(map(str, value))}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


# The command line


def cli_page() -> str:
    parts = [
        NOTICE,
        "# Commands\n",
        "[The command line](../cli.md) explains exit codes, output and how a server is chosen.\n",
    ]
    for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
        parts.append(f"## {panel}\n")
        for name, entry in COMMANDS.items():
            if entry.panel == panel:
                parts += _command(f"tessera {name}", load_command(name))
    parts += [
        "## Exit codes\n",
        table(("code", "meaning"), [(str(int(code)), text) for code, text in MEANINGS.items()]),
    ]
    return "\n".join(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"### {name}\n"
    if command.help:
        yield f"{' '.join(command.help.split())}\n"
    if hasattr(command, "commands"):
        for child, subcommand in command.commands.items():
            yield from _command(f"{name} {child}", subcommand)
        return
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = [name, *(_argument(argument) for argument in arguments)]
    options = [
        parameter for parameter in command.params if parameter.param_type_name == "option" and not parameter.hidden
    ]
    if options:
        usage.append("[OPTIONS]")
    yield f"```text\n{' '.join(usage)}\n```\n"
    rows = [(f"`{_argument(argument)}`", argument.help or "") for argument in arguments]
    rows += [(f"`{_option(option)}`", option.help or "") for option in options]
    if rows:
        yield table(("", "meaning"), rows)


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().strip("[]")
    name = f"{name} ..." if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


# The Python client


def client_page() -> str:
    parts = [
        NOTICE,
        "# Python client\n",
        "Every method of `TesseraClient` and `AsyncTesseraClient`. Two stars stand for options, which have a type.\n",
        f"{inspect.getdoc(TesseraClient)}\n",
        f"{inspect.getdoc(AsyncTesseraClient)}\n",
    ]
    for name, member in vars(ClientMethods).items():
        if isinstance(member, ClientMethod):
            parts += _method(name, getattr(TesseraClient, name))
    return "\n".join(parts)


def _method(name: str, function: Callable[..., Any]) -> Iterator[str]:
    text, _, example = (inspect.getdoc(function) or "").partition("\nExample:\n")
    yield f"## {name}\n"
    parameters = inspect.signature(function).parameters.values()
    arguments = [f"**{item.name}" if item.kind is item.VAR_KEYWORD else item.name for item in parameters]
    keyword_only = next((index for index, item in enumerate(parameters) if item.kind is item.KEYWORD_ONLY), None)
    if keyword_only is not None:
        arguments.insert(keyword_only, "*")
    yield f"`{name}({', '.join(arguments)})`\n"
    yield f"{text.strip()}\n"
    yield f"```python\n{textwrap.dedent(example).strip()}\n```\n"


# The GraphQL schema

ROOT_ANCHORS = {"Query": "queries", "Mutation": "mutations", "Subscription": "subscriptions"}
KINDS: tuple[tuple[str, type[GraphQLNamedType]], ...] = (
    ("Objects", GraphQLObjectType),
    ("Interfaces", GraphQLInterfaceType),
    ("Unions", GraphQLUnionType),
    ("Inputs", GraphQLInputObjectType),
    ("Enums", GraphQLEnumType),
    ("Scalars", GraphQLScalarType),
)


def schema_page() -> str:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    roots = (
        ("Queries", schema.query_type),
        ("Mutations", schema.mutation_type),
        ("Subscriptions", schema.subscription_type),
    )
    parts = [
        NOTICE,
        "# GraphQL schema\n",
        "Every field, argument and type of the API. [For API users](../guides/api-users.md) shows how they are used.\n",
    ]
    for title, root in roots:
        if root is not None:
            parts.append(f"## {title}\n")
            for name, field in root.fields.items():
                parts += _operation(name, field)
    for title, kind in KINDS:
        types = list(_types(schema, kind, [root for _title, root in roots]))
        if types:
            parts.append(f"## {title}\n")
        for type_ in types:
            parts += _type(type_)
    return "\n".join(parts)


def _types(schema: GraphQLSchema, kind: type[GraphQLNamedType], roots: list[Any]) -> Iterator[GraphQLNamedType]:
    for name, type_ in sorted(schema.type_map.items()):
        if isinstance(type_, kind) and type_ not in roots and not name.startswith("__"):
            yield type_


def _operation(name: str, field: GraphQLField) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{_text(field)}\n"
    yield f"Returns {_link(field.type)}.\n"
    if field.args:
        yield table(("argument", "type", "meaning"), [_row(argument, value) for argument, value in field.args.items()])


def _type(type_: GraphQLNamedType) -> Iterator[str]:
    yield f'<a id="{type_.name.lower()}-type"></a>\n'
    yield f"### {type_.name}\n"
    if type_.description:
        yield f"{_text(type_)}\n"
    match type_:
        case GraphQLEnumType():
            yield table(("value", "meaning"), [(f"`{name}`", _text(value)) for name, value in type_.values.items()])
        case GraphQLUnionType():
            yield f"One of {', '.join(_link(member) for member in type_.types)}.\n"
        case GraphQLObjectType() | GraphQLInterfaceType() | GraphQLInputObjectType():
            fields: dict[str, Any] = type_.fields
            yield table(("field", "type", "meaning"), [_row(name, field) for name, field in fields.items()])
        case _:
            return


def _row(name: str, field: GraphQLField | GraphQLInputField | GraphQLArgument) -> tuple[str, str, str]:
    text = _text(field)
    if isinstance(field, GraphQLField) and field.args:
        text += f" Arguments: {', '.join(f'`{argument}`' for argument in field.args)}."
    default = getattr(field, "default_value", None)
    if default is not None and not isinstance(field, GraphQLField) and (node := ast_from_value(default, field.type)):
        text += f" By default `{print_ast(node)}`."
    return f"`{name}`", _link(field.type), text


def _link(type_: GraphQLType) -> str:
    name = get_named_type(type_).name
    before, after = str(type_).split(name)
    anchor = ROOT_ANCHORS.get(name, f"{name.lower()}-type")
    return f"{_escaped(before)}[{name}](#{anchor}){_escaped(after)}"


def _escaped(text: str) -> str:
    return text.replace("[", "\\[").replace("]", "\\]")


def _text(node: Any) -> str:
    text = " ".join((node.description or "").split())
    if reason := getattr(node, "deprecation_reason", None):
        text += f" **Deprecated**: {reason}"
    return text


# The compatibility modes

MODES_PAGE = ROOT / "docs/compatibility.md"
MODES_START = "<!-- modes: written by `make reference`; changes made here are lost. -->\n"
MODES_END = "<!-- end of modes -->"


def compatibility_page() -> str:
    """The page as it is, with its part about the modes written anew."""
    start, remainder = MODES_PAGE.read_text().split(MODES_START)
    _modes, end = remainder.split(MODES_END)
    descriptions = table(("mode", "meaning"), [(f"`{mode}`", text) for mode, text in MODE_DESCRIPTIONS.items()])
    verdicts = table(
        ("change", *(f"`{mode}`" for mode in Mode)),
        [
            (verdict.title, *("**breaks**" if mode in verdict.breaks else "ok" for mode in Mode))
            for verdict in judge_everyday_changes()
        ],
    )
    return f"{start}{MODES_START}\n{descriptions}\n{verdicts}\n{MODES_END}{end}"


# The keywords of JSON Schema

KEYWORDS_TEXT = """The keywords of JSON Schema that `tessera diff` and the server compare, in the drafts 4 to 2020-12. A
keyword that a draft does not define is an annotation there. Keywords that begin with `x-` are annotations.
"""


def keywords_page() -> str:
    rows = [_keyword(name, record) for record in KEYWORDS for name in record.names]
    head = ("keyword", "restricts", "drafts", "meaning")
    return "\n".join([NOTICE, "# Keywords\n", KEYWORDS_TEXT, table(head, rows)])


def _keyword(name: str, record: Keyword) -> tuple[str, str, str, str]:
    drafts = _drafts([dialect for dialect in DIALECTS if name in dialect.shapes])
    return f"`{name}`", _restricted_types(record), drafts, record.description


def _restricted_types(record: Keyword) -> str:
    if record is TYPE or record.constrained_types == ALL_TYPES:
        return "every type"
    return f"`{format_types(record.constrained_types)}`" if record.constrained_types else "nothing"


def _drafts(dialects: list[Dialect]) -> str:
    if len(dialects) in (0, len(DIALECTS)):
        return "all"
    first, last = dialects[0], dialects[-1]
    if first is last:
        return first.name
    return f"from {first.name}" if last is DIALECTS[-1] else f"{first.name} to {last.name}"


PAGES = {
    "reference/settings.md": settings_page,
    "reference/cli.md": cli_page,
    "reference/client.md": client_page,
    "reference/schema.md": schema_page,
    "reference/keywords.md": keywords_page,
    "compatibility.md": compatibility_page,
}


def stale_pages() -> list[str]:
    """The pages that differ from what would be written."""
    return [
        name
        for name, page in PAGES.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != page().rstrip() + "\n"
    ]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        stale = stale_pages()
        for name in stale:
            print(f"docs/{name} is not fresh: run `make reference`")
        return 1 if stale else 0
    (FOLDER / "reference").mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page().rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
