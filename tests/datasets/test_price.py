"""Tokens by the right vocabulary or called an estimate; a price with its date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from tasks.datasets.price import price, usual_epochs
from tasks.datasets.read_spec import parse_spec
from tasks.datasets.spec import Price
from tasks.datasets.tokens import counter

SPEC = parse_spec("name: support\nkind: sft\nmodel: gpt-4o-mini-2024-07-18\n")


@pytest.mark.parametrize(
    ("model", "name", "exact"),
    [
        ("gpt-4", "cl100k_base", True),
        ("gpt-3.5-turbo-0125", "cl100k_base", True),
        ("mistral-7b", "cl100k_base", False),
    ],
)
def test_a_model_counts_with_its_own_vocabulary_or_says_that_it_estimates(
    model: str, name: str, exact: bool
) -> None:
    found = counter(model)
    assert (found.name, found.exact) == (name, exact)
    assert found.count("tiktoken is great!") == 6


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "ft:gpt-4o-mini:us", "gpt-5", "o3"])
def test_newer_models_count_with_the_vocabulary_of_the_extra(model: str) -> None:
    pytest.importorskip("bpe_openai")
    found = counter(model)
    assert (found.name, found.exact) == ("o200k_base", True)
    assert found.count("tiktoken is great!") == 6
    assert found.count("お誕生日おめでとう") == 8


def test_a_local_model_counts_with_the_tokenizer_in_its_folder(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = counter(str(tmp_path))
    assert (found.name, found.exact, found.count("a b a")) == (tmp_path.name, True, 3)
    assert price(replace(SPEC, model=str(tmp_path)), 100, 1000).usd == 0


@pytest.mark.parametrize(
    ("examples", "epochs"), [(1, 25), (10, 10), (34, 3), (8_000, 3), (10_000, 2), (40_000, 1)]
)
def test_epochs_are_the_providers_default_within_its_bounds(examples: int, epochs: int) -> None:
    assert usual_epochs(examples) == epochs


def test_the_price_is_tokens_times_epochs_by_the_list_and_has_its_date() -> None:
    found = price(SPEC, 100, 1_000_000)
    assert (found.epochs, found.usd) == (3, 9.0)
    assert found.as_of is not None


def test_a_spec_overrides_the_list_and_an_unknown_model_has_no_price() -> None:
    own = price(replace(SPEC, price=Price(usd_per_million_tokens=2, epochs=5)), 100, 1_000_000)
    assert (own.usd, own.as_of) == (10.0, None)
    assert price(replace(SPEC, model="nobody-knows"), 100, 1_000_000).usd is None
