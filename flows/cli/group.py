"""What all commands share: the group, its errors, JSON, and the Prefect server they run on."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import click

from tasks.errors import OpenbookError
from tasks.settings import current

FAILED = 1
"""The exit code when something was rejected or failed; click's own 2 means wrong usage."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


SECTIONS = {
    "Documents": ("ingest", "plan", "sources", "forget"),
    "Search and answers": (
        "search", "more-like", "why", "answer", "strategy", "serve", "tokens", "mcp",
    ),
    "Measuring": ("golden", "evaluate", "advise"),
    "Conversations, datasets and models": (
        "conversations", "curate", "datasets", "retrain", "models", "promote", "rollback",
    ),
    "Running it": ("up", "down", "deploy", "status", "sql", "principals", "watch"),
    "Upkeep": ("verify", "maintain", "reembed", "backup", "restore", "migrate"),
}  # fmt: skip
"""The commands as `openbook --help` lists them."""


_ASKED = {"query", "question"}
"""Arguments that are words, of which the first may begin with -."""


class _Listed(click.Group):
    """Lists its commands with the whole first sentence of each, cut nowhere."""

    sections: Mapping[str, Sequence[str]] = {}
    """The commands' names by the title that they stand under; none: all under one."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in (self.sections or {"Commands": self.list_commands(ctx)}).items():
            rows = [(name, self.commands[name].get_short_help_str(limit=1000)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)


class _Openbook(_Listed):
    """Tells errors as sentences, or as JSON where JSON was asked for."""

    group_class = _Listed
    sections = SECTIONS

    def invoke(self, ctx: click.Context) -> Any:
        asked = list(ctx.args)
        try:
            return super().invoke(ctx)
        except OpenbookError as error:
            if "--json" in asked:
                print_json({"error": error.message, "remedy": error.remedy or None})
            tell(error)
            ctx.exit(FAILED)
        except click.NoSuchOption as error:
            if error.ctx is not None and _ASKED & {one.name for one in error.ctx.command.params}:
                raise click.NoSuchOption(
                    error.option_name,
                    f"{error.message} Words that begin with - stand behind --: -- '-water'.",
                    ctx=error.ctx,
                ) from None
            raise
        except UnicodeEncodeError as error:
            raise click.UsageError(f"{error.object!r} is not valid UTF-8.") from None


def tell(error: OpenbookError) -> None:
    """Say on standard error what went wrong, and what to do."""
    click.echo(f"openbook: {error.message}", err=True)
    if error.remedy:
        click.echo(f"  {error.remedy}", err=True)


@click.group(cls=_Openbook, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("openbook"), prog_name="openbook")
def main() -> None:
    """Keep a folder of documents searchable, and answer from it.

    Begin with `openbook ingest FOLDER`, then `openbook search "a question"`.

    Settings are OPENBOOK_* environment variables or lines of a .env file; the README lists them.
    Without OPENBOOK_DATABASE_URL everything lives in an embedded Postgres under OPENBOOK_HOME.
    """


@contextmanager
def on_prefect() -> Iterator[None]:
    """Run flows against Prefect's configured server, else the one beside the database."""
    if current().logs == "json":
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER", "json")
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # errors are told by us
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # It counts, at the end, what it has yet to send; its name is outside Prefect's own settings.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    from flows.server import ensure_server

    # This process is watched by the person who started it; the heartbeat would cost a second.
    with temporary_settings(
        {
            PREFECT_API_URL: ensure_server(current()),
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        }
    ):
        yield


def print_json(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=_as_plain)
    sys.stdout.write("\n")


def _as_plain(value: object) -> object:
    """What JSON has no form of: exact numbers as numbers, all else as text."""
    return float(value) if isinstance(value, Decimal) else str(value)
