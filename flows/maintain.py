"""Keep the book sound: forget what is past its time, find what was lost, mend it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from flows.ingest import ingest, may_pass
from tasks.database import connect
from tasks.embedders import open_embedder
from tasks.ingest.embed import embed, serving_model
from tasks.ingest.runs import sources
from tasks.settings import current
from tasks.upkeep.models import lacking_texts
from tasks.upkeep.sweep import sweep
from tasks.upkeep.verify import Finding, mark_unread, recount_uses, verify

_TEXTS_AT_ONCE = 1024


@flow(name="maintain", flow_run_name="maintain")
def maintain(retention_days: float = 90.0, grace_days: float = 1.0) -> dict[str, Any]:
    """Sweep what is past its time, then verify the book and mend what differs.

    Args:
        retention_days: How long a version stays searchable as of a past time after it ended.
        grace_days: How long what a killed run stored waits for the next run.
    """
    with connect(current()) as connection:
        removal = sweep(connection, timedelta(days=retention_days), timedelta(days=grace_days))
    findings = verify_book(mend=True)
    report = {
        "removed_versions": removal.versions,
        "removed_chunks": removal.chunks,
        "removed_embeddings": removal.embeddings,
        "findings": [f"{finding.count:,} {finding.what}" for finding in findings],
    }
    create_markdown_artifact(
        key="maintain",
        markdown="\n".join(f"- {name}: {value}" for name, value in report.items()),
        description="What maintenance removed, found and mended",
    )
    return report


@flow(name="verify", flow_run_name="verify")
def verify_book(mend: bool = False) -> list[Finding]:
    """Compare what is recorded with what is stored.

    Args:
        mend: Mend it too: documents are read again, and only vectors that are gone are bought.
    """
    with connect(current()) as connection:
        findings = verify(connection)
        if not (mend and findings):
            return findings
        mark_unread(connection, findings)
        folders = sources(connection)
    for source in folders:
        ingest(source.root, collection=source.collection, language=source.language)
    with connect(current()) as connection:
        recount_uses(connection)
    buy_lost_vectors()
    return findings


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
