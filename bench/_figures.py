"""A figure of a benchmark, with its target and the verdict on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MAX_SPREAD = 0.3
"""Largest spread, as a fraction of the median, at which a target inside the spread can be judged."""


@dataclass(frozen=True)
class Figure:
    """A figure with its value in each round. Without a target it is informative."""

    label: str
    values: Sequence[float]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        low, high, middle = min(self.values), max(self.values), median(self.values)
        if high - low > MAX_SPREAD * middle and self._meets(low) != self._meets(high):
            return "INCONCLUSIVE"
        return "PASS" if self._meets(middle) else "FAIL"

    def _meets(self, figure: float) -> bool:
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)

    @property
    def target(self) -> float | None:
        return self.at_least if self.at_most is None else self.at_most

    @property
    def target_text(self) -> str:
        return "" if self.target is None else f"{'≥' if self.at_most is None else '≤'} {self.target:g}"

    def cells(self) -> tuple[str, str, str, str, str]:
        spread = (
            f"{format_figure(min(self.values))} to {format_figure(max(self.values))}" if len(self.values) > 1 else ""
        )
        value = f"{format_figure(median(self.values))} {self.unit}".strip()
        return self.label, value, spread, self.target_text, self.verdict


def format_figure(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
