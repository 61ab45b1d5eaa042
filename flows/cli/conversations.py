"""Commands about what was said: conversations load, ingest, pseudonym."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json
from tasks.settings import current

_SHOWN = 20
in_format = click.option(
    "--format",
    "format",
    type=click.Choice(
        ["chat", "completions", "responses", "preference", "sharegpt", "otel", "mtrag"]
    ),
    help="Read every line as this; without it each line's own fields tell.",
)


@main.group()
def conversations() -> None:
    """Load logged conversations, with what people thought of the answers.

    \b
    chat         {"messages": […]}: OpenAI chat logs, fine-tuning files, Hugging Face
    completions  stored chat completions, or requests beside their responses
    responses    Responses API exports
    preference   pairs of answers: OpenAI's DPO files, chosen beside rejected
    sharegpt     {"conversations": [{"from": …, "value": …}]}
    otel         OpenTelemetry spans of generative AI, as OTLP JSON
    mtrag        {"input": [{"speaker": …, "text": …}], "targets": […]}: MTRAG's tasks

    JSON Lines, a JSON array, or values over many lines; plain or gz, bz2, xz, zst.
    """


@conversations.command("load")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@in_format
@as_json
def load_(paths: tuple[Path, ...], format: str | None, as_json: bool) -> None:
    """Load the conversations of each file PATH, or of the files of a folder.

    A conversation that is known adds nothing, one that grew is brought to its later state. A line
    that cannot be used is named with the reason, the others are loaded, and the exit code is 1.
    Examples for the datasets that there are already are made at once.
    """
    from tasks.conversations.load import load
    from tasks.database import connect
    from tasks.datasets.prepare import prepare

    settings = current()
    with connect(settings, autocommit=True) as connection:
        files = [load(connection, settings, file, format).as_json() for file in _files(paths)]
        prepared = prepare(connection, settings)
    _tell(files, prepared, as_json)


@conversations.command()
@click.argument("folder", type=click.Path(path_type=Path))
@in_format
@as_json
def ingest(folder: Path, format: str | None, as_json: bool) -> None:
    """Load what is new or changed in a drop folder FOLDER, by the flow that a deployment schedules.

    A run that is killed anywhere is made good by the next one: each conversation is stored once.
    """
    with on_prefect():
        from flows.conversations import ingest_conversations

        report = ingest_conversations(folder=str(folder.absolute()), format=format)
    _tell(report["files"], report["prepared"], as_json)


@conversations.command()
@click.option("--user", help="The user's id.")
@click.option("--tenant", help="The tenant's id.")
@as_json
def pseudonym(user: str | None, tenant: str | None, as_json: bool) -> None:
    """Print the pseudonym that stands for a user or a tenant in the tables."""
    from tasks.conversations.pseudonyms import pseudonyms

    if (user is None) == (tenant is None):
        raise click.UsageError("Give either --user or --tenant.")
    names = pseudonyms(current())
    made = names.user(user) if user is not None else names.tenant(tenant or "")
    if as_json:
        print_json({"pseudonym": made})
    else:
        click.echo(made)


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    from tasks.conversations.folder import files_of

    for path in paths:
        if path.is_dir():
            yield from (file for file, _, _ in files_of(path.absolute()))
        else:
            yield path


def _tell(files: list[dict[str, Any]], prepared: dict[str, int], as_json: bool) -> None:
    """Print what became of the files; exit with 1 if anything of them was rejected."""
    counts = ("read", "added", "grown", "unchanged", "messages", "feedback", "rejected")
    total = {name: sum(file[name] for file in files) for name in counts}
    if as_json:
        print_json({**total, "files": files, "prepared": prepared})
    else:
        for file in files:
            told = ", ".join(f"{file[name]:,} {name}" for name in counts[1:] if file[name])
            click.echo(f"{file['path']}: {told or file['reason'] or 'nothing in it'}")
            for one in file["rejections"][:_SHOWN]:
                click.echo(f"  line {one['line']}: {one['reason']}. {one['remedy']}")
            if file["rejected"] > _SHOWN:
                click.echo(f"  … and {file['rejected'] - _SHOWN:,} lines more")
            if file["reason"] and not file["rejections"]:
                click.echo(f"  {file['remedy']}")
        for name, made in prepared.items():
            if made:
                click.echo(f"{made:,} examples made for {name}")
        if not files:
            click.echo("Nothing is new.")
    if any(file["rejected"] or file["reason"] for file in files):
        sys.exit(FAILED)
