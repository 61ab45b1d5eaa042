"""What `openbook advise` prints for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.show import console
from tasks.advise.page import dollars, number, price

if TYPE_CHECKING:
    from tasks.advise.assumptions import Assumption
    from tasks.advise.thresholds import Threshold


def advice(values: dict[str, Any]) -> None:
    """The recommendation, its criteria, what fails, the costs, what is next and what turns it."""
    if values["recommendation"] is None:
        console.print("There is nothing to judge by yet. These would measure something:")
        for command in dict.fromkeys(one["command"] for one in values["missing"]):
            console.print(f"  {command}", markup=False)
        return
    console.print(
        f"[bold]{values['recommendation']}[/bold] · confidence {values['confidence']} "
        f"({values['certainty']:.0%} of the worlds that the figures allow agree)"
    )
    if values["overruled"]:
        console.print(f"  {values['overruled']}", markup=False)
    if values["unassigned"]["says"]:
        console.print(f"  {values['unassigned']['says']}", markup=False)
    _criteria([one for one in values["criteria"] if one["figure"]["value"] is not None])
    for one in values["failures"]:
        mended = ", ".join(one["mended_by"]) or "?"
        console.print(
            f"{one['count']:>7,} answers: {one['says']} (mended by {mended})", markup=False
        )
    _mended(values["mended_by"])
    _costs(values["costs"])
    _latency(values["latency"])
    if values["missing"]:
        console.print("Not known, and what measures it:")
    unknown: dict[str, list[str]] = {}
    for one in values["missing"]:
        unknown.setdefault(one["command"], []).append(one["says"])
    for command, criteria in unknown.items():
        console.print(Padding(Text(f"whether {', whether '.join(criteria)}:"), (0, 0, 0, 2)))
        console.print(Padding(Text(command, style="cyan"), (0, 0, 0, 6)))
    if values["next_actions"]:
        console.print("Next:")
    for place, one in enumerate(values["next_actions"], 1):
        console.print(
            f" {place}. {one['do']}: {one['command']} "
            f"({price(one['usd'])}, {one['hours']:g} h)\n"
            f"    {one['why']}",
            markup=False,
        )
    if values["flips"]:
        console.print("What would change it:")
    for one in values["flips"]:
        word = "if" if one["if_it_holds"] else "unless"
        console.print(f"  {word} {one['says']}: {one['recommendation']}", markup=False)


def assumed(found: Mapping[str, Assumption], limits: Mapping[str, Threshold]) -> None:
    """What `--assume` overrides: names with the values that hold, their origin and meaning."""
    rows = [(name, one.value, one.origin, one.meaning) for name, one in found.items()]
    rows += [(name, limit.value, "threshold", limit.source) for name, limit in limits.items()]
    for name, value, origin, meaning in rows:
        console.print(Text(name, style="cyan").append(f"={number(value)} ({origin})", style=""))
        console.print(Padding(Text(meaning, style="dim"), (0, 0, 0, 4)))


def _criteria(found: list[dict[str, Any]]) -> None:
    table = Table("criterion", "figure", "threshold", "points to", box=None)
    for one in found:
        limit = f"{one['relation']} {number(one['threshold'])}"
        table.add_row(one["says"], _figure(one["figure"]), limit, one["points_to"] or "?")
    console.print(table)


def _figure(figure: dict[str, Any]) -> str:
    reach = figure["interval"]
    between = f" ({number(reach[0])} to {number(reach[1])})" if reach else ""
    return f"{number(figure['value'])} {figure['unit']}{between}"


def _mended(ways: dict[str, Any]) -> None:
    shares = [
        f"{way} {_figure({**one, 'unit': ''}).replace('  (', ' (')}"
        for way, one in ways.items()
        if one["value"]
    ]
    if shares:
        count = max(one["n"] for one in ways.values())
        console.print(
            f"  Of the {count:,} failures whose kind is known could be mended, with the 95 %"
            f" interval, by {', '.join(shares)}",
            markup=False,
        )


def _latency(halves: dict[str, Any]) -> None:
    known = [f"{half} {number(one['value'])} ms" for half, one in halves.items()
             if one["value"] is not None]  # fmt: skip
    unknown = [half for half, one in halves.items() if one["value"] is None]
    said = "Latency, median: " + ", ".join(known or ["not known"])
    if unknown:
        said += f"; {halves[unknown[0]]['measured_by']} measures {' and '.join(unknown)}"
    console.print(said, markup=False)


def _costs(found: dict[str, Any]) -> None:
    table = Table("strategy", "tokens a question", "$ per 1,000", "$ a year", box=None)
    for name, one in found["strategies"].items():
        table.add_row(
            name,
            f"{one['input_tokens']:,.0f} + {one['output_tokens']:,.0f}",
            "not known" if one["usd_per_query"] is None else f"{one['usd_per_query'] * 1000:,.2f}",
            dollars(one["usd_a_year"]),
        )
    console.print(table)
    for one in found["break_even"]:
        console.print(
            f"  from {one['queries_per_day']:,.0f} questions a day on, {one['cheaper']} is cheaper "
            f"than {one['other']}",
            markup=False,
        )
