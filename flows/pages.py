"""What a run leaves on Prefect's pages: a name that says what happened, and lasting artifacts.

A key stays the same from run to run, so that Prefect shows the history of what it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run


def name_run(said: str) -> None:
    """Let the run that we are in be called what it did."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, name=said)


def key(*parts: str) -> str:
    """An artifact's key for what these name: lower-case letters, digits and dashes."""
    named = [re.sub("[^a-z0-9]+", "-", part.lower()).strip("-") or "unnamed" for part in parts]
    return "-".join(named)


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of cells in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """The text as it may stand in a cell: on one line, and with no HTML."""
    plain = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(plain.split())
