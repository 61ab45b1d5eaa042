"""Keep the logged conversations in step with a drop folder: what is new there is loaded, once."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from pydantic import Field

from flows.events import CONVERSATIONS_LOADED, tell
from flows.pages import cell, key, name_run, table
from flows.trouble import explained, may_pass, stand_back
from tasks.conversations.folder import pending_files
from tasks.conversations.load import load
from tasks.database import connect, hold
from tasks.datasets.prepare import prepare
from tasks.settings import current

COUNTS = ("read", "added", "grown", "unchanged", "messages", "feedback", "rejected")
_SHOWN = 100


@flow(name="conversations", flow_run_name="conversations {folder}")
def ingest_conversations(
    folder: Annotated[str, Field(min_length=1)], format: str | None = None
) -> dict[str, Any]:
    """Load the files of a folder that are new or changed, and report what was done.

    Args:
        folder: The folder whose files hold logged conversations.
        format: The format of all of them; unset: detected line by line.
    """
    root = Path(folder).expanduser().resolve()
    with (
        explained(),
        connect(current(), autocommit=True) as connection,
        hold(connection, "conversations folder", str(root)) as held,
    ):
        if not held:
            ended: dict[str, Any] = stand_back(
                f"{root} is being read by another run",
                "Wait until it ends; one run a folder works at a time.",
            )
            return ended
        pending = iter(pending_files(connection, root))
        files: list[dict[str, Any]] = []
        while batch := list(islice(pending, current().batch_files)):
            files += load_files([str(path) for path in batch], format)
        prepared = prepare_examples() if files else {}
    report = {
        "folder": str(root),
        "files": files,
        **{name: sum(one[name] for one in files) for name in COUNTS},
        "prepared": prepared,
    }
    _leave_artifacts(report)
    if report["added"] or report["grown"] or report["feedback"]:
        tell(CONVERSATIONS_LOADED, root.name, **{name: report[name] for name in COUNTS})
    return report


@task(
    name="load conversations",
    retries=3,
    retry_delay_seconds=[2, 10, 30],
    retry_condition_fn=may_pass,
)
def load_files(paths: list[str], format: str | None) -> list[dict[str, Any]]:
    """Load each file; its report."""
    settings = current()
    with connect(settings, autocommit=True) as connection:
        return [load(connection, settings, Path(path), format).as_json() for path in paths]


@task(
    name="prepare examples",
    retries=3,
    retry_delay_seconds=[2, 10, 30],
    retry_condition_fn=may_pass,
)
def prepare_examples() -> dict[str, int]:
    """Make what the datasets there are will want of the conversations; how many, by dataset."""
    settings = current()
    with connect(settings, autocommit=True) as connection:
        return prepare(connection, settings)


def _leave_artifacts(report: dict[str, Any]) -> None:
    name = Path(report["folder"]).name
    said = [f"{report[one]:,} {one}" for one in COUNTS if report[one] and one != "read"]
    name_run(f"{name}: {', '.join(said) or 'nothing new'}")
    if not report["files"]:
        return
    create_table_artifact(
        key=key("conversations", name),
        table=[{"files": len(report["files"]), **{name: report[name] for name in COUNTS}}],
        description=f"What was loaded from {report['folder']}",
    )
    create_markdown_artifact(
        key=key("conversations", name, "rejected"),
        markdown=_rejected_markdown(report["files"]),
        description=f"Lines and files of {report['folder']} that could not be used",
    )


def _rejected_markdown(files: list[dict[str, Any]]) -> str:
    rows = []
    for file in files:
        if file["reason"] is not None and not file["rejections"]:
            rows.append((file["path"], "", file["reason"], file["remedy"]))
        rows += [
            (file["path"], one["line"], one["reason"], one["remedy"]) for one in file["rejections"]
        ]
    if not rows:
        return "No line is rejected."
    cells = [[cell(str(one)) for one in row] for row in rows[:_SHOWN]]
    text = table(("file", "line", "reason", "what to do"), cells)
    return text if len(rows) <= _SHOWN else f"{text}\n\n… and {len(rows) - _SHOWN:,} more"
