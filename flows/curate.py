"""Logged conversations to a version of a dataset, by a spec; with the card that describes it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from flows.events import DATASET_MADE, tell
from flows.pages import key, name_run
from flows.trouble import explained
from tasks.database import connect
from tasks.datasets.card import card
from tasks.datasets.curate import curate as make_version
from tasks.datasets.due import due
from tasks.datasets.read_spec import read_spec
from tasks.datasets.stale import remove_stale
from tasks.datasets.versions import describe
from tasks.settings import current


@flow(name="curate", flow_run_name="curate {spec}")
def curate(spec: Annotated[str, Field(min_length=1)], if_due: bool = False) -> dict[str, Any]:
    """Make a version of the dataset that a spec describes, unless the newest one is just that.

    Args:
        spec: The path of the spec's file.
        if_due: Make it only when the spec's trigger says so; the report says why or why not.
    """
    settings = current()
    recipe = read_spec(Path(spec))
    with explained(), connect(settings) as connection:
        remove_stale(connection, settings)
        connection.commit()
        verdict = due(connection, recipe) if if_due else None
        if verdict is not None and not verdict.due:
            name_run(f"{recipe.name}: {verdict.reasons[0]}")
            return {"dataset": recipe.name, "version": None, "trigger": asdict(verdict)}
        outcome = make_version(connection, recipe, settings)
        connection.commit()
        described = describe(connection, f"{recipe.name}@{outcome.version}")
    create_markdown_artifact(
        key=key("dataset", recipe.name),
        markdown=card(described),
        description=f"{recipe.name}, version {outcome.version}",
    )
    report = outcome.as_json()
    name_run(f"{recipe.name}@{outcome.version}: {'made' if outcome.created else 'as it was'}")
    if outcome.created:
        tell(DATASET_MADE, recipe.name, version=outcome.version, splits=report["splits"])
    return report if verdict is None else {**report, "trigger": asdict(verdict)}
