"""Recognition of the global ids of the API: `Type:UUID` in base64."""

import base64
import binascii
import re

GLOBAL_ID = re.compile(rb"([A-Z][A-Za-z]+):[0-9a-f-]{36}")


def is_global_id(text: str, type_name: str) -> bool:
    """Return whether the text is the global id of an object of this GraphQL type."""
    return _decode(text).startswith(f"{type_name}:".encode())


def read_id_type(text: str) -> str | None:
    """Return the type of the object that the text is a global id of, in lower case; None if it is none."""
    match = GLOBAL_ID.fullmatch(_decode(text))
    return re.sub(r"(?<!^)(?=[A-Z])", " ", match[1].decode()).lower() if match else None


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode())
    except (ValueError, binascii.Error):
        return b""
