"""The declaration of a setting, with its default and description."""

from typing import Any

from pydantic import Field


def setting(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a setting; the constraints are those of pydantic, such as `ge` for a minimum."""
    return Field(default, description=description, **constraints)
