"""Print what the compatibility modes mean, and which everyday changes break in each."""

from tessera_gql.cli.terminal import StyledText, print_entry, print_json, print_line
from tessera_gql.diff import MODE_DESCRIPTIONS, Mode, judge_everyday_changes

GAP = "  "


def format_verdict(*, breaks: bool, width: int = 0) -> StyledText:
    return ("breaks".ljust(width), "red") if breaks else ("ok".ljust(width), "green")


def print_mode_table(*, as_json: bool) -> None:
    verdicts = judge_everyday_changes()
    if as_json:
        changes = [{"change": verdict.title, "breaks": sorted(verdict.breaks)} for verdict in verdicts]
        print_json({"modes": {mode.value: text for mode, text in MODE_DESCRIPTIONS.items()}, "changes": changes})
        return
    for mode, text in MODE_DESCRIPTIONS.items():
        print_entry((mode.value, "bold"), text, width=max(map(len, Mode)))
    modes_that_break = frozenset[Mode]().union(*(verdict.breaks for verdict in verdicts))
    widths = {mode: max(len(mode), len("breaks")) if mode in modes_that_break else len(mode) for mode in Mode}
    title_width = max(len(verdict.title) for verdict in verdicts)
    print_line()
    print_line((GAP.join([" " * title_width, *(mode.value.ljust(width) for mode, width in widths.items())]), "bold"))
    for verdict in verdicts:
        cells = [format_verdict(breaks=mode in verdict.breaks, width=width) for mode, width in widths.items()]
        print_line(verdict.title.ljust(title_width), *(part for cell in cells for part in (GAP, cell)))
