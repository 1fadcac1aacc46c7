"""Templates read dictionaries by their keys, and the rendering of a long page leaves the event loop to others."""

import asyncio
import time
from collections.abc import Iterator

import jinja2
import pytest

from tessera_gql.console.rendering import SLICE_SECONDS, FastEnvironment, join_in_slices


async def test_a_long_page_is_rendered_in_slices_between_which_other_requests_run() -> None:
    finished = False
    turns = 0

    def parts() -> Iterator[str]:
        for number in range(10):
            time.sleep(SLICE_SECONDS * 1.1)
            yield str(number)

    async def count_turns() -> None:
        nonlocal turns
        while not finished:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    text = await join_in_slices(parts())
    finished = True
    await counting
    assert text == "0123456789"
    assert turns >= 10


def render(template: str, value: object) -> str:
    return FastEnvironment(undefined=jinja2.StrictUndefined).from_string(template).render(value=value)


def test_a_name_in_a_template_is_the_key_of_a_dictionary_before_its_method() -> None:
    assert render("{{ value.copy }} {{ value.name }}", {"copy": "a key", "name": "orders"}) == "a key orders"


def test_the_methods_that_templates_call_are_not_hidden_by_keys() -> None:
    template = "{{ value.get('get') }}{% for key, item in value.items() %} {{ key }}={{ item }}{% endfor %}"
    assert render(template, {"get": 1, "items": 2}) == "1 get=1 items=2"


def test_a_name_that_a_dictionary_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("{{ value.nothing }}", {"name": "orders"})


def test_other_objects_are_read_by_their_attributes() -> None:
    assert render("{{ value.real }}", 7) == "7"
