"""What the advice takes for granted where nothing was measured; each can be overridden by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.advise.evidence import Evidence
from tasks.advise.thresholds import SHARES, THRESHOLDS, limits
from tasks.errors import Rejected
from tasks.prices import ListPrice, list_price, listed_on
from tasks.records import ChatModel

_PASSAGES = 5
_DEFAULT = "assumed"
_UNKNOWN = "nothing says it"
_CACHE_MINUTES = 5.0
"""OpenAI's guide to prompt caching: 5 to 10 minutes of inactivity."""
_MEANINGS = {
    "window": "tokens that the model reads and writes at once",
    "queries_per_day": "questions a day",
    "prompt_tokens": "tokens of the instructions and the question",
    "context_tokens": "tokens of the retrieved passages",
    "answer_tokens": "tokens of an answer",
    "usd_per_million_input": "price of a million tokens read",
    "usd_per_million_cached_input": "price of a million tokens that the provider has in its cache",
    "usd_per_million_output": "price of a million tokens written",
    "tuned_price_factor": "how many times as much a fine-tuned model's tokens cost",
    "cache_minutes": "minutes without a question for which a provider's cache keeps a context",
    "usd_indexing_a_year": "a year's embeddings and contexts: the first load, and changes",
    "usd_per_training": "price of one training",
    "trainings_per_year": "trainings a year",
    "hosting_usd_per_month": "what hosting a fine-tuned model costs a month",
}


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number with where it comes from: measured, the price list, given, or assumed.

    `value` is None for a price that nothing says.
    """

    value: float | None
    origin: str
    meaning: str


def assumptions(
    evidence: Evidence, model: ChatModel | None, given: Mapping[str, float]
) -> dict[str, Assumption]:
    """The assumptions that hold: what was given, else measured, else listed, else a usual value.

    What training, hosting and indexing cost has no usual value: it may not be known.
    """
    price = _listed(model)
    listed = f"price list of {listed_on()}"
    usage, figures = evidence.usage, evidence.figures
    corpus = figures["corpus_tokens"].value or 0.0
    shown = min(corpus, _PASSAGES * corpus / max(evidence.chunks, 1))
    training = (evidence.dataset or {}).get("usd")
    local = model is not None and _is_local(model)
    free = 0.0 if local else None
    by_the_token = 0.0 if price.tuned is not None else None
    choices: dict[str, Sequence[tuple[float | None, str]]] = {
        "window": [
            (None if model is None else model.window, "configured"),
            (128_000.0, _DEFAULT),
        ],
        "queries_per_day": [
            (figures["answers_a_day"].value, "measured"),
            (figures["searches_a_day"].value, "measured"),
            (100.0, _DEFAULT),
        ],
        "prompt_tokens": [(usage.prompt_tokens, "measured"), (300.0, _DEFAULT)],
        "context_tokens": [
            (usage.context_tokens, "measured"),
            (shown or None, f"{_PASSAGES} of the collection's mean chunks"),
            (1_500.0, _DEFAULT),
        ],
        "answer_tokens": [(usage.output_tokens, "measured"), (250.0, _DEFAULT)],
        **{
            name: [(usd, listed), (free, "own machine"), (usual, _DEFAULT)]
            for name, usd, usual in (
                ("usd_per_million_input", price.input, 0.4),
                ("usd_per_million_cached_input", _first(price.cached, price.input), 0.1),
                ("usd_per_million_output", price.output, 1.6),
            )
        },
        "tuned_price_factor": [(price.tuned, listed), (1.0 if local else None, "own machine")],
        "cache_minutes": [(_CACHE_MINUTES, _DEFAULT)],
        "usd_indexing_a_year": [(figures["usd_indexing_a_year"].value, "measured")],
        "usd_per_training": [(training, "newest dataset version")],
        "trainings_per_year": [(12.0, _DEFAULT)],
        "hosting_usd_per_month": [
            (by_the_token, f"{listed}: it charges by the token"),
            (free, "own machine"),
        ],
    }
    return {
        name: Assumption(given[name], "given", _MEANINGS[name])
        if name in given
        else next(
            (
                Assumption(float(value), origin, _MEANINGS[name])
                for value, origin in found
                if value is not None
            ),
            Assumption(None, _UNKNOWN, _MEANINGS[name]),
        )
        for name, found in choices.items()
    }


def room(model: ChatModel, given: Mapping[str, float]) -> float:
    """Tokens of documents that may be shown to the model at once.

    It is what the criterion `fits` holds a corpus against, and no more than an answer is given.
    """
    window = min(model.window, given.get("window", model.window))
    return window * limits(given)["window_share"].value


def read_given(texts: Sequence[str]) -> dict[str, float]:
    """Numbers given as NAME=VALUE, for assumptions and thresholds.

    Raises Rejected for another form, for a share beyond 1, and for a name that is neither, listing
    those there are.
    """
    given: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if name not in _MEANINGS and name not in THRESHOLDS:
            raise Rejected(
                f"--assume knows no {name!r}",
                f"There are {', '.join([*_MEANINGS, *THRESHOLDS])}.",
            )
        try:
            number = float(value.replace("_", ""))
        except ValueError:
            number = float("nan")
        if not equals or not 0 <= number < float("inf"):
            raise Rejected(f"--assume {text!r} is no NAME=NUMBER", "Such as queries_per_day=2000.")
        if name in SHARES and number > 1:
            raise Rejected(f"--assume {text!r} is no share", "Give a number from 0 to 1.")
        given[name] = number
    return given


def _listed(model: ChatModel | None) -> ListPrice:
    """What the provider asks; nothing is known of a model behind an address of its own."""
    return list_price(model.model) if model is not None and model.url is None else ListPrice()


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _is_local(model: ChatModel) -> bool:
    return bool(re.match(r"https?://(localhost|127\.|\[::1\])", model.url or ""))
