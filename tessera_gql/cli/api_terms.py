"""Messages of the API in the terms of the command line: commands for mutations, options for input fields."""

import re
from collections.abc import Mapping

COMMAND_TERMS: Mapping[str, str] = {
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
    "Change it with updateRegistration": "End it with `tessera unregister`, then register again",
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
    " Leave `expiresAt` out for the days of the asset's policy": " Give an earlier --until",
    "`from` is later": "--from is later",
    "`to` is ": "--to is ",
    "`dueDays`": "--due",
    "`remindDaysBefore`": "--remind",
    "`escalateAfterDays`": "--escalate",
    "Give another `until`": "Give another --until",
    "List `inboxGroups`": "Call `tessera inbox`",
    "migrationDeadline": "deadline of the migration",
}
"""Terms of the API, as messages write them, with those of the commands."""
TERM_PATTERN = re.compile("|".join(map(re.escape, COMMAND_TERMS)))
VARIABLE_PATTERN = re.compile(
    r"Variable '\$\w+' has invalid value at \.?(?P<path>[\w.\[\]]+): (?P<problem>.*)", re.DOTALL
)
UNKNOWN_FIELD_PATTERN = re.compile(r"not to include unknown field '(?P<field>\w+)'|Cannot query field '(?P<name>\w+)'")


def to_command_terms(message: str) -> str:
    """Reword a message of the API for the reader of a command."""
    if match := UNKNOWN_FIELD_PATTERN.search(message):
        return (
            f"The server does not know `{match['field'] or match['name']}`: its version is older than that of this"
            " command. Update the server, or use the command of its version."
        )
    if match := VARIABLE_PATTERN.fullmatch(message):
        message = f"{match['path']}: {match['problem']}"
    return TERM_PATTERN.sub(lambda match: COMMAND_TERMS[match[0]], message)
