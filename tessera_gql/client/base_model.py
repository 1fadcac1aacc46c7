"""Base class of the SDK's models, and the GraphQL selection built from a model's fields."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

KEY_ATTRIBUTE = "_idempotency_key"


class Model(BaseModel):
    """Immutable value parsed from a response. Unknown fields are ignored, so that newer servers stay compatible."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )

    @property
    def idempotency_key(self) -> str | None:
        """The key with which the mutation that returned this object was sent; None for any other object.

        It is not a field: neither comparisons nor dumps contain it.
        """
        key: str | None = self.__dict__.get(KEY_ATTRIBUTE)
        return key

    def with_idempotency_key(self, key: str) -> Self:
        """Return a copy with the key of its mutation."""
        copy = self.model_copy()
        vars(copy)[KEY_ATTRIBUTE] = key
        return copy


M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class FieldSelection:
    """How to select a field that needs arguments, or whose value is wrapped in another object."""

    arguments: str = ""
    wrapper: str = ""


def _unwrap_nodes(value: Any) -> Any:
    return cast("dict[str, Any]", value)["nodes"] if isinstance(value, dict) else value


NODES = BeforeValidator(_unwrap_nodes)
"""Reads a connection as its nodes. Use it together with `FieldSelection(wrapper="nodes")`."""


def build_selection(model: type[Model]) -> str:
    """Build the GraphQL selection of a model's fields, without the surrounding braces."""
    return " ".join(_iter_fields(model))


def _iter_fields(model: type[Model]) -> Iterator[str]:
    for field in model.model_fields.values():
        option = next((item for item in field.metadata if isinstance(item, FieldSelection)), FieldSelection())
        nested = _find_nested_model(field)
        inner = f" {{ {build_selection(nested)} }}" if nested else ""
        wrapped = f" {{ {option.wrapper}{inner} }}" if option.wrapper else inner
        yield f"{field.alias}{option.arguments}{wrapped}"


def _find_nested_model(field: FieldInfo) -> type[Model] | None:
    """Find the model in an annotation such as `Model`, `Model | None` or `tuple[Model, ...]`."""
    annotation: Any = field.annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Model):
            return candidate
    return None
