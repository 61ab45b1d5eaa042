"""What providers ask for their models: one small dated list, prices.json, that says its source."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

_DATED = re.compile(r"-\d{4}-\d\d-\d\d$")


@dataclass(frozen=True, slots=True)
class ListPrice:
    """US dollars for a million tokens read, read from the provider's cache, written, trained on.

    `tuned` is the factor for a model fine-tuned from this one. None is what the list does not say.
    """

    input: float | None = None
    cached: float | None = None
    output: float | None = None
    training: float | None = None
    tuned: float | None = None


def list_price(model: str) -> ListPrice:
    """The price of a model, whose name may end in a date; all None when it is not listed."""
    return ListPrice(**_list()["models"].get(_DATED.sub("", model), {}))


def listed_on() -> date:
    """The day of the list's oldest price."""
    return date.fromisoformat(_list()["as_of"])


@cache
def _list() -> dict[str, Any]:
    content = files("tasks").joinpath("prices.json").read_text(encoding="utf-8")
    return dict(json.loads(content))
