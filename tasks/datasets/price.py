"""What training on a version would cost, by a small dated list that a spec can override."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tasks.datasets.spec import Spec
from tasks.prices import list_price, listed_on

_USUAL_EPOCHS = 3
_LEAST_EXAMPLES, _MOST_EXAMPLES = 100, 25_000


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` is None for a model whose price is not known; `as_of` is the price list's date."""

    epochs: int
    usd_per_million_tokens: float | None
    usd: float | None
    as_of: date | None


def price(spec: Spec, examples: int, tokens: int) -> Price:
    """The price of training on that many examples of that many tokens altogether.

    A model in a local folder costs nothing but the machine's time.
    """
    epochs = spec.price.epochs or usual_epochs(examples)
    rate, as_of = spec.price.usd_per_million_tokens, None
    if rate is None and Path(spec.model).is_dir():
        rate = 0.0
    elif rate is None:
        rate = list_price(spec.model).training
        as_of = listed_on() if rate is not None else None
    usd = None if rate is None else round(tokens * epochs * rate / 1e6, 4)
    return Price(epochs, rate, usd, as_of)


def usual_epochs(examples: int) -> int:
    """OpenAI's default: 3, so that examples times epochs lies in 100 to 25,000."""
    if examples * _USUAL_EPOCHS < _LEAST_EXAMPLES:
        return min(25, -(-_LEAST_EXAMPLES // max(examples, 1)))
    if examples * _USUAL_EPOCHS > _MOST_EXAMPLES:
        return max(1, _MOST_EXAMPLES // examples)
    return _USUAL_EPOCHS
