"""A second embedding model beside the serving one: every readable text is bought once.

Search goes on with the serving model until `openbook models activate` moves it over. A run that
dies is carried on by the next one: what was bought is there.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.ingest import may_pass
from tasks.database import connect, hold
from tasks.embedders import open_embedder
from tasks.errors import Fatal, Retryable
from tasks.ingest.embed import Purchase, add_model, embed
from tasks.settings import current
from tasks.upkeep.models import lacking_texts, shortfall

_TEXTS_AT_ONCE = 1024


@flow(name="reembed", flow_run_name="reembed")
def reembed(max_usd: float | None = None) -> dict[str, Any]:
    """Embed every readable text with the configured model, beside the one that serves.

    Args:
        max_usd: Refuse to start when the estimate is higher.
    """
    settings = current()
    embedder = open_embedder(settings)
    with connect(settings, autocommit=True) as connection:
        model_id = add_model(connection, embedder)
        with hold(connection, "reembed", model_id) as held:
            if not held:
                raise Retryable(f"Another run embeds with {embedder.name}", "Wait until it ends.")
            lacking = shortfall(connection, model_id)
            estimate = lacking.tokens * embedder.usd_per_million_tokens / 1e6
            if max_usd is not None and estimate > max_usd:
                raise Fatal(
                    f"{lacking.texts:,} texts would cost about ${estimate:.2f}",
                    "Allow it with a higher limit.",
                )
            bought = buy_lacking(model_id, lacking.texts)
            connection.execute("select openbook.index_embeddings(%s)", [model_id])
    return {
        "model": embedder.name,
        "embedded": bought.texts,
        "tokens": bought.usage.tokens,
        "usd": bought.usage.usd,
        "lacking": lacking.texts - bought.texts,
    }


@task(name="buy lacking", retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=may_pass)
def buy_lacking(model_id: int, total: int) -> Purchase:
    """Buy what the configured model lacks, some texts at a time."""
    settings = current()
    embedder = open_embedder(settings)
    progress = create_progress_artifact(0.0, key="reembed", description=embedder.name)
    assert isinstance(progress, UUID)
    bought = 0
    with connect(settings) as connection:
        for sha256s in lacking_texts(connection, model_id, _TEXTS_AT_ONCE):
            bought += embed(connection, embedder, model_id, sha256s).texts
            update_progress_artifact(progress, min(100.0, 100.0 * bought / max(1, total)))
    return Purchase(bought, embedder.usage)
