"""What `openbook status` prints for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flows.show import FILES_SHOWN, console, dollars, keyword_index, printable, rejected_files


def status(values: dict[str, Any]) -> None:
    """Sources with their documents, files without an answer, models, costs, servers, problems."""
    _sources(values["sources"])
    rejected_files(values["rejected"])
    for one in values["pending"][:FILES_SHOWN]:
        line = Text("pending ", style="yellow").append(printable(one["path"]), style="cyan")
        console.print(line.append(": the next run reads it"), soft_wrap=True)
    if len(values["pending"]) > FILES_SHOWN:
        console.print("… and more that wait to be read: openbook status --json")
    _models(values)
    if indexes := values["indexes"]:
        console.print(
            f"indexes: {indexes['count']}, {indexes['bytes'] / 1e6:,.1f} MB", markup=False
        )
        keyword_index(indexes["keywords"])
        for flaw in ("invalid", "bloated"):
            if indexes[flaw]:
                names = ", ".join(indexes[flaw])
                console.print(f"{flaw}: {names}; mend with: openbook maintain", style="red")
    usd = values["usd"]
    console.print(
        f"30 days cost {dollars(usd['documents'])} for documents, "
        f"{dollars(usd['training'])} for training",
        markup=False,
    )
    console.print(f"Postgres {values['postgres']}, pgvector {values['pgvector']}", markup=False)
    console.print(f"Prefect  {values['prefect'] or 'no server of ours runs'}", markup=False)
    for problem in values["problems"]:
        console.print(Text(f"problem: {printable(problem)}", style="red"), soft_wrap=True)


def _sources(sources: list[dict[str, Any]]) -> None:
    table = Table(
        "source", "current", "pending", "rejected", "chunks", "last run", "behind", "folder",
        box=None,
    )  # fmt: skip
    for source in sources:
        behind = source["behind_seconds"]
        table.add_row(
            escape(source["name"]),
            *(f"{source[name]:,}" for name in ("current", "pending", "rejected", "chunks")),
            f"{source['last_run']:%Y-%m-%d %H:%M} {source['outcome']}"
            if source["last_run"]
            else "never",
            "" if behind is None else str(timedelta(seconds=round(behind))),
            escape(source["root"]),
        )
    for column in table.columns[:-1]:
        column.no_wrap = True
    table.columns[-1].overflow = "fold"
    console.print(table)


def _models(values: dict[str, Any]) -> None:
    for model in values["models"]:
        serving = "serving" if model["serving"] else "not serving"
        console.print(
            f"model {model['name']}: {model['embeddings']:,} embeddings, {serving}", markup=False
        )
    for model in values["serving"]:
        until = f" until {model['retires_on']}" if model["retires_on"] else ""
        console.print(f"model {model['model']}: serves {model['task']}{until}", markup=False)
    for run in values["trainings"]:
        console.print(
            f"training {run['run_key']} of {run['base']}: {run['state']} since "
            f"{run['changed_at']:%Y-%m-%d %H:%M}",
            markup=False,
        )
