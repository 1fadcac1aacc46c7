"""The routes of the console: pages, forms and static files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, cast
from urllib.parse import quote, urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tessera_gql.console.actions import ACTIONS
from tessera_gql.console.event_export import export_events
from tessera_gql.console.form_action import FormAction, IssuedSecret
from tessera_gql.console.forms import TOKEN_FIELD, InvalidForm, SentForm, read_form
from tessera_gql.console.live import create_live_route
from tessera_gql.console.page_errors import PageError, is_for_form, missing_page, to_page_error
from tessera_gql.console.pages import PAGES, ConsolePage
from tessera_gql.console.rendering import RefusedForm, is_local_path, render, request_path
from tessera_gql.console.session import MESSAGE_COOKIE, SESSION_COOKIE
from tessera_gql.console.sign_in import begin_login, complete_login, show_sign_in, sign_in, sign_out
from tessera_gql.console.site import SECURITY_HEADERS, Console, Visitor
from tessera_gql.server.http_errors import HttpError
from tessera_gql.server.operations import Reply, build_exception_reply
from tessera_gql.server.transport import Unauthenticated

Respond: TypeAlias = Callable[[Console, Request], Awaitable[Response]]

STATIC_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
IMMUTABLE = "public, max-age=31536000, immutable"
MESSAGE_SECONDS = 60
FIRST_FAILURE = 500
"""The first HTTP status that says that the server failed, not the request."""
MAX_MESSAGE_LENGTH = 600
OLD_FORM = (
    "This form is not from a page of your present session, so nothing was changed. Go back, load the page again, and"
    " send it once more."
)


def create_console_routes(console: Console) -> list[BaseRoute]:
    """Create all routes of the console."""

    def route(path: str, respond: Respond, method: str) -> Route:
        return Route(path, _guard(console, respond), methods=[method])

    return [
        route("/sign-in", show_sign_in, "GET"),
        route("/sign-in", sign_in, "POST"),
        route("/sign-in/start", begin_login, "GET"),
        route("/sign-in/callback", complete_login, "GET"),
        route("/sign-out", _sign_out, "POST"),
        create_live_route(console),
        Route("/console/static/{version}/{name}", partial(_respond_static, console), methods=["GET"]),
        route("/audit/export", export_events, "GET"),
        route(PAGES["what_if"].path, _ask_what_if, "POST"),
        *(route(action.path, partial(_run_action, action), "POST") for action in ACTIONS),
        *(route(page.path, partial(_show_page, page), "GET") for page in PAGES.values()),
    ]


def _guard(console: Console, respond: Respond) -> Callable[[Request], Awaitable[Response]]:
    """Turn the errors of a route into pages, and a missing session into the page for signing in."""

    async def respond_or_explain(request: Request) -> Response:
        try:
            return await respond(console, request)
        except Unauthenticated:
            return _redirect_to_sign_in(console, request)
        except PageError as error:
            return await _show_error(console, request, error)
        except HttpError as error:
            unreadable = PageError(error.status, "This can't be read", str(error), error.headers)
            return await _show_error(console, request, unreadable)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - an internal failure is masked and logged
            return await _show_error(console, request, to_page_error(build_exception_reply(console.transport, error)))

    return respond_or_explain


def _redirect_to_sign_in(console: Console, request: Request) -> Response:
    path = request_path(console, request) if request.method == "GET" else "/"
    response = RedirectResponse(f"{console.link('sign-in')}?{urlencode({'next': path})}", 303, SECURITY_HEADERS)
    if SESSION_COOKIE in request.cookies:
        console.delete_cookie(response, SESSION_COOKIE)
    return response


async def _show_error(console: Console, request: Request, error: PageError, form: SentForm | None = None) -> Response:
    """Show an error; with a form that failed also what was typed into it, to be sent again."""
    values = {"title": error.title, "text": str(error), "status": error.status, "form": form}
    response = await render(console, request, "error", values, error.status)
    response.headers.update(error.headers)
    return response


async def _show_page(page: ConsolePage, console: Console, request: Request) -> Response:
    visitor = await console.identify(request)
    return await _run_page(page, console, request, visitor)


async def _run_page(
    page: ConsolePage, console: Console, request: Request, visitor: Visitor, additions: Mapping[str, Any] | None = None
) -> Response:
    """Run the query of a page and render its template, with a refused form that keeps what was typed, or a secret."""
    variables = page.find_variables(request.path_params, request.query_params, console.clock())
    reply = await console.run("pages", page.name, variables, visitor)
    return await _render_page(page, console, request, visitor, reply, additions or {})


async def _render_page(
    page: ConsolePage, console: Console, request: Request, visitor: Visitor, reply: Reply, additions: Mapping[str, Any]
) -> Response:
    if errors := [error for error in reply.get("errors", ()) if not _is_optional(page, error)]:
        raise to_page_error({"errors": errors})
    data: dict[str, Any] = reply["data"]
    if page.subject is not None and data[page.subject] is None:
        raise missing_page()
    values = {"data": data, "viewer": data["viewer"], "visitor": visitor, "form_token": visitor.form_token}
    refusal: RefusedForm | None = additions.get("refusal")
    status = refusal.status if refusal else 200
    return await render(console, request, page.name, {**values, **additions}, status)


def _is_optional(page: ConsolePage, error: Mapping[str, Any]) -> bool:
    """Return whether an error only says that the caller may not read a part that the page can leave out."""
    path = error.get("path") or [None]
    return error["extensions"]["code"] == "FORBIDDEN" and path[0] in page.optional


async def _read_own_form(console: Console, request: Request) -> SentForm:
    """Read a form that was sent from a page of the caller's session. Raises PageError for any other."""
    if (form := getattr(request.state, "form", None)) is not None:
        return cast("SentForm", form)
    form = await read_form(request, console.transport.limits)
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if is_foreign or not console.signer.is_form_token(form.get(TOKEN_FIELD), console.find_binding(request)):
        raise PageError(403, "This form is too old", OLD_FORM)
    request.state.form = form
    return form


async def _sign_out(console: Console, request: Request) -> Response:
    await _read_own_form(console, request)
    return sign_out(console)


async def _run_action(action: FormAction, console: Console, request: Request) -> Response:
    """Run a form. If the server fails, such as when its database is away, the page keeps what was typed."""
    try:
        return await _carry_out(action, console, request)
    except (Unauthenticated, HttpError, ClientDisconnect):
        raise
    except PageError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - an internal failure is masked and logged
        failure = to_page_error(build_exception_reply(console.transport, error))
    if failure.status < FIRST_FAILURE:
        raise failure
    form = await _read_own_form(console, request)
    return await _show_error(console, request, failure, form)


async def _carry_out(action: FormAction, console: Console, request: Request) -> Response:
    """Run the mutation of a form, then redirect to the page it came from; show a refusal on that page."""
    visitor = await console.identify(request)
    form = await _read_own_form(console, request)
    try:
        values = action.read_input(request.path_params, form)
        reply = await console.run("actions", action.name, {"input": values}, visitor)
        refusal = _find_refusal(reply, form)
    except InvalidForm as error:
        refusal, reply = RefusedForm(form, [str(error)]), {}
    page = PAGES[_find_page(action, form)]
    if refusal is not None:
        return await _run_page(page, console, request, visitor, {"refusal": refusal})
    payload = reply["data"]["result"]
    message = action.describe_result(payload)[:MAX_MESSAGE_LENGTH]
    if action.find_secret is not None and (secret := action.find_secret(payload)) is not None:
        return await _show_secret(page, console, request, visitor, form, message, secret)
    response = RedirectResponse(_find_return_path(console, request, action, form), 303, SECURITY_HEADERS)
    console.set_cookie(request, response, MESSAGE_COOKIE, console.signer.seal_message(message), MESSAGE_SECONDS)
    return response


async def _show_secret(  # noqa: PLR0913, PLR0917 - what the page shows
    page: ConsolePage,
    console: Console,
    request: Request,
    visitor: Visitor,
    form: SentForm,
    message: str,
    secret: IssuedSecret,
) -> Response:
    """Show a secret in the reply itself: in no cookie and in no address. Loading the page again shows it no more."""
    path = form.get("next")
    issued = {"message": message, "value": secret.value, "purpose": secret.purpose}
    own_path = path if is_local_path(path) else _fill_path(page.path, request.path_params)
    return await _run_page(page, console, request, visitor, {"issued": issued, "page_path": own_path})


def _find_refusal(reply: Reply, form: SentForm) -> RefusedForm | None:
    """Return why the API refused a mutation, or None. Raises PageError for a failure of the server."""
    payload = (reply.get("data") or {}).get("result")
    if payload is None and not is_for_form(reply):
        raise to_page_error(reply)
    codes = {
        error["message"]: error["code"] if payload is not None else error["extensions"]["code"]
        for error in (reply["errors"] if payload is None else payload["errors"])
    }
    return RefusedForm(form, [*codes], 403 if "FORBIDDEN" in codes.values() else 422) if codes else None


def _find_page(action: FormAction, form: SentForm) -> str:
    """Return which of its pages a form was sent from."""
    name = form.get("page")
    return name if name in action.pages else action.pages[0]


def _find_return_path(console: Console, request: Request, action: FormAction, form: SentForm) -> str:
    """Return the address of the page that a form was sent from."""
    path = form.get("next")
    if is_local_path(path):
        return console.public_path + path
    return console.public_path + _fill_path(PAGES[_find_page(action, form)].path, request.path_params)


def _fill_path(path: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


async def _ask_what_if(console: Console, request: Request) -> Response:
    """Show the impact of a pasted schema, or of leaving columns out, which writes nothing, beside its form."""
    visitor = await console.identify(request)
    form = await _read_own_form(console, request)
    page = PAGES["what_if"]
    fields = form.get_all("fields")
    if fields:
        change: dict[str, Any] = {"withoutFields": fields}
    elif form.get("text"):
        change = {"document": {"format": form.get("format"), "text": form.get("text")}}
    else:
        refusal = RefusedForm(form, ["Paste the schema first, or choose columns on the page of the asset."])
        return await _run_page(page, console, request, visitor, {"refusal": refusal})
    variables = page.find_variables(request.path_params, request.query_params, console.clock())
    reply = await console.run("pages", page.name, variables | change | {"asks": True}, visitor)
    if is_for_form(reply):
        refusal = RefusedForm(form, [error["message"] for error in reply["errors"]])
        return await _run_page(page, console, request, visitor, {"refusal": refusal})
    return await _render_page(page, console, request, visitor, reply, {"refusal": RefusedForm(form, [], 200)})


async def _respond_static(console: Console, request: Request) -> Response:
    """Send a static file. Its address has a hash of the content, so that a browser keeps it for good."""
    name = request.path_params["name"]
    if (content := console.static_files.get(name)) is None:
        return Response("There is no such file.", 404, SECURITY_HEADERS, "text/plain")
    is_current = request.path_params["version"] == console.static_version
    headers = {**SECURITY_HEADERS, "Cache-Control": IMMUTABLE if is_current else "no-store"}
    return Response(content, 200, headers, STATIC_TYPES[name.rpartition(".")[2]])
