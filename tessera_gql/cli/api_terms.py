"""Messages of the API in the terms of the command line: commands for mutations, options for input fields."""

import re
from collections.abc import Mapping, Sequence

COMMAND_TERMS: Mapping[str, str] = {
    "Send the header `Authorization: Bearer KEY`. ": "",
    "createTeam": "`tessera team create`",
    "teams(filter:)": "`tessera team list`",
    "createAsset": "`tessera asset create`",
    "assets(filter:)": "`tessera asset list`",
    "proposals(filter:)": "`tessera proposals`",
    "createProject": "`tessera project create`",
    "projects(filter:)": "`tessera project list`",
    "List changeSets(filter:) to find it": "`tessera change-set list --all` lists them all",
    "`change_sets()`": "`tessera change-set list --all`",
    "`teams()`": "`tessera team list`",
    "`assets()`": "`tessera asset list`",
    "`projects()`": "`tessera project list`",
    "`proposals()`": "`tessera proposals`",
    "List the debts of a team or an asset": "Call `tessera debts`",
    "List an asset's registrations": "Call `tessera asset show`",
    "Change it with updateRegistration": "Change it with --change",
    "publish again with `supersede`": "publish again with --supersede",
    "Leave `fields` out": "Leave --field out",
    "`owner`, a team for them, or set `createTeams`": "--owner, a team for them, or set --create-teams",
    "answer APPROVED": "acknowledge with APPROVED",
    "unarchiveAsset": "`tessera asset unarchive`",
    "unarchiveTeam": "`tessera team unarchive`",
    "proposeRetirement asks": "`tessera retire` asks",
    "usageSources": "`tessera usage sources`",
    "createUsageSource": "`tessera usage create-source`",
    "say which team acts": "say with --team which team acts",
    "in `notes`": "in --notes",
    " Leave `expiresAt` out for the days of the asset's policy": " Give another --until",
    "`from` is later than `to`": "--from is later than --to",
    "`to` is ": "--to is ",
    "`dueDays`": "--due",
    "`remindDaysBefore`": "--remind",
    "`escalateAfterDays`": "--escalate",
    "`requireCoverageDays`": "--require-coverage-days",
    "or null to demand nothing": "or 0 to demand nothing",
    "Use proposeRetirement": "Use `tessera retire`",
    "mapPrincipal": "`tessera usage map`",
    "import whole logs with `from` and `to`": "import whole logs with --from and --to",
    "To waive coverage needs a reason:": "To waive coverage needs a --reason:",
    "Give another `until`": "Give another --until",
    "List `inboxGroups`": "Call `tessera inbox`",
    "migrationDeadline": "deadline of the migration",
    "`publishWhenApproved` and `requireExplicitPublish`": "--when-approved and --explicit",
    "The intent ASK publishes nothing, so `force` contradicts it. Use RELEASE, or leave the option out": (
        "--ask publishes nothing, so --force contradicts it. Leave one of them out"
    ),
    "The intent ASK publishes nothing, so `publishWhenApproved` contradicts it. Use RELEASE, or leave the option out": (
        "--ask publishes nothing, so --when-approved contradicts it. Leave one of them out"
    ),
    "Publishing by force needs a reason:": "Publishing by force needs a --reason:",
    "leave `replacement` out": "leave --replacement out",
    "again with `supersede`": "again with --supersede",
    "Give `consumerAsset`": "Give --consumer",
    "principalRules": "`tessera usage rules`",
    "with updateProject": "with `tessera project update`",
    "List the proposals of the change set.": "`tessera change-set show` lists its proposals.",
    "Use the `id` of a Debt as an answer gives it": "`tessera debts` lists the ids",
    "in `after` is not the cursor": "in --after is not the cursor",
    "use a `cursor` that you got": "use one that `tessera watch --json` printed",
    "set `replaceAnswers` to give all of them another answer": "give all of them another answer with --replace",
    "what `except` leaves out": "what --except leaves out",
    "leave `retireRemoved` and `createTeams` out": "leave --retire-removed and --create-teams out",
    "Give `team`, or": "Give --team, or",
    "Leave `scopes` out": "Leave --scope out",
    "`usageSource`": "--usage-source",
    "A key acts for its own team only. Use a key of that team.": (
        "A key acts for its own team only. Leave --team out, or use a key of the team that it names."
    ),
    "The body is larger than": "what is sent is larger than",
    "This id is of type": "The id is of type",
    "but the id of a Debt is expected here": "but that of a debt is expected. `tessera debts` lists the ids",
    "can't answer in its own place. Name another team": (
        "can't answer in its own place. Name another team with --delegate or --escalation"
    ),
    "Import it with the format ": "Import it with --format ",
    "Look at the asset for an open one": "`tessera proposals` lists those that are open",
    "Say which with `part`": "Say which with --part",
    "and its SQL dialect if it is not standard SQL": "and with --dialect its SQL dialect if it is not standard SQL",
    "There is no SQL dialect": "--dialect: there is no SQL dialect",
    "The sunset ": "--sunset: the moment ",
    "The migrationDeadline ": "The deadline of the migration, ",
    "Give another moment.": "Give another date with --until or --migrate-until.",
    "A dbt manifest may be larger when it is sent as a file of a multipart/form-data request": (
        "Shorten the schema, or publish it as several assets"
    ),
    "`expiresAt` has passed": "The end of the key has passed",
    "updateWebhook": "`tessera webhook update`",
    "redeliverWebhook": "`tessera webhook redeliver`",
    "List webhooks to find it": "`tessera webhook list` lists them",
    "`rotateSecret`": "--rotate",
    "and `token`": "and --token",
    "Leave `kinds` out": "Leave --kind out, or give --all-kinds",
    "Give it as `token`": "Set TESSERA_CHANNEL_TOKEN, or type it when asked",
    "with apiKeys or `tessera keys list`": "with `tessera keys list`",
}
"""Terms of the API, as messages write them, with those of the commands."""
OPTION_PATTERN = re.compile(r"`\w+` \((?P<option>--[\w-]+[^()]*)\)")
"""An input field with the option of the command behind it, as in `owner` (--owner)."""
OWNER_FIELD = "owner"
RESOURCE_TYPES = ("TABLE", "VIEW", "MODEL", "SOURCE", "SEED", "SNAPSHOT", "TOPIC", "FILE", "API", "EXPOSURE", "OTHER")
RESOURCE_TYPE_PATTERN = re.compile(r"resourceType: Value '(?P<value>[^']*)' does not exist.*", re.DOTALL)
TERM_PATTERN = re.compile("|".join(map(re.escape, COMMAND_TERMS)))
VARIABLE_PATTERN = re.compile(
    r"Variable '\$\w+' has invalid value at \.?(?P<path>[\w.\[\]]+): (?P<problem>.*)", re.DOTALL
)
UNKNOWN_FIELD_PATTERN = re.compile(r"not to include unknown field '(?P<field>\w+)'|Cannot query field '(?P<name>\w+)'")


def to_command_terms(message: str, field: Sequence[str] = ()) -> str:
    """Reword a message of the API for the reader of a command; `field` is the path of the invalid input."""
    if match := UNKNOWN_FIELD_PATTERN.search(message):
        return (
            f"The server does not know `{match['field'] or match['name']}`: its version is older than that of this"
            " command. Update the server, or use the command of its version."
        )
    if match := VARIABLE_PATTERN.fullmatch(message):
        message = f"{match['path']}: {match['problem']}"
    if match := RESOURCE_TYPE_PATTERN.fullmatch(message):
        return f"--type {match['value']} is no kind of asset. Use one of {', '.join(RESOURCE_TYPES)}."
    message = OPTION_PATTERN.sub(r"\g<option>", message)
    message = TERM_PATTERN.sub(lambda match: COMMAND_TERMS[match[0]], message)
    return message.replace("with --team which", "with --owner which") if OWNER_FIELD in field[-1:] else message
