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
    _pending([printable(one["path"]) for one in values["pending"]])
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
        f"{dollars(usd['reembedding'])} for reembedding, "
        f"{dollars(usd['training'])} for training",
        markup=False,
    )
    console.print(f"Postgres {values['postgres']}, pgvector {values['pgvector']}", markup=False)
    console.print(f"Prefect  {values['prefect'] or 'no server runs'}", markup=False)
    if values["offline"]:
        console.print(f"the small model answers at {values['offline']}", markup=False)
    for problem in values["problems"]:
        console.print(Text(f"problem: {printable(problem)}", style="red"), soft_wrap=True)


def _sources(sources: list[dict[str, Any]]) -> None:
    if not sources:
        console.print("No folder is known yet; name one: openbook ingest PATH.")
        return
    table = Table("source", box=None)
    for name in ("current", "pending", "rejected", "chunks"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("last run", "behind"):
        table.add_column(name, no_wrap=True)
    for source in sources:
        behind = source["behind_seconds"]
        table.add_row(
            escape(source["name"]),
            *(f"{source[name]:,}" for name in ("current", "pending", "rejected", "chunks")),
            f"{source['last_run']:%Y-%m-%d %H:%M} {source['outcome']}"
            if source["last_run"]
            else "never",
            "" if behind is None else str(timedelta(seconds=round(behind))),
        )
    console.print(table)


def _pending(paths: list[str]) -> None:
    if not paths:
        return
    alone = len(paths) == 1
    line = Text("pending ", style="yellow").append(paths[0] if alone else "files", style="cyan")
    console.print(line.append(f": the next run reads {'it' if alone else 'them'}"), soft_wrap=True)
    for path in () if alone else paths[:FILES_SHOWN]:
        console.print(Text(f"    {path}", style="cyan"), soft_wrap=True)
    if len(paths) > FILES_SHOWN:
        console.print("… and more that wait to be read: openbook status --json")


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
