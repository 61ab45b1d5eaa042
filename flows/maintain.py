"""Keep the book sound: forget what is past its time, find what was lost, mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from psycopg import Connection
from pydantic import Field

from flows.differences import differences
from flows.ingest import ingest
from flows.pages import name_run
from flows.trouble import explained, may_pass, stand_back
from tasks.conversations.forget import expire as expire_conversations
from tasks.database import connect, hold
from tasks.datasets.stale import remove_stale
from tasks.datasets.versions import sweep_examples
from tasks.embedders import open_embedder
from tasks.errors import OpenbookError
from tasks.ingest.embed import embed, serving_model
from tasks.ingest.publish import index
from tasks.ingest.runs import sources
from tasks.settings import current
from tasks.upkeep.indexes import (
    build_vector_index,
    drop_retired,
    index_health,
    keyword_index,
    rebuild_indexes,
)
from tasks.upkeep.models import lacking_texts
from tasks.upkeep.sweep import expire, sweep
from tasks.upkeep.verify import (
    Finding,
    drop_bad_vectors,
    mark_unread,
    recount_uses,
    unseal_untrue,
    verify,
)

_TEXTS_AT_ONCE = 1024
_INDEXES_SHOWN = 20


@flow(name="maintain", flow_run_name="maintain")
def maintain(
    retention_days: Annotated[float | None, Field(ge=0)] = None,
    grace_days: Annotated[float, Field(ge=0)] = 1.0,
) -> dict[str, Any]:
    """Sweep what is past its time, verify the book and mend what differs, rebuild bloated indexes.

    Args:
        retention_days: How long a version stays searchable as of a past time after it ended, and a
            retired model keeps its vectors; unset: OPENBOOK_RETENTION_DAYS.
        grace_days: How long what a killed run stored waits for the next run.
    """
    settings = current()
    days = settings.retention_days if retention_days is None else retention_days
    with (
        explained(),
        connect(settings, autocommit=True) as connection,
        hold(connection, "maintain") as held,
    ):
        if not held:
            ended: dict[str, Any] = stand_back(
                "Another maintenance is at work", "Wait until it ends."
            )
            return ended
        removed = {
            **asdict(sweep(connection, timedelta(days=days), timedelta(days=grace_days))),
            **asdict(expire(connection, timedelta(days=days))),
        }
        if settings.conversation_days is not None:
            kept = timedelta(days=settings.conversation_days)
            removed |= asdict(expire_conversations(connection, kept))
        with connection.transaction():
            remove_stale(connection, settings)
        removed["examples"] = sweep_examples(connection, timedelta(days=days))
        dropped = drop_retired(connection, timedelta(days=days))
        findings, failures = mend(connection, verify(connection))
        report = {
            "removed": removed,
            "dropped_models": dropped,
            "mended": {one.what: one.count for one in findings},
            "failed": failures,
            "rebuilt": rebuild_indexes(connection),
            "keywords": asdict(keyword_index(connection)),
            "indexes": [{**asdict(one), "bloat": one.bloat} for one in index_health(connection)],
        }
    removed_rows, mended = sum(removed.values()), sum(one.count for one in findings)
    name_run(f"maintain: {removed_rows:,} removed, {mended:,} mended, {len(failures)} failed")
    create_markdown_artifact(
        key="maintain",
        markdown=_markdown(report),
        description="What maintenance removed, found and mended, and how the indexes do",
    )
    return report


@flow(name="verify", flow_run_name="verify")
def verify_book() -> tuple[list[Finding], list[str]]:
    """Compare every file and all that is stored with what is recorded, and mend what differs.

    What was found, and what could not be mended.
    """
    with explained(), connect(current(), autocommit=True) as connection:
        return mend(connection, differences(connection, current()))


def mend(connection: Connection, findings: list[Finding]) -> tuple[list[Finding], list[str]]:
    """Mend the findings at the least cost; they, and what could not be mended.

    Documents that lost something are read again, only vectors that are gone are bought, and of the
    indexes only what is untrue is built anew. The connection must be in autocommit mode.
    """
    if not findings:
        return findings, []
    found = {one.check: one for one in findings}
    unread = mark_unread(connection, findings)
    failures = [
        *_read_again(connection, None if "files" in found else unread),
        *([] if "vectors" not in found else _buy_again(connection)),
    ]
    recount_uses(connection)
    unseal_untrue(connection)
    row = connection.execute("select id from models where serving").fetchone()
    if row:
        index(connection, row[0])
    for model_id in found["index"].ids if "index" in found else ():
        build_vector_index(connection, model_id)
    return findings, failures


def _read_again(connection: Connection, source_ids: Iterable[int] | None) -> list[str]:
    """Ingest these sources, or all; what went wrong."""
    failures = []
    for source in sources(connection):
        if source_ids is None or source.id in source_ids:
            try:
                ingest(source.root)
            except OpenbookError as error:
                failures.append(str(error))
    return failures


def _buy_again(connection: Connection) -> list[str]:
    """Buy the vectors that are gone or useless; what went wrong."""
    drop_bad_vectors(connection)
    try:
        buy_lost_vectors()
    except OpenbookError as error:
        return [str(error)]
    return []


@task(
    name="buy lost vectors", retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=may_pass
)
def buy_lost_vectors() -> int:
    """Embed the readable texts whose vector is gone; how many."""
    settings = current()
    bought = 0
    with connect(settings) as connection:
        embedder = open_embedder(settings)
        model_id = serving_model(connection, embedder)
        for sha256s in lacking_texts(connection, model_id, _TEXTS_AT_ONCE):
            bought += embed(connection, embedder, model_id, sha256s).texts
    return bought


def _markdown(report: dict[str, Any]) -> str:
    keywords = report["keywords"]
    lines = [f"- removed: {count:,} {name}" for name, count in report["removed"].items() if count]
    lines += [
        f"- dropped: {count:,} vectors of {name}"
        for name, count in report["dropped_models"].items()
    ]
    lines += [f"- mended: {count:,} {what}" for what, count in report["mended"].items()]
    lines += [f"- failed: {failure}" for failure in report["failed"]]
    lines += [f"- built anew: {name}" for name in report["rebuilt"]]
    lines += [
        f"- keyword index: {keywords['passages']:,} passages in {keywords['blocks']:,} blocks, "
        f"{keywords['struck_out']:,} struck out, {keywords['pending']:,} to be sealed",
        "",
        "| index | method | rows | MB | times the size it needs | valid |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['name']} | {one['method']} | {one['rows']:,} | {one['bytes'] / 1e6:.1f} "
        f"| {'' if one['bloat'] is None else format(one['bloat'], '.1f')} "
        f"| {'yes' if one['valid'] else 'no'} |"
        for one in report["indexes"][:_INDEXES_SHOWN]
    ]
    return "\n".join(lines)
