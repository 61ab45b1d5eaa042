"""What the command line prints of examinations: figures, both halves, the comparison, failures."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flows.show import console

_SHOWN = 20


def examination(values: dict[str, Any]) -> None:
    """An examination as `tasks.evaluate.answers.report` tells it."""
    ended = "" if values["finished"] else ", not ended"
    console.print(
        f"{values['name']}: {values['model']}, strategy {values['strategy']}, "
        f"examination {values['id']}{ended}",
        markup=False,
    )
    table = Table("measure", "mean", "95 % interval", "items", box=None)
    for name, one in values["measures"].items():
        low, high = one["interval"]
        table.add_row(name, f"{one['value']:.3f}", f"{low:.3f} to {high:.3f}", f"{one['items']:,}")
    console.print(table)
    if any(values["halves"].values()):
        halves = Table("an expected document was", "right", "wrong", box=None)
        for state in ("shown", "not shown"):
            counts = (values["halves"][f"{state}, {outcome}"] for outcome in ("right", "wrong"))
            halves.add_row(state, *(f"{count:,}" for count in counts))
        console.print(halves)
    if values["advice"]:
        console.print(values["advice"], style="bold", markup=False)
    if values["against"]:
        _comparison(values["against"])
    for one in values["failures"][:_SHOWN]:
        line = Text(f"{one['half']}: ", style="yellow").append(one["question"], style="cyan")
        console.print(line, soft_wrap=True)
        console.print(f"    {one['missing']}", markup=False, soft_wrap=True)
    if len(values["failures"]) > _SHOWN:
        console.print(f"… and {len(values['failures']) - _SHOWN:,} more: --json")
    for one in values["unanswered"][:_SHOWN]:
        line = Text("no answer: ", style="red").append(one["question"], style="cyan")
        console.print(line.append(f": {one['reason']}"), soft_wrap=True)
    for one in values["unjudged"][:_SHOWN]:
        line = Text("no verdict: ", style="red").append(one["question"], style="cyan")
        console.print(line.append(f": {one['reason']}"), soft_wrap=True)
    if values["unanswered"]:
        console.print(f"{len(values['unanswered']):,} have no answer yet: run it again.")


def _comparison(other: dict[str, Any]) -> None:
    console.print(
        f"against examination {other['id']}, {other['model']}, {other['strategy']}:", markup=False
    )
    table = Table("measure", "difference", "95 % interval", "p", "higher", "lower", box=None)
    for name, one in other["measures"].items():
        low, high = one["interval"]
        table.add_row(
            escape(name),
            f"{one['difference']:+.3f}",
            f"{low:+.3f} to {high:+.3f}",
            f"{one['p']:.4f}",
            f"{one['higher']:,}",
            f"{one['lower']:,}",
        )
    console.print(table)
    if judged := other["preference"]:
        console.print(
            "{judge} prefers these answers: {value:.3f} ({0:.3f} to {1:.3f}), {win:,} wins, "
            "{tie:,} ties, {loss:,} losses".format(*judged["interval"], **judged),
            markup=False,
        )
