"""Sign in with an API key, and sign out. The key is never stored, neither in the browser nor on the server."""

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tessera_gql.console.forms import TOKEN_FIELD, read_form
from tessera_gql.console.rendering import is_local_path, render
from tessera_gql.console.session import SESSION_COOKIE, SIGN_IN_COOKIE
from tessera_gql.console.site import SECURITY_HEADERS, Console
from tessera_gql.server.transport import Unauthenticated

SIGN_IN_SECONDS = 3_600
"""How long the form for signing in may stay open."""
MAX_KEY_LENGTH = 16_000
WRONG_KEY = "This key isn't valid here, or no longer. An administrator makes a new one with `tessera keys create`."
NO_API_KEY = "This is a token of your login service, which ends too soon for a session. Sign in with an API key."
OLD_FORM = "This form was open for too long. Send it once more."


async def show_sign_in(console: Console, request: Request) -> Response:
    """Show the form; on an open server nobody signs in."""
    path = request.query_params.get("next", "/")
    if not console.needs_sign_in:
        return RedirectResponse(console.link(""), 303, SECURITY_HEADERS)
    return _show_form(console, request, path if is_local_path(path) else "/")


async def sign_in(console: Console, request: Request) -> Response:
    """Begin a session if the key is valid. A wrong key, whatever is wrong with it, gets one message."""
    if not console.needs_sign_in:
        return RedirectResponse(console.link(""), 303, SECURITY_HEADERS)
    form = await read_form(request, console.transport.limits)
    path = form.get("next") if is_local_path(form.get("next")) else "/"
    binding = request.cookies.get(SIGN_IN_COOKIE, "")
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if is_foreign or not binding or not console.signer.is_form_token(form.get(TOKEN_FIELD), binding):
        return _show_form(console, request, path, OLD_FORM, 403)
    try:
        identity = await console.transport.authenticate(f"Bearer {form.get('key')[:MAX_KEY_LENGTH]}")
    except Unauthenticated:
        return _show_form(console, request, path, WRONG_KEY, 401)
    reference = console.create_session_reference(identity)
    if reference is None:
        return _show_form(console, request, path, NO_API_KEY, 422)
    session = console.signer.create_session(reference, console.clock() + console.session_length)
    response = RedirectResponse(console.public_path + path, 303, SECURITY_HEADERS)
    seconds = int(console.session_length.total_seconds())
    console.set_cookie(request, response, SESSION_COOKIE, session.cookie, seconds)
    console.delete_cookie(response, SIGN_IN_COOKIE)
    return response


def sign_out(console: Console) -> Response:
    """End the session in this browser."""
    response = RedirectResponse(console.link("sign-in"), 303, SECURITY_HEADERS)
    console.delete_cookie(response, SESSION_COOKIE)
    return response


def _show_form(console: Console, request: Request, path: str, error: str = "", status: int = 200) -> Response:
    """Show the form with a token that is bound to a cookie of its own, so that no other site can send it."""
    binding = secrets.token_urlsafe(24)
    values = {"next_path": path, "error": error, "form_token": console.signer.create_form_token(binding)}
    response = render(console, request, "sign_in", values, status)
    console.set_cookie(request, response, SIGN_IN_COOKIE, binding, SIGN_IN_SECONDS)
    return response
