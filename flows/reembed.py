"""A second embedding model beside the serving one: every readable text is bought once.

Search goes on with the serving model until `openbook models activate` moves it over. A run that
dies is carried on by the next one: what was bought is there.
"""

from __future__ import annotations

import time
from typing import Annotated, Any
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from pydantic import Field

from flows.trouble import explained, may_pass, stand_back
from tasks.database import connect, hold
from tasks.embedders import open_embedder
from tasks.errors import Fatal
from tasks.ingest.embed import add_model, embed
from tasks.settings import current
from tasks.upkeep.models import (
    begin_reembedding,
    estimate,
    lacking_texts,
    record_spent,
    spent,
)

_TEXTS_AT_ONCE = 1024


@flow(name="reembed", flow_run_name="reembed")
def reembed(
    max_usd: Annotated[float | None, Field(ge=0)] = None,
    tokens_per_minute: Annotated[float | None, Field(gt=0)] = None,
) -> dict[str, Any]:
    """Embed every readable text with the configured model, beside the one that serves.

    Args:
        max_usd: Refuse to start when the estimate is higher.
        tokens_per_minute: Buy no faster than this on average.
    """
    settings = current()
    embedder = open_embedder(settings)
    with explained(), connect(settings, autocommit=True) as connection:
        model_id = add_model(connection, embedder)
        with hold(connection, "reembed", model_id) as held:
            if not held:
                ended: dict[str, Any] = stand_back(
                    f"Another run embeds with {embedder.name}", "Wait until it ends."
                )
                return ended
            price = estimate(connection, embedder.name, embedder.usd_per_million_tokens)
            if max_usd is not None and price.usd > max_usd:
                raise Fatal(
                    f"{price.texts:,} texts would cost about ${price.usd:.2f}",
                    "Allow it with a higher limit.",
                )
            reembedding = begin_reembedding(connection, model_id)
            buy_lacking(reembedding, model_id, price.texts, tokens_per_minute)
            connection.execute("select openbook.index_embeddings(%s)", [model_id])
            lacking = estimate(connection, embedder.name, 0.0).texts
            embedded, used = spent(connection, reembedding)
    return {
        "model": embedder.name,
        "embedded": embedded,
        "tokens": used.tokens,
        "usd": used.usd,
        "lacking": lacking,
    }


@task(name="buy lacking", retries=3, retry_delay_seconds=[2, 10, 30], retry_condition_fn=may_pass)
def buy_lacking(
    reembedding: int, model_id: int, total: int, tokens_per_minute: float | None
) -> None:
    """Buy what the configured model lacks, some texts at a time, each batch kept as it arrives.

    So is what it cost, that of a batch which failed included.
    """
    settings = current()
    embedder = open_embedder(settings)
    progress = create_progress_artifact(0.0, key="reembed", description=embedder.name)
    assert isinstance(progress, UUID)
    bought, started = 0, time.monotonic()
    with connect(settings) as connection:
        for sha256s in lacking_texts(connection, model_id, _TEXTS_AT_ONCE):
            before, texts = embedder.usage, 0
            try:
                purchase = embed(connection, embedder, model_id, sha256s)
                texts = purchase.texts
            finally:
                record_spent(connection, reembedding, texts, embedder.usage - before)
            bought += purchase.texts - len(purchase.refused)
            update_progress_artifact(progress, min(100.0, 100.0 * bought / max(1, total)))
            if tokens_per_minute:
                due = started + embedder.usage.tokens / tokens_per_minute * 60
                time.sleep(max(0.0, due - time.monotonic()))
