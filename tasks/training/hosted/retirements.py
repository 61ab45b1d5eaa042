"""When a provider shuts its models down."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from tasks.endpoint import Patience
from tasks.settings import Settings
from tasks.training.hosted.provider import Provider


def retirements(
    settings: Settings, models: Iterable[str], patience: Patience | None = None
) -> dict[str, date]:
    """The last day of each of those models of which the provider has named one.

    A fine-tuned model (`ft:base:…`) ends with its base, if not before. Raises as
    `tasks.endpoint.Endpoint.ask` does.
    """
    ends = {
        model.id: end
        for model in Provider(settings, patience).models()
        if (end := _day(getattr(model, "shutdown_date", None))) is not None
    }
    found = {}
    for name in models:
        days = [ends[one] for one in (name, _base(name)) if one in ends]
        if days:
            found[name] = min(days)
    return found


def _base(name: str) -> str:
    return name.split(":")[1] if name.startswith("ft:") and name.count(":") > 1 else name


def _day(value: object) -> date | None:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).date()
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
