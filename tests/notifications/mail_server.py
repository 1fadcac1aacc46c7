"""A mail server on a loopback port that keeps what it receives, and refuses as configured."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"


@dataclass
class MailServer:
    """What was received; `refusals` has the reply to a recipient or, under `DATA`, to a message."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[list[str]] = field(default_factory=list[list[str]])
    was_encrypted: list[bool] = field(default_factory=list[bool])
    users: list[str] = field(default_factory=list[str])
    refusals: dict[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if reply := self.refusals.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay)
        if reply := self.refusals.get("DATA"):
            return reply
        content = cast("bytes", envelope.content)
        self.received.append(cast("EmailMessage", message_from_bytes(content, policy=policy.default)))  # type: ignore[arg-type]
        self.recipients.append([*envelope.rcpt_tos])
        self.was_encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, *arguments: Any) -> AuthResult:
        login: LoginPassword = arguments[-1]
        is_right = login.password == b"right"
        self.users.append(login.login.decode())
        return AuthResult(success=is_right, handled=is_right)


def create_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for localhost; returns the contexts of the server and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "server.pem", folder / "server.key"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path, key_path)
    return server, ssl.create_default_context(cafile=str(path))


@asynccontextmanager
async def mail_server(
    context: ssl.SSLContext | None = None, *, is_implicit: bool = False, needs_login: bool = False
) -> AsyncGenerator[MailServer]:
    """Serve SMTP: with STARTTLS if there is a context, or TLS from the first byte."""
    server = MailServer()
    options: dict[str, Any] = {"hostname": HOST, "enable_SMTPUTF8": False}
    if context is not None and not is_implicit:
        options |= {"tls_context": context, "require_starttls": True}
    if needs_login:
        options |= {
            "authenticator": server.authenticate,
            "auth_required": True,
            "auth_require_tls": context is not None and not is_implicit,
        }

    def create_protocol() -> SMTP:
        with warnings.catch_warnings():  # signing in without STARTTLS is what some tests are about
            warnings.simplefilter("ignore")
            return SMTP(server, **options)

    loop = asyncio.get_running_loop()
    listener = await loop.create_server(create_protocol, HOST, 0, ssl=context if is_implicit else None)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
