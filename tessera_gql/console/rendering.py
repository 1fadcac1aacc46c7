"""Render the templates of the console; every value is escaped."""

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tessera_gql.console.documents import FOLDER
from tessera_gql.console.event_export import MAX_EXPORTED
from tessera_gql.console.formatting import (
    break_name,
    collect_team_names,
    find_due_tone,
    find_sign,
    format_coming_day,
    format_day,
    format_json,
    format_relative,
    format_term,
    format_total,
    format_type,
    format_utc,
    list_team_names,
    mark_terms,
    pair_asked_teams,
    pair_hurt_teams,
    shorten,
    split_fqn,
)
from tessera_gql.console.forms import IDEMPOTENCY_FIELD, KEY_FIELD, TOKEN_FIELD, TYPED_FIELDS, SentForm
from tessera_gql.console.lineage import draw_lineage
from tessera_gql.console.pages import ASSET_TIERS, EVENT_GROUPS, UNUSED_AFTER
from tessera_gql.console.session import MESSAGE_COOKIE
from tessera_gql.console.site import SECURITY_HEADERS, Console
from tessera_gql.formats.lineage_svg import abbreviate_team, assign_team_classes, choose_team_class

SLICE_SECONDS = 0.005
"""Duration of rendering after which other requests have their turn."""
DICT_METHODS = frozenset({"get", "items", "values"})
"""The methods of dictionaries that templates call, also if a dictionary has a key of that name."""


class FastEnvironment(jinja2.Environment):
    """Looks a name up as a key first, since nearly all objects of a page are dictionaries; Jinja as an attribute."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj and attribute not in DICT_METHODS:
            return obj[attribute]
        return super().getattr(obj, attribute)


ENVIRONMENT = FastEnvironment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
FILTERS: dict[str, Any] = ENVIRONMENT.filters
FILTERS.update(
    utc=format_utc,
    initials=abbreviate_team,
    split_fqn=split_fqn,
    break_name=break_name,
    shorten=shorten,
    type_text=format_type,
    json_text=format_json,
    term=format_term,
    mark_terms=mark_terms,
    team_names=collect_team_names,
    asked_teams=pair_asked_teams,
    hurt_teams=pair_hurt_teams,
    total=format_total,
)
PAGE: ContextVar[SimpleNamespace] = ContextVar("PAGE")
"""The variables of the page that is rendered, for macros, whose module is loaded once and not for each page.

Measured: with a module of macros for each page, 1,300 objects in cycles were left for the garbage collector, which
stopped every twentieth page for 50 ms.
"""
GLOBALS: dict[str, Any] = ENVIRONMENT.globals
GLOBALS.update(
    current_page=PAGE.get,
    find_sign=find_sign,
    token_field=TOKEN_FIELD,
    key_field=KEY_FIELD,
    idempotency_field=IDEMPOTENCY_FIELD,
    create_idempotency_key=partial(secrets.token_urlsafe, 12),
    event_groups=[*EVENT_GROUPS],
    asset_tiers=ASSET_TIERS,
    unused_days=UNUSED_AFTER.days,
    max_exported=MAX_EXPORTED,
    typed_fields=TYPED_FIELDS,
)


@dataclass(frozen=True)
class RefusedForm:
    """A form that was not carried out, for the page that shows it again with what was typed."""

    form: SentForm
    messages: list[str]
    status: int = 422

    @property
    def key(self) -> str:
        """The key of the form among those of its page."""
        return self.form.get(KEY_FIELD)


async def render(
    console: Console, request: Request, template: str, values: Mapping[str, Any], status: int = 200
) -> Response:
    """Render a page, with the message that an earlier form left for it."""
    now, refusal = console.clock(), values.get("refusal")
    classes = assign_team_classes(list_team_names(values.get("data")))
    message = console.signer.unseal_message(request.cookies.get(MESSAGE_COOKIE, ""))

    def find_team_class(name: str) -> str:
        return classes.get(name) or choose_team_class(name)

    context = {
        "console": console,
        "link": console.link,
        "static": console.static_link,
        "page_path": find_page_path(console, request, refusal),
        "query_with": partial(_encode_query, request),
        "query": request.query_params,
        "hue": find_team_class,
        "draw_lineage": partial(draw_lineage, link=console.link, fold=partial(_fold, request), team_classes=classes),
        "now": now,
        "relative": partial(format_relative, now=now),
        "day": partial(format_day, now=now),
        "days_from_now": partial(format_coming_day, now),
        "due_tone": partial(find_due_tone, now=now),
        "message": message,
        "viewer": None,
        "visitor": None,
        "form_token": "",
        "refusal": refusal,
        "issued": None,
        **values,
    }
    token = PAGE.set(SimpleNamespace(**context))
    try:
        text = await join_in_slices(ENVIRONMENT.get_template(f"{template}.html").generate(context))
    finally:
        PAGE.reset(token)
    response = HTMLResponse(text, status, SECURITY_HEADERS)
    if message is not None:
        console.delete_cookie(response, MESSAGE_COOKIE)
    return response


async def join_in_slices(parts: Iterator[str]) -> str:
    """Join the parts of a page, and let other requests have the loop between them: a long page takes 30 ms."""
    text, slice_end = [], time.monotonic() + SLICE_SECONDS
    for part in parts:
        text.append(part)
        if time.monotonic() > slice_end:
            await asyncio.sleep(0)
            slice_end = time.monotonic() + SLICE_SECONDS
    return "".join(text)


def request_path(console: Console, request: Request) -> str:
    """Return the path and query of a request as a person's browser has them, without the public path."""
    path = request.url.path
    if console.public_path and path.startswith(f"{console.public_path}/"):
        path = path[len(console.public_path) :]
    return f"{path}?{request.url.query}" if request.url.query else path


def find_page_path(console: Console, request: Request, refusal: RefusedForm | None) -> str:
    """Return the path of the page to which its forms lead back, also if a form was refused."""
    if refusal is None or request.method != "POST":
        return request_path(console, request)
    path = refusal.form.get("next")
    return path if is_local_path(path) else "/"


def _encode_query(request: Request, changes: Mapping[str, str]) -> str:
    """Encode the query of the page with changed parameters."""
    return urlencode({**request.query_params, **changes})


def _fold(request: Request, side: str, fqn: str) -> str:
    """Return the address of the page that unfolds an asset on a side of the lineage, or folds it if it is unfolded."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] in ("up", "down")]
    remaining = [pair for pair in pairs if pair != (side, fqn)]
    if len(remaining) == len(pairs):
        remaining.append((side, fqn))
    return f"?{urlencode(remaining)}#picture"


def is_local_path(path: str) -> bool:
    """Return whether a path leads to this server only, so that a redirect to it is safe."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and path.isprintable()
        and path.isascii()
        and len(path) <= 2_000
    )
