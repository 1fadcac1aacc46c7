"""The stored documents are valid, and the static files small and of this origin."""

import re

import pytest

from tessera_gql.config import Profile
from tessera_gql.console.actions import ACTIONS
from tessera_gql.console.documents import FOLDER, DocumentKind, list_documents, load_document
from tessera_gql.console.pages import EVENT_GROUPS, PAGES
from tessera_gql.executor import core_schema
from tessera_gql.graphql.schema import schema
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.limits import Limits

KINDS: tuple[DocumentKind, ...] = ("pages", "actions", "subscriptions", "downloads")
DOCUMENTS = [(kind, name) for kind in KINDS for name in list_documents(kind)]
FILES = sorted((FOLDER / "static").iterdir())


@pytest.fixture(scope="module")
def cache() -> DocumentCache:
    return DocumentCache(core_schema(schema), Limits(), Profile.LOCKED)


@pytest.mark.parametrize(("kind", "name"), DOCUMENTS)
def test_each_document_is_one_valid_operation_within_the_limits_of_clients(
    cache: DocumentCache, kind: DocumentKind, name: str
) -> None:
    prepared = cache.prepare(load_document(kind, name))
    assert isinstance(prepared, Operation), prepared


def test_each_page_and_each_form_has_a_document_of_its_name() -> None:
    assert set(list_documents("pages")) == set(PAGES)
    assert set(list_documents("actions")) == {action.name for action in ACTIONS}
    templates = {path.stem for path in (FOLDER / "templates").glob("[!_]*.html")}
    assert templates == {*PAGES, "error", "sign_in"}


def test_the_groups_of_events_name_kinds_that_exist() -> None:
    kinds = core_schema(schema).type_map["EventKind"]
    names = [name for group in EVENT_GROUPS.values() for name in group]
    assert set(names) <= set(kinds.values)  # type: ignore[attr-defined] # an enum
    assert len(names) == len(set(names))


def test_the_static_files_together_have_less_than_100_kilobytes() -> None:
    assert sum(path.stat().st_size for path in FILES) < 100_000


@pytest.mark.parametrize("path", [*FILES, *(FOLDER / "templates").iterdir()], ids=lambda path: path.name)
def test_no_file_refers_to_another_host_or_has_inline_script_or_style(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined] # a path
    assert not re.search(r"(?:src|href|url\()=?[\"']?(?:https?:)?//", text)
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=[\"'{]|<script(?![^>]*\bsrc=)|\|safe\b|javascript:", text)
