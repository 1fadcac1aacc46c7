"""Sign in with an API key or with the login service, and sign out. No key or token is stored anywhere."""

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tessera_gql.console.forms import TOKEN_FIELD, read_form
from tessera_gql.console.login import LOGIN_COOKIE, LOGIN_MINUTES, seal_login, unseal_login
from tessera_gql.console.rendering import is_local_path, render
from tessera_gql.console.session import MAX_COOKIE_LENGTH, SESSION_COOKIE, SIGN_IN_COOKIE
from tessera_gql.console.site import SECURITY_HEADERS, Console
from tessera_gql.server.transport import Unauthenticated

SIGN_IN_SECONDS = 3_600
"""How long the form for signing in may stay open."""
MAX_KEY_LENGTH = 16_000
WRONG_KEY = "This key isn't valid here, or no longer. An administrator makes a new one with `tessera keys create`."
NO_API_KEY = "This is a token of your login service, which ends too soon for a session. Sign in with an API key."
OLD_LOGIN = "This answer of your login service belongs to no attempt of this browser, or to an old one. Sign in again."
CANCELED_LOGIN = "Your login service did not sign you in. Try again, or sign in with an API key."
LONG_NAMES = "What your login service says of you is too long for a session. Ask an administrator to shorten it."
OLD_FORM = "This form was open for too long. Send it once more."


async def show_sign_in(console: Console, request: Request) -> Response:
    """Show the form; on an open server nobody signs in."""
    path = request.query_params.get("next", "/")
    if not console.needs_sign_in:
        return RedirectResponse(console.link(""), 303, SECURITY_HEADERS)
    return await _show_form(console, request, path if is_local_path(path) else "/")


async def sign_in(console: Console, request: Request) -> Response:
    """Begin a session if the key is valid. A wrong key, whatever is wrong with it, gets one message."""
    if not console.needs_sign_in:
        return RedirectResponse(console.link(""), 303, SECURITY_HEADERS)
    form = await read_form(request, console.transport.limits)
    path = form.get("next") if is_local_path(form.get("next")) else "/"
    binding = request.cookies.get(SIGN_IN_COOKIE, "")
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if is_foreign or not binding or not console.signer.is_form_token(form.get(TOKEN_FIELD), binding):
        return await _show_form(console, request, path, OLD_FORM, 403)
    try:
        identity = await console.transport.authenticate(f"Bearer {form.get('key')[:MAX_KEY_LENGTH]}")
    except Unauthenticated:
        return await _show_form(console, request, path, WRONG_KEY, 401)
    reference = console.create_session_reference(identity)
    if reference is None:
        return await _show_form(console, request, path, NO_API_KEY, 422)
    return await _open_session(console, request, reference, path)


async def begin_login(console: Console, request: Request) -> Response:
    """Send the browser to the login service, with a cookie that binds the answer to this browser."""
    service, path = console.login_service, request.query_params.get("next", "/")
    if service is None or not console.needs_sign_in:
        return RedirectResponse(console.link("sign-in"), 303, SECURITY_HEADERS)
    attempt = await service.begin()
    cookie = seal_login(console.signer, attempt, path if is_local_path(path) else "/", console.clock())
    response = RedirectResponse(attempt.address, 303, SECURITY_HEADERS)
    console.set_cookie(request, response, LOGIN_COOKIE, cookie, LOGIN_MINUTES * 60)
    return response


async def complete_login(console: Console, request: Request) -> Response:
    """Begin the session of a person who comes back from the login service. Each attempt is good for one answer."""
    service = console.login_service
    if service is None or not console.needs_sign_in:
        return RedirectResponse(console.link("sign-in"), 303, SECURITY_HEADERS)
    pending = unseal_login(console.signer, request.cookies.get(LOGIN_COOKIE), console.clock())
    state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    if pending is None or not hmac.compare_digest(state.encode(), pending.state.encode()):
        response = await _show_form(console, request, "/", OLD_LOGIN, 403)
    elif not code or len(code) > MAX_KEY_LENGTH:
        response = await _show_form(console, request, pending.next_path, CANCELED_LOGIN, 403)
    else:
        try:
            reference = await service.complete(code, pending.verifier, pending.nonce)
            response = await _open_session(console, request, reference, pending.next_path)
        except Unauthenticated as error:
            response = await _show_form(console, request, pending.next_path, str(error), 403)
    console.delete_cookie(response, LOGIN_COOKIE)
    return response


async def _open_session(console: Console, request: Request, reference: str, path: str) -> Response:
    session = console.signer.create_session(reference, console.clock() + console.session_length)
    if len(session.cookie) > MAX_COOKIE_LENGTH:
        return await _show_form(console, request, path, LONG_NAMES, 422)
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


async def _show_form(console: Console, request: Request, path: str, error: str = "", status: int = 200) -> Response:
    """Show the form with a token that is bound to a cookie of its own, so that no other site can send it."""
    binding = secrets.token_urlsafe(24)
    values = {"next_path": path, "error": error, "form_token": console.signer.create_form_token(binding)}
    response = await render(console, request, "sign_in", values, status)
    console.set_cookie(request, response, SIGN_IN_COOKIE, binding, SIGN_IN_SECONDS)
    return response
