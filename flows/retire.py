"""When providers shut down the models that answer: looked up, written down, and told in time."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from flows.events import MODEL_RETIRES, tell
from flows.trouble import explained
from tasks.database import connect
from tasks.endpoint import OPENAI_URL
from tasks.settings import Settings, current
from tasks.training.hosted.retirements import retirements
from tasks.training.registry import Registered, chat_models, note_retirements


@flow(name="retire-watch", flow_run_name="retire-watch")
def retire_watch(
    warn_days: Annotated[int, Field(ge=0)] = 90,
) -> dict[str, Any]:
    """Ask the provider when its models end, and warn of those that answer or could.

    Args:
        warn_days: How long before a model's end it is told.
    """
    settings = current()
    with explained(), closing(connect(settings, autocommit=True)) as connection:
        names = {
            name
            for model in chat_models(connection)
            for name in (model.endpoint_model, model.base)
            if name is not None and _is_asked_there(model, settings)
        }
        days = retirements(settings, sorted(names)) if names else {}
        news = {model.id for model in note_retirements(connection, days)}
        models = chat_models(connection)
    until = datetime.now(UTC).date() + timedelta(days=warn_days)
    ending = [
        model
        for model in models
        if model.stage in ("serving", "candidate")
        and model.retires_on is not None
        and model.retires_on <= until
    ]
    for model in ending:
        tell(
            MODEL_RETIRES,
            model.name,
            model=model.called,
            stage=model.stage,
            retires_on=str(model.retires_on),
        )
    if ending:
        create_markdown_artifact(
            key="models-ending", markdown=_page(ending), description="Models that end soon"
        )
    return {
        "known": len(days),
        "news": [model.called for model in models if model.id in news],
        "ending": [
            {"model": model.called, "stage": model.stage, "retires_on": str(model.retires_on)}
            for model in ending
        ],
    }


def _is_asked_there(model: Registered, settings: Settings) -> bool:
    """Whether the provider has the model: what runs here, or elsewhere, is not for it to end."""
    url = model.endpoint_url or settings.answer_url or OPENAI_URL
    provider = settings.train_url or OPENAI_URL
    return model.artifact is None and url.rstrip("/") == provider.rstrip("/")


def _page(ending: list[Registered]) -> str:
    rows = [f"| {one.called} | {one.stage} | {one.base} | {one.retires_on} |" for one in ending]
    return "\n".join(
        [
            "# Models that their provider shuts down soon",
            "",
            "| model | stage | base | last day |",
            "|---|---|---|---|",
            *rows,
            "",
            "Retrain from a base that stays: `openbook retrain SPEC --base NAME`.",
            "",
        ]
    )
