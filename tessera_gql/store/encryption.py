"""Encryption of secrets at rest with AES-256-GCM, bound to the row that holds the secret, with rotatable keys.

The same keys sign the anchors of the event log.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = "v1"
SIGNING_PURPOSE = b"tessera event anchors"


class UnreadableSecret(Exception):  # noqa: N818 - a state of the stored secret
    """A stored secret can't be decrypted; the message gives the reason and what to do."""


def parse_key(text: str) -> bytes:
    """Decode a key as `openssl rand -base64 32` prints it. The error never quotes the key."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("A key must be 32 random bytes in base64. Make one with `openssl rand -base64 32`.")
    return key


def key_id(key: bytes) -> str:
    """Derive a name of a key that does not reveal it."""
    return hashlib.sha256(b"tessera secrets key\0" + key).hexdigest()[:12]


@dataclass(frozen=True)
class Keyring:
    """The keys that encrypt secrets, newest first: the first encrypts, all of them decrypt.

    Without keys secrets are stored in plain text, which is refused if keys are required.
    """

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    is_required: bool = False

    @classmethod
    def parse(cls, keys: Sequence[str], *, is_required: bool) -> "Keyring":
        """Parse the keys of the setting SECRETS_KEY; raise ValueError for a bad one."""
        return cls(tuple(map(parse_key, keys)), is_required)

    def encrypt(self, secret: str, owner: str) -> str:
        """Encrypt with the newest key. Only the same `owner` can decrypt the result."""
        key, nonce = self.keys[0], secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, secret.encode(), owner.encode())
        return f"{VERSION}:{key_id(key)}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, ciphertext: str, owner: str) -> str:
        """Raise UnreadableSecret if the key is missing, or the ciphertext was changed or belongs to another owner."""
        _, name, encoded = ciphertext.split(":")
        key = next((key for key in self.keys if key_id(key) == name), None)
        if key is None:
            raise UnreadableSecret(
                f"it is encrypted with the key {name}, which SECRETS_KEY of this server does not hold."
                " Add that key to SECRETS_KEY, or make a new secret with updateWebhook and `rotateSecret`"
            )
        try:
            sealed = base64.b64decode(encoded, validate=True)
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise UnreadableSecret(
                "what is stored was changed, or belongs to another webhook."
                " Make a new secret with updateWebhook and `rotateSecret`"
            ) from None

    def is_current(self, ciphertext: str) -> bool:
        """Return whether the newest key encrypted the secret."""
        return bool(self.keys) and ciphertext.split(":")[1] == key_id(self.keys[0])

    def sign(self, content: bytes) -> str:
        """Sign with a key that is derived from the newest one."""
        return _sign(self.keys[0], content)

    def find_signature_fault(self, content: bytes, signature: str) -> str | None:
        """Return why a signature is not that of the content by one of the keys; None if it is."""
        name = signature.split(":")[1] if signature.count(":") == 2 else "unknown"
        key = next((key for key in self.keys if key_id(key) == name), None)
        if key is None:
            return f"it is signed with the key {name[:12]}, which SECRETS_KEY does not hold"
        is_valid = hmac.compare_digest(_sign(key, content).encode(), signature.encode())
        return None if is_valid else "its signature does not fit what it says"


def _sign(key: bytes, content: bytes) -> str:
    derived_key = hmac.digest(key, SIGNING_PURPOSE, hashlib.sha256)
    return f"{VERSION}:{key_id(key)}:{hmac.digest(derived_key, content, hashlib.sha256).hex()}"
