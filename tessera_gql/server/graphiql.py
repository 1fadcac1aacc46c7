"""The pages of a server with the open profile: GraphiQL with its static files, and the redirect to it."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(__file__).parents[1] / "web"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " connect-src 'self' ws: wss:; img-src 'self' data:; font-src 'self' data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers that forbid the pages to load resources of other origins."""


class PageFiles(StaticFiles):
    """Static files with the security headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(SECURITY_HEADERS)
        return response


def create_page_routes() -> list[BaseRoute]:
    """Create the routes `/`, `/graphiql` and `/static`."""
    files = PageFiles(directory=WEB)

    async def graphiql(request: Request) -> Response:
        return await files.get_response("graphiql.html", request.scope)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/graphiql", headers=SECURITY_HEADERS)

    return [Route("/", home), Route("/graphiql", graphiql), Mount("/static", files)]
