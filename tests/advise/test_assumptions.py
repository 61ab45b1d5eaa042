"""What answers used, what was paid, and what nobody knows, as assumptions of the costs."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.advise.advise import Advice, advise
from tasks.advise.assumptions import room
from tasks.advise.evidence import gather
from tasks.advise.page import markdown, price
from tasks.datasets.quality import refuses
from tasks.records import ChatModel
from tests.advise.conftest import Installation
from tests.advise.test_advise import recommended

LISTED = ChatModel("gpt-4.1-mini", "gpt-4.1-mini", window=8_192)


def advice(installation: Installation, model: ChatModel | None = None, **given: float) -> Advice:
    evidence = gather(installation.connection, "default", "answer", refuses)
    return advise(evidence, "answer", model, given)


def value(found: Advice, name: str) -> tuple[float | None, str]:
    assumed = found.assumed[name]
    return assumed.value, assumed.origin


def criterion(found: Advice, name: str) -> dict[str, Any]:
    one: dict[str, Any]
    (one,) = [one for one in found.as_json()["criteria"] if one["criterion"] == name]
    return one


def long_corpus(installation: Installation, tokens: int = 900) -> int:
    """A corpus of 60 passages of so many tokens, that did not change in 60 days; its tokens."""
    installation.corpus(20)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.connection.execute("update passages set tokens = %s", [tokens])
    return 60 * tokens


def test_what_a_prompt_has_beside_its_passages_is_told_row_by_row_and_by_strategy(
    installation: Installation,
) -> None:
    tokens = long_corpus(installation)
    for _ in range(2):
        installation.answered("rag", input_tokens=1_300, context_tokens=1_000)
    for _ in range(18):
        installation.answered("long-context", input_tokens=tokens + 900, context_tokens=tokens)
    found = advice(installation, window=1e6)
    assert value(found, "prompt_tokens") == (300, "measured")
    assert value(found, "context_tokens") == (1_000, "measured")
    read = {name: cost.input_tokens for name, cost in found.costs.items()}
    assert read == {
        "prompt": 300, "long-context": tokens + 300, "rag": 1_300, "fine-tuning": 300,
        "rag + fine-tuning": 1_300,
    }  # fmt: skip
    assert criterion(found, "affordable")["figure"]["value"] > 10


def test_another_collection_s_answers_and_another_program_s_tell_nothing_of_the_prompt(
    installation: Installation,
) -> None:
    installation.corpus(4)
    installation.connection.execute("insert into collections (name) values ('other')")
    installation.answered("rag", input_tokens=9_000, context_tokens=8_000, collection="other")
    installation.log.say("What is the fee?", "Seven ducats.")
    installation.connection.execute("update messages set input_tokens = 30000 where role <> 'user'")
    found = advice(installation)
    assert value(found, "prompt_tokens") == (300, "assumed")
    assert found.assumed["context_tokens"].origin == "5 of the collection's mean chunks"


def test_an_examination_tells_passages_and_prompt_apart(installation: Installation) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.examined("rag", [1.0] * 4)
    installation.connection.execute("update answer_results set input_tokens = 2300")
    assert value(advice(installation), "prompt_tokens") == (300, "assumed")
    installation.connection.execute("update answer_results set context_tokens = 1900")
    found = advice(installation)
    assert value(found, "prompt_tokens") == (400, "measured")
    assert value(found, "context_tokens") == (1_900, "measured")
    assert found.costs["rag"].input_tokens == 2_300


def test_the_window_is_the_one_that_answers_are_given(installation: Installation) -> None:
    long_corpus(installation)
    found = advice(installation, LISTED)
    assert value(found, "window") == (8_192, "configured")
    assert criterion(found, "fits")["threshold"] == 4_096
    assert criterion(found, "fits")["holds"] is False
    given = advice(installation, LISTED, window=1e6)
    assert criterion(given, "fits")["holds"] is True


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ({}, 4_096),
        ({"window_share": 0.25}, 2_048),
        ({"window": 1_000}, 500),
        ({"window": 1e6}, 4_096),
    ],
)
def test_an_experiment_shows_no_more_than_what_fits_and_than_an_answer_is_given(
    given: dict[str, float], tokens: float
) -> None:
    assert room(LISTED, given) == tokens


def test_prices_that_nobody_knows_are_said_to_be_unknown(installation: Installation) -> None:
    installation.corpus(4)
    installation.searched(5)
    found = advice(installation, ChatModel("gpt-5", "gpt-5"))
    for name in ("tuned_price_factor", "usd_per_training", "hosting_usd_per_month"):
        assert value(found, name) == (None, "nothing says it")
    assert found.costs["fine-tuning"].usd_a_year is None
    assert found.costs["rag"].usd_a_year is not None
    turning = {name for turn in found.break_evens for name in (turn.cheaper, turn.other)}
    assert not {"fine-tuning", "rag + fine-tuning"} & turning
    assert "| fine-tuning | 300 + 250 | not known | not known |" in markdown(found)
    assert price(None) == "price not known"
    given = advice(
        installation, ChatModel("gpt-5", "gpt-5"), tuned_price_factor=2, usd_per_training=9,
        hosting_usd_per_month=0,
    )  # fmt: skip
    assert given.costs["fine-tuning"].fixed_usd_a_year == 108


def test_a_tuned_model_on_this_machine_costs_nothing_a_token(installation: Installation) -> None:
    own = ChatModel("small", "small", "http://127.0.0.1:8080/v1")
    found = advice(installation, own, usd_per_training=0)
    assert value(found, "tuned_price_factor") == (1, "own machine")
    assert found.costs["fine-tuning"].usd_a_year == 0


def test_retrieval_costs_what_its_embeddings_cost(installation: Installation) -> None:
    installation.corpus(4)
    installation.history(days=73, changed=40)
    installation.connection.execute("update runs set tokens = 90, usd = 2 where embedded = 1000")
    installation.connection.execute("update runs set tokens = 40, usd = 3 where embedded = 40")
    found = advice(installation)
    assert value(found, "usd_indexing_a_year") == (2 + 3 * 5, "measured")
    assert found.costs["rag"].fixed_usd_a_year == 17
    assert found.costs["long-context"].fixed_usd_a_year == 0


@pytest.mark.parametrize(
    ("embedder", "usd"), [("all-MiniLM-L6-v2-int8", 0), ("text-embedding-9@512", None)]
)
def test_embeddings_without_a_price_are_free_where_they_are_made_here_and_else_unknown(
    embedder: str, usd: float | None, installation: Installation
) -> None:
    installation.corpus(4)
    installation.history(days=60, changed=0)
    installation.searched(50)
    installation.connection.execute("select openbook.add_model(%s, 8, 256)", [embedder])
    installation.connection.execute(
        "update runs set tokens = 90, model_id = (select id from models where name = %s)",
        [embedder],
    )
    found = advice(installation)
    assert found.assumed["usd_indexing_a_year"].value == usd
    affordable = criterion(found, "affordable")
    if usd is None:
        assert affordable["holds"] is None
        assert affordable["measured_by"] == "openbook advise --assume usd_indexing_a_year=…"
    else:
        assert affordable["holds"] is not None


def test_whether_long_context_is_affordable_depends_on_how_much_is_asked(
    installation: Installation,
) -> None:
    long_corpus(installation, tokens=45)
    for volume, strategy in ((1, "rag"), (20_000, "long-context")):
        found = recommended(
            installation, {"queries_per_day": volume, "context_tokens": 800, "answer_tokens": 50}
        )
        assert found.as_json()["recommendation"] == strategy
        assert criterion(found, "affordable")["holds"] is (strategy == "long-context")
