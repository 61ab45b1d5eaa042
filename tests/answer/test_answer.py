"""From a question to an answer, over a real book and a real endpoint."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from tasks.answer.generate import Generator
from tasks.answer.prompt import budget_of
from tasks.endpoint import Patience
from tasks.errors import Rejected
from tasks.records import Hit
from tasks.settings import Settings
from tests.answer.conftest import Ask
from tests.chat import ChatEndpoint, broken_stream, filtered_stream
from tests.endpoint import status
from tests.retrieve.conftest import Shelf


def test_an_answer_stands_on_passages_and_says_what_it_took(ask: Ask, model: ChatEndpoint) -> None:
    said = ask()
    assert (said.outcome, said.strategy) == ("answered", "rag")
    assert said.text == "The spring tide follows the new moon [1]."
    first = said.passages[said.numbers.index(1)]
    assert first.text in model.requests[0]["messages"][-1]["content"]
    assert set(said.cited) == {
        hit.chunk_id for hit, n in zip(said.passages, said.numbers, strict=True) if n == 1
    }
    assert (said.removed_citations, said.output_tokens) == (0, 8)
    assert said.input_tokens
    assert said.context_tokens > 0


def test_hits_that_follow_each_other_in_a_section_are_one_passage(ask: Ask) -> None:
    said = ask("new moon, half moon, tables of tides", k=4)
    assert [said.numbers.count(number) for number in (1, 2)] == [3, 1]
    assert [hit.text.split()[0] for hit in said.passages[:3]] == ["The", "A", "Harbours"]


def test_a_citation_of_what_was_not_shown_is_taken_out_and_counted(
    ask: Ask, model: ChatEndpoint
) -> None:
    model.reply = lambda _: "The spring tide [7] follows the new moon [1][9]."
    heard: list[str] = []
    said = ask(hear=heard.append)
    assert said.text == "The spring tide follows the new moon [1]."
    assert said.removed_citations == 2
    assert "".join(heard) == said.text
    assert len(heard) > 3


def test_an_answer_is_logged_as_a_conversation_with_its_chunks(ask: Ask, tides: Shelf) -> None:
    said = ask()
    rows = tides.connection.execute(
        "select m.role, m.content, m.chunk_ids, m.model, m.weight, c.external_id"
        " from messages m join conversations c on c.id = m.conversation_id order by m.ordinal"
    ).fetchall()
    shown = [hit.chunk_id for hit in said.passages]
    assert rows == [
        ("user", said.question, None, None, None, said.conversation),
        ("assistant", said.text, shown, "moon-1", None, said.conversation),
    ]
    kept = tides.connection.execute(
        "select outcome, strategy, cited_ids, removed_citations, context_tokens, ordinal"
        " from answers"
    ).fetchall()
    assert kept == [("answered", "rag", list(said.cited), 0, said.context_tokens, 2)]


def test_a_follow_up_is_asked_with_what_was_said_and_joins_its_conversation(
    ask: Ask, model: ChatEndpoint, tides: Shelf
) -> None:
    first = ask()
    second = ask("And the half moon?", conversation=first.conversation)
    roles = [message["role"] for message in model.requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert model.requests[1]["messages"][1]["content"].endswith(first.question)
    assert second.conversation == first.conversation
    assert [row[0] for row in tides.connection.execute("select ordinal from answers")] == [2, 4]
    with pytest.raises(Rejected, match="there is no conversation"):
        ask(conversation=first.conversation, asker="somebody else")


def test_without_the_log_nothing_is_written(ask: Ask, tides: Shelf) -> None:
    assert ask(log=False).conversation is None
    counts = "select (select count(*) from conversations), (select count(*) from search_log)"
    assert tides.connection.execute(counts).fetchone() == (0, 0)


def test_without_a_model_the_passages_are_the_answer(ask: Ask, configured: Settings) -> None:
    said = ask(settings=replace(configured, answer_model=None))
    assert said.outcome == "no model"
    assert said.text.startswith("[1] tides.md · Tides\nThe spring tide follows")


def test_where_nothing_is_found_the_model_is_not_asked(ask: Ask, model: ChatEndpoint) -> None:
    said = ask(filter={"path": "elsewhere.md"})
    assert (said.outcome, said.passages, model.requests) == ("nothing found", (), [])
    assert "Nothing in default" in said.text


def test_only_what_the_caller_may_read_is_shown(ask: Ask, model: ChatEndpoint) -> None:
    for strategy in ("rag", "long-context"):
        ask("Which wind is steady over the sea?", principals=[], strategy=strategy)
        assert "trade wind" not in str(model.requests[-1]["messages"][1:])
        ask("Which wind is steady over the sea?", principals=["group:sail"], strategy=strategy)
        assert "trade wind" in str(model.requests[-1]["messages"][1:])


def test_a_collection_has_a_strategy_of_its_own(
    ask: Ask, model: ChatEndpoint, tides: Shelf
) -> None:
    tides.connection.execute("update collections set strategy = 'none'")
    said = ask()
    assert (said.strategy, said.passages, said.text.count("[1]")) == ("none", (), 0)
    assert len(model.requests[0]["messages"]) == 2
    with pytest.raises(Rejected, match="no strategy"):
        ask(strategy="luck")


def test_the_whole_collection_begins_every_prompt_in_the_same_order(
    ask: Ask, model: ChatEndpoint
) -> None:
    first = ask("First?", strategy="long-context")
    ask("Second?", strategy="long-context", conversation=first.conversation)
    one, two = (request["messages"] for request in model.requests)
    context = one[1]["content"].removesuffix("Question: First?")
    assert one[0] == two[0]
    assert two[1]["content"].startswith(context)
    assert context.index("spring tide") < context.index("trade wind")


def test_a_collection_that_is_too_large_is_refused_with_figures(
    ask: Ask, configured: Settings, tides: Shelf
) -> None:
    tides.put("long.txt", *(f"Sentence {n} is of no account at all." for n in range(100)))
    with pytest.raises(Rejected, match=r"about [\d,]+ tokens.* window of 256"):
        ask(strategy="long-context", settings=replace(configured, answer_window=256))


def test_given_passages_are_shown_whatever_search_would_find(
    ask: Ask, model: ChatEndpoint, tides: Shelf, configured: Settings
) -> None:
    from flows.ask import RETRIEVAL, serving_model
    from tasks.answer.answer import complete, prepare

    hit = Hit(1, 1.0, "other.txt", None, None, None, "The tide waits.", "s", 1, 1, 999, 1, 1)
    prepared = prepare(
        tides.connection,
        configured,
        "Who waits?",
        retrieval=RETRIEVAL,
        model=serving_model(tides.connection, configured),
        given=[hit],
    )
    said = complete(prepared, configured)
    assert (said.strategy, said.cited) == ("oracle", (999,))
    assert "The tide waits." in model.requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize("politely", [False, True])
def test_a_stream_that_breaks_half_way_fails_and_keeps_what_came(
    ask: Ask, model: ChatEndpoint, politely: bool
) -> None:
    model.then(broken_stream(3, politely=politely))
    said = ask()
    assert (said.outcome, said.text) == ("failed", "The spring tide")
    assert said.reason
    assert len(model.requests) == 1


@pytest.mark.parametrize("words", [0, 3])
def test_an_answer_that_its_provider_filters_out_would_fail_again(
    ask: Ask, model: ChatEndpoint, words: int
) -> None:
    model.then(filtered_stream(words))
    said = ask()
    assert (said.outcome, said.lasting) == ("failed", True)
    assert said.text == ("The spring tide" if words else "")
    model.then(broken_stream(3))
    assert not ask().lasting


def test_a_busy_endpoint_is_asked_again_and_a_refusal_is_told(
    ask: Ask, model: ChatEndpoint
) -> None:
    model.then(status(429, retry_after="0"), status(500, retry_after="0"), broken_stream(0))
    assert ask().outcome == "answered"
    assert len(model.requests) == 4
    model.refuses_everything = True
    said = ask()
    assert said.outcome == "failed"
    assert "content policy" in (said.reason or "")


def test_parameters_that_a_model_does_not_know_are_left_out(ask: Ask, model: ChatEndpoint) -> None:
    model.unknown_parameters = {"temperature", "stream_options"}
    model.knows_max_tokens = False
    assert ask().outcome == "answered"
    assert "max_completion_tokens" in model.requests[-1]


def test_the_key_goes_to_the_configured_endpoint_alone(
    ask: Ask, model: ChatEndpoint, configured: Settings
) -> None:
    ask()
    assert model.authorization == "Bearer sk-0"
    from tasks.records import ChatModel

    elsewhere = ChatModel("a", "a", model.url)
    other = replace(configured, answer_url="http://127.0.0.1:9/v1")
    pieces: list[str] = []
    Generator(other, elsewhere, Patience(tries=1)).generate(
        [{"role": "user", "content": "?"}], 10, pieces.append, Event()
    )
    assert model.authorization == "Bearer none"
    assert budget_of(elsewhere).shown + budget_of(elsewhere).answer < elsewhere.window
