"""Models of ask policies: the time to answer, reminders, and the meaning of silence."""

from datetime import datetime

from tessera_gql.client.base_model import Model
from tessera_gql.client.enums import AssetTier, OnSilence


class AskPolicy(Model):
    """What an ask about an asset of the tier gives; `updated_at` is None for a default.

    `require_coverage_days` are those that reads must cover of what nobody is asked about; None demands none.
    """

    tier: AssetTier
    due_days: int
    remind_days_before: tuple[int, ...]
    escalate_after_days: int | None
    on_silence: OnSilence
    silence_means: str
    require_coverage_days: int | None = None
    updated_at: datetime | None
    row_version: int
