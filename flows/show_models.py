"""What the command line prints of models: those that search uses, and those that answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from flows.show import console

if TYPE_CHECKING:
    from tasks.training.registry import Registered
    from tasks.upkeep.models import Model


def models(found: Sequence[Model]) -> None:
    """The embedding models, and how much of the readable text each has covered."""
    table = Table("embedding model", "dimensions", "covered", "search uses it", box=None)
    for model in found:
        covered = f"{model.covered:,} of {model.texts:,}"
        table.add_row(
            escape(model.name), f"{model.dimensions}", covered, "yes" if model.serving else "no"
        )
    console.print(table)


def chat_models(found: Sequence[Registered], configured: str | None) -> None:
    """The models that answer: the registry's with their stages, and the configured one."""
    table = Table("answering model", "stage", "trained on", "base", "asked as", box=None)
    for model in found:
        flaws = [f"tainted {model.tainted_at:%Y-%m-%d}"] if model.tainted_at else []
        flaws += [f"shut down on {model.retires_on}"] if model.retires_on else []
        stage = model.stage + (f" ({', '.join(flaws)})" if flaws else "")
        table.add_row(
            *map(
                escape,
                (model.called, stage, model.dataset or "", model.base, model.endpoint_model or ""),
            )
        )
    if configured:
        serves = "serving" if all(model.stage != "serving" for model in found) else "configured"
        table.add_row(escape(configured), serves, "", "", escape(configured))
    console.print(table if table.rows else "No model answers: set OPENBOOK_ANSWER_MODEL.")
