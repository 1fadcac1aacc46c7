"""Documents of the search: which terms of a team, an asset with its contract, and a proposal are found.

A document has five parts of terms. A term bears the mark of its part, so that one index serves searches in all parts
and in some. Each row of a table gives some columns of a document: `columns_of` takes the values that are written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Any

from tessera_gql.policy.enums import ContractStatus, ProposalStatus
from tessera_gql.policy.search_terms import list_terms, split_terms

MAX_COLUMNS = 1_000
"""Columns of a contract that are searched; those that follow are not found."""
MAX_DEPTH = 6
MAX_TITLE_LENGTH = 200
MAX_LINE_LENGTH = 200


class SearchPart(StrEnum):
    """The part of a document in which a word is found, the most significant first."""

    NAME = "NAME"
    COLUMN = "COLUMN"
    LABEL = "LABEL"
    CONTRACT = "CONTRACT"
    DESCRIPTION = "DESCRIPTION"


MARKS: Mapping[SearchPart, str] = {
    SearchPart.NAME: "n",
    SearchPart.COLUMN: "c",
    SearchPart.LABEL: "l",
    SearchPart.CONTRACT: "k",
    SearchPart.DESCRIPTION: "d",
}
PARTS_BY_MARK = {mark: part for part, mark in MARKS.items()}

Columns = dict[str, Any]
EMPTY: Columns = {"names": "", "columns": "", "labels": "", "body": "", "lines": ""}
"""The parts of a document without any terms."""


def mark_terms(part: SearchPart, texts: Iterable[str]) -> str:
    """Return the distinct terms of the texts with the mark of the part, as they are stored."""
    mark = MARKS[part]
    return " ".join(dict.fromkeys(mark + term for text in texts for term in list_terms(text)))


def to_title(text: str) -> str:
    """Return a name as its terms, by which it is sorted and found whatever its separators."""
    return " ".join(split_terms(text))[:MAX_TITLE_LENGTH]


def _name_columns(name: str, leaf: str) -> Columns:
    return {"title": to_title(name), "leaf": to_title(leaf), "names": mark_terms(SearchPart.NAME, [name])}


def _of_team(values: Mapping[str, Any]) -> Columns:
    columns = _name_columns(values["name"], values["name"]) if "name" in values else {}
    return columns | _archived(values)


def _of_asset(values: Mapping[str, Any]) -> Columns:
    columns: Columns = {}
    if "fqn" in values:
        columns |= _name_columns(values["fqn"], values["fqn"].rpartition(".")[2])
    if "description" in values:
        columns["body"] = mark_terms(SearchPart.DESCRIPTION, [values["description"] or ""])
    if "owner_team_id" in values:
        columns["owner_team_id"] = values["owner_team_id"]
    if "tier" in values:
        columns["tier"] = str(values["tier"] or "NORMAL")
    if "labels" in values:
        columns["labels"] = mark_terms(SearchPart.LABEL, values["labels"])
    return columns | _archived(values)


def _archived(values: Mapping[str, Any]) -> Columns:
    return {"is_current": values["archived_at"] is None} if "archived_at" in values else {}


def _of_proposal(values: Mapping[str, Any]) -> Columns:
    columns: Columns = {}
    if "status" in values:
        columns["is_current"] = ProposalStatus(values["status"]).is_open
    if "breaking_changes" in values:
        changes = values["breaking_changes"][:MAX_COLUMNS]
        lines = [(str(item.get("path", "")), str(item.get("message", ""))) for item in changes]
        columns |= _with_lines(lines, [])
    if "reason" in values or "proposed_version" in values:
        version = [f"{values['proposed_version']}"] if values.get("proposed_version") else []
        columns["body"] = " ".join(
            filter(
                None,
                (
                    mark_terms(SearchPart.CONTRACT, version),
                    mark_terms(SearchPart.DESCRIPTION, [values.get("reason") or ""]),
                ),
            )
        )
    return columns


def columns_of_contract(values: Mapping[str, Any]) -> Columns:
    """Return the columns of an asset's document that its contract gives; those of a retired one are empty."""
    if values["status"] is not ContractStatus.ACTIVE:
        return {"columns": "", "lines": ""}
    schema = values["schema_def"]
    own = [str(schema.get(key, "")) for key in ("title", "description")] if isinstance(schema, dict) else []
    return _with_lines([*islice(_list_columns(schema, "", 0), MAX_COLUMNS)], [values["version"], *own])


def _with_lines(lines: list[tuple[str, str]], contract_texts: list[str]) -> Columns:
    """Return the terms of columns and their descriptions, and the lines from which a hit is explained."""
    parts = (
        mark_terms(SearchPart.COLUMN, (path for path, _ in lines)),
        mark_terms(SearchPart.CONTRACT, contract_texts),
        mark_terms(SearchPart.DESCRIPTION, (text for _, text in lines)),
    )
    texts = [*((path, text[:MAX_LINE_LENGTH]) for path, text in lines), *(("", text) for text in contract_texts)]
    return {
        "columns": " ".join(filter(None, parts)),
        "lines": "\n".join(f"{_one_line(path)}\t{_one_line(text)}" for path, text in texts if path or text),
    }


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _list_columns(schema: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the path and the description of each property, also in objects and in items of arrays."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        inner = f"{path}.{name}" if path else str(name)
        yield inner, str(part.get("description", "")) if isinstance(part, dict) else ""
        yield from _list_columns(part, inner, depth + 1)
    yield from _list_columns(schema.get("items"), path, depth + 1)


_COLUMNS_OF: Mapping[str, Callable[[Mapping[str, Any]], Columns]] = {
    "Team": _of_team,
    "Asset": _of_asset,
    "Proposal": _of_proposal,
}
SEARCHED_TYPES = tuple(_COLUMNS_OF)
"""The types with documents of their own; a contract is a part of its asset's document."""


def columns_of(type_name: str, values: Mapping[str, Any]) -> Columns:
    """Return the columns of a document that follow from these values of a row; none if they are not searched."""
    return _COLUMNS_OF[type_name](values)
