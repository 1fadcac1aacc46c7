"""Events after which a plan of a manifest still holds, because it depends on nothing that they change."""

from tessera_gql.policy.ask_events import (
    ChangeSetAcknowledgmentRequested,
    ChangeSetAnswersCarried,
    ChangeSetReminderSent,
)
from tessera_gql.policy.events import (
    ChangeSetOpened,
    ChangeSetPublished,
    ChangeSetUpdated,
    ChangeSetWithdrawn,
    ManifestSynced,
    TeamCreated,
)
from tessera_gql.policy.usage_events import UsageImported, UsageSourceCreated

INDEPENDENT_EVENTS = frozenset(
    event.kind
    for event in (
        ChangeSetAcknowledgmentRequested,
        ChangeSetAnswersCarried,
        ChangeSetOpened,
        ChangeSetPublished,
        ChangeSetReminderSent,
        ChangeSetUpdated,
        ChangeSetWithdrawn,
        ManifestSynced,
        TeamCreated,
        UsageImported,
        UsageSourceCreated,
    )
)
"""Kinds of events without an asset that change no decision. The proposals of a change set have events of their own."""
