"""Signed cookies: the session, the token of a sign-in form, and the message after a redirect.

The cookie of a session holds a reference to a credential, when the session ends and a random number, with a signature.
Nothing is stored on the server, so that every process with the same secret accepts it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

SESSION_COOKIE = "tessera_session"
SIGN_IN_COOKIE = "tessera_sign_in"
MESSAGE_COOKIE = "tessera_message"
MAX_COOKIE_LENGTH = 4_000


@dataclass(frozen=True)
class ConsoleSession:
    """What the cookie of a signed-in browser says. `cookie` is its text, to which the tokens of forms are bound."""

    reference: str
    expires_at: datetime
    cookie: str


class Signer:
    """Signs and verifies texts with the first of several secrets, of which each is accepted."""

    def __init__(self, session_secrets: Sequence[bytes]) -> None:
        self._secrets = session_secrets

    def create_session(self, reference: str, expires_at: datetime) -> ConsoleSession:
        """Create the session of a credential, with a cookie that differs from every earlier one."""
        content = [reference, int(expires_at.timestamp()), secrets.token_hex(8)]
        return ConsoleSession(reference, expires_at, self.seal("session", orjson.dumps(content)))

    def read_session(self, cookie: str | None, now: datetime) -> ConsoleSession | None:
        """Return the session of a cookie; None if it is missing, forged or has ended."""
        content = self.unseal("session", cookie or "")
        if content is None:
            return None
        reference, seconds, _number = orjson.loads(content)
        expires_at = datetime.fromtimestamp(seconds, UTC)
        return ConsoleSession(reference, expires_at, cookie or "") if now < expires_at else None

    def create_form_token(self, binding: str) -> str:
        """Create the token of the forms of a session, or of another cookie."""
        return self._sign(self._secrets[0], "form", binding.encode())

    def is_form_token(self, token: str, binding: str) -> bool:
        """Return whether a form was sent from a page of the same session."""
        valid_tokens = [self._sign(secret, "form", binding.encode()) for secret in self._secrets]
        return any(hmac.compare_digest(valid.encode(), token.encode()) for valid in valid_tokens)

    def seal_message(self, text: str) -> str:
        """Return the value of a cookie that holds a message for the next page."""
        return self.seal("message", text.encode())

    def unseal_message(self, cookie: str) -> str | None:
        """Return the message of a cookie; None if it is missing or forged."""
        content = self.unseal("message", cookie)
        return content.decode() if content is not None else None

    def seal(self, purpose: str, content: bytes) -> str:
        """Return the value of a cookie for one purpose, with a signature."""
        return f"{base64.urlsafe_b64encode(content).decode()}.{self._sign(self._secrets[0], purpose, content)}"

    def unseal(self, purpose: str, cookie: str) -> bytes | None:
        """Return the content of a cookie; None if it is missing, too long or forged, or for another purpose."""
        encoded, _, signature = cookie.partition(".")
        if not signature or len(cookie) > MAX_COOKIE_LENGTH:
            return None
        try:
            content = base64.urlsafe_b64decode(encoded.encode())
        except (ValueError, binascii.Error):
            return None
        signatures = [self._sign(secret, purpose, content) for secret in self._secrets]
        is_valid = any(hmac.compare_digest(valid.encode(), signature.encode()) for valid in signatures)
        return content if is_valid else None

    @staticmethod
    def _sign(secret: bytes, purpose: str, content: bytes) -> str:
        return hmac.new(secret, purpose.encode() + b"\0" + content, hashlib.sha256).hexdigest()
