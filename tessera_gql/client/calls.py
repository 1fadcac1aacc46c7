"""Checks of a call before anything is sent: the names of its options, and its required arguments."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

from tessera_gql.client.errors import InvalidCall


def check_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise InvalidCall for an option that the function does not have, or a missing or surplus argument."""
    check_option_names(f"{function.__name__}()", kwargs, _find_option_names(function))
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise InvalidCall(f"{function.__name__}(): {error}.") from None


def check_option_names(subject: str, names: Iterable[str], option_names: Iterable[str]) -> None:
    """Raise InvalidCall, with the nearest name, for a name that is not known."""
    options = tuple(option_names)
    for name in names:
        if name not in options:
            longer_or_shorter = [item for item in options if name.startswith(item) or item.startswith(name)]
            nearest = longer_or_shorter or get_close_matches(name, options, n=1, cutoff=0.5)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else f"It has {', '.join(options)}."
            raise InvalidCall(f"{subject} has no option {name!r}. {hint}")


@cache
def _find_option_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters, and those of the TypedDict of the keyword arguments."""
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            names += get_args(parameter.annotation)[0].__annotations__
        else:
            names.append(parameter.name)
    return tuple(names)
