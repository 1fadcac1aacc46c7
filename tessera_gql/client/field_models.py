"""Models of the fields of an asset with the changes that added and changed them, and of labels."""

from datetime import datetime

from tessera_gql.client.base_model import Model
from tessera_gql.client.enums import FieldChangeKind, LabelOrigin
from tessera_gql.client.models import AssetSummary, TeamSummary


class PublishedVersion(Model):
    """A contract, as the history of a field names it."""

    id: str
    version: str
    published_by: TeamSummary


class CausingProposal(Model):
    """The proposal that a contract was published from."""

    id: str
    reason: str | None


class FieldChange(Model):
    """A change of a field from one contract to the next; an empty `path` stands for all fields of the first one."""

    id: str
    kind: FieldChangeKind
    path: str
    previous_path: str | None
    message: str
    changed_at: datetime
    contract: PublishedVersion
    proposal: CausingProposal | None


class AssetField(Model):
    """A field of the active contract, with the change that added it and the latest one."""

    path: str
    type: str
    required: bool
    nullable: bool
    description: str | None
    reader_count: int
    added_in: FieldChange | None
    last_changed_in: FieldChange | None


class AssetLabel(Model):
    """A label of an asset, and who gave it."""

    name: str
    origin: LabelOrigin


class LabeledAsset(AssetSummary):
    """An asset with its labels."""

    labels: tuple[AssetLabel, ...]
