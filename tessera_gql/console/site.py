"""The console of one server: its settings, its transport, and what every request of it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from tessera_gql.config import Settings
from tessera_gql.console.documents import DocumentKind, load_document
from tessera_gql.console.login import LoginService
from tessera_gql.console.session import SESSION_COOKIE, SIGN_IN_COOKIE, ConsoleSession, Signer
from tessera_gql.server.documents import Operation, PrepareResult
from tessera_gql.server.limits import Limits
from tessera_gql.server.operations import Reply, run_operation
from tessera_gql.server.transport import Identity, Transport, Unauthenticated

STATIC_FOLDER = Path(__file__).parent / "static"
STANDARD = Limits()
PAGE_COST = 500
"""What a page counts at most for the limit RATE_LIMIT_COST of its caller."""
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every page: nothing inline, nothing of another origin, nothing cached."""


@dataclass(frozen=True, eq=False)
class Visitor:
    """The caller of one request, with its session; without one the server is open or the caller has not signed in."""

    identity: Identity
    session: ConsoleSession | None
    form_token: str


@dataclass(frozen=True, eq=False)
class Console:
    """The console of one server, with the callbacks that `app` binds."""

    server_transport: Transport
    identify_session: Callable[[str], Awaitable[Identity]]
    """Resolves the reference of a session to an identity. Raises Unauthenticated."""
    create_session_reference: Callable[[Identity], str | None]
    session_secrets: Sequence[bytes]
    needs_sign_in: bool
    clock: Callable[[], datetime]
    session_length: timedelta = timedelta(hours=12)
    public_path: str = ""
    is_public_https: bool = False
    has_graphiql: bool = False
    login_service: LoginService | None = None
    version: str = ""
    static_files: Mapping[str, bytes] = field(
        default_factory=lambda: {path.name: path.read_bytes() for path in sorted(STATIC_FOLDER.iterdir())}
    )

    @cached_property
    def signer(self) -> Signer:
        return Signer(self.session_secrets)

    @cached_property
    def transport(self) -> Transport:
        """The server's transport, whose limits for documents of clients don't apply to the stored ones.

        A page counts for the rate limit with PAGE_COST at most: its lists are bounded and seldom full, and a limit that
        is small for clients must not lock people out.
        """
        limits = replace(
            self.server_transport.limits,
            depth=STANDARD.depth,
            cost=STANDARD.cost,
            aliases=STANDARD.aliases,
            directives=STANDARD.directives,
            overlaps=STANDARD.overlaps,
            tokens=STANDARD.tokens,
            page=STANDARD.page,
            default_page=STANDARD.default_page,
            list_length=STANDARD.list_length,
        )
        return replace(self.server_transport, limits=limits, charge_rate_limit=self._charge_rate_limit)

    def _charge_rate_limit(self, identity: Identity, operation: Operation) -> dict[str, Any]:
        return self.server_transport.charge_rate_limit(
            identity, replace(operation, cost=min(operation.cost, PAGE_COST))
        )

    @cached_property
    def static_version(self) -> str:
        """A hash of all static files, which is part of their addresses."""
        return hashlib.sha256(b"\0".join(self.static_files.values())).hexdigest()[:12]

    def link(self, *segments: str) -> str:
        """Return the address of a page below the public path, with each segment quoted."""
        return f"{self.public_path}/{'/'.join(quote(segment, safe='') for segment in segments)}"

    def static_link(self, name: str) -> str:
        return self.link("console", "static", self.static_version, name)

    async def identify(self, request: Request) -> Visitor:
        """Return the caller of a request. Raises Unauthenticated without a session, or if its credential has ended."""
        if not self.needs_sign_in:
            identity = await self.identify_session("")
            return Visitor(identity, None, self.signer.create_form_token(""))
        session = self.signer.read_session(request.cookies.get(SESSION_COOKIE), self.clock())
        if session is None:
            raise Unauthenticated("Sign in to see this page.")
        identity = await self.identify_session(session.reference)
        return Visitor(identity, session, self.signer.create_form_token(session.cookie))

    def find_binding(self, request: Request) -> str:
        """Return the cookie to which the tokens of this browser's forms are bound; empty on an open server."""
        if not self.needs_sign_in:
            return ""
        return request.cookies.get(SESSION_COOKIE) or request.cookies.get(SIGN_IN_COOKIE) or "none"

    def prepare(self, kind: DocumentKind, name: str, variables: Mapping[str, Any]) -> PrepareResult:
        return self.transport.document_cache.prepare(load_document(kind, name), dict(variables))

    async def run(self, kind: DocumentKind, name: str, variables: Mapping[str, Any], visitor: Visitor) -> Reply:
        """Execute a stored document with the rights of the caller."""
        return await run_operation(self.transport, self.prepare(kind, name, variables), visitor.identity)

    def set_cookie(self, request: Request, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie that scripts can't read and other sites don't send."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self.public_path or "/",
            secure=self.is_public_https or request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def delete_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path=self.public_path or "/", httponly=True, samesite="lax")


def create_console(
    settings: Settings,
    transport: Transport,
    identify_session: Callable[[str], Awaitable[Identity]],
    create_session_reference: Callable[[Identity], str | None],
    clock: Callable[[], datetime],
    login_service: LoginService | None = None,
) -> Console:
    """Create the console that the settings describe."""
    return Console(
        server_transport=transport,
        identify_session=identify_session,
        create_session_reference=create_session_reference,
        session_secrets=settings.session_secrets,
        needs_sign_in=settings.needs_keys,
        clock=clock,
        session_length=timedelta(hours=settings.console_session_hours),
        public_path=settings.public_path,
        is_public_https=settings.is_public_https,
        has_graphiql=settings.has_open_profile,
        login_service=login_service,
        version=metadata.version("tessera-gql"),
    )
