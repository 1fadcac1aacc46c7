"""Another way to the same end: an edit of the new schema, offered only when comparing again shows it does not break."""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple, cast

from tessera_gql.diff.changes import ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.json import Json
from tessera_gql.diff.judge import Judged
from tessera_gql.diff.schema import Words
from tessera_gql.diff.view import View, type_names

K = ChangeKind
Compare = Callable[[object, object], SchemaDiff]
Told = tuple[ChangeKind, str]
MAX_SCHEMAS = 500


class Proposal(NamedTuple):
    """Set `word` in the schema at `at` to the value (None: drop it)."""

    sentence: str
    at: str
    word: str
    value: Json


def hint(judged: Judged, others: set[Told], old: object, new: object, compare: Compare) -> str | None:
    """For a change that breaks BACKWARD; `others` break beside it and may go on doing so."""
    spot = judged.spot
    proposal = None if spot is None else _proposal(judged, spot.old, spot.new)
    if proposal is None or Mode.BACKWARD not in judged.breaks:
        return None
    edited = deepcopy(new)
    schema = _at(edited, proposal.at)
    if schema is None:
        return None
    if proposal.value is None:
        schema.pop(proposal.word, None)
    else:
        schema[proposal.word] = proposal.value
    again = {(change.kind, change.path) for change in compare(old, edited).breaking(Mode.BACKWARD)}
    return proposal.sentence if again <= others - {(judged.draft.kind, judged.path)} else None


def _proposal(judged: Judged, old: View, new: View) -> Proposal | None:
    draft, node = judged.draft, new.schemas[0]
    word = draft.pointer.rpartition("/")[2]
    match draft.kind:
        case K.PROPERTY_REMOVED | K.PROPERTY_RENAMED:
            return _kept(judged, old, new)
        case K.REQUIRED_ADDED | K.PROPERTY_ADDED if draft.name in new.required:
            holder = new.required[draft.name]
            names: list[Json] = [name for name in holder.required if name != draft.name]
            return Proposal(f"Leave {draft.name} optional.", holder.at, "required", names or None)
        case K.TYPE_NARROWED | K.TYPE_CHANGED | K.NULLABLE_REMOVED:
            names = [*type_names(old.types | new.types)]
            return Proposal(f"Accept both: {', '.join(map(str, names))}.", node.at, "type", names)
        case K.ENUM_VALUES_REMOVED if old.enum is not None and new.enum is not None:
            values: list[Json] = [*(old.enum | new.enum).values()]
            return Proposal("Keep the old values among those allowed.", node.at, "enum", values)
        case K.CONSTRAINT_TIGHTENED if word in node.words and not isinstance(draft.before, dict | bool):
            kept = f"Keep {word} as it was: {draft.before}." if draft.before is not None else f"Leave {word} out."
            return Proposal(kept, node.at, word, draft.before)
        case K.DEFAULT_REMOVED:
            return Proposal("Keep the default.", node.at, "default", draft.before)
        case _:
            return None


def _kept(judged: Judged, old: View, new: View) -> Proposal | None:
    draft, node = judged.draft, new.schemas[0]
    name = str(draft.before) if draft.kind is K.PROPERTY_RENAMED else draft.name
    if name is None or name not in old.properties:
        return None
    raw = old.properties[name][0].properties[name]
    properties = cast("Json", {**node.properties, name: raw})
    return Proposal(f"Keep {name} and mark it deprecated until nobody reads it.", node.at, "properties", properties)


def _at(raw: object, at: str) -> dict[str, object] | None:
    for escaped in at.split("/")[1:]:
        token = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(raw, dict):
            raw = cast("Words", raw).get(token)
        elif isinstance(raw, list):
            raw = cast("list[object]", raw)[int(token)]
    return cast("Words", raw) if isinstance(raw, dict) else None
