"""Preference pairs: where they come from, and which side of the split they are on."""

from __future__ import annotations

from typing import Any

from tasks.datasets.validate import preference_faults
from tests.datasets.conftest import Log

ALL = "quality: {min_tokens: 1}\ndedupe: {near: 0}\n"


def pairs(log: Log) -> list[tuple[str, str]]:
    log.curate(ALL, kind="preference")
    bodies = log.bodies()
    assert all(preference_faults(body) == [] for body in bodies)
    return [(said(body, "preferred_output"), said(body, "non_preferred_output")) for body in bodies]


def said(body: dict[str, Any], side: str) -> str:
    return str(body[side][0]["content"])


def test_a_correction_is_preferred_to_what_it_corrects(log: Log) -> None:
    one = log.say("How many?", "Forty.", "Sure?", "Yes.")
    log.judge(one, "correction", ordinal=2, alternative="Forty-two.")
    log.grow(3)
    assert pairs(log) == [("Forty-two.", "Forty.")]
    (body,) = log.bodies()
    assert body["input"] == {"messages": [{"role": "user", "content": "How many?"}]}


def test_an_answer_is_preferred_to_the_one_that_it_replaced(log: Log) -> None:
    one = log.say("How many?", "Forty-two.")
    log.judge(one, "regeneration", ordinal=2, alternative="Forty.")
    assert pairs(log) == [("Forty-two.", "Forty.")]


def test_of_two_answers_to_one_prompt_the_liked_is_preferred(log: Log) -> None:
    good, bad, other = (log.say("How many?", answer) for answer in ("Forty-two.", "Forty.", "Six."))
    log.judge(good, "thumb", 1, ordinal=2)
    log.judge(bad, "thumb", -1)
    assert pairs(log) in ([("Forty-two.", "Forty.")], [])
    log.judge(other, "thumb", 1, ordinal=2)
    assert len(pairs(log)) <= 1, "one pair for each disliked answer"


def test_a_pair_of_two_users_on_different_sides_is_left_out(log: Log) -> None:
    for place in range(60):
        good = log.say(f"Question {place}?", f"Good {place}.", external_id=f"g{place}")
        bad = log.say(f"Question {place}?", f"Bad {place}.", external_id=f"b{place}")
        log.judge(good, "thumb", 1, ordinal=2)
        log.judge(bad, "thumb", -1, ordinal=2)
    outcome = log.curate(ALL, kind="preference")
    fell = {fall.reason: fall.examples for fall in outcome.decision.funnel}
    apart = fell["its two conversations are in different splits"]
    assert 0 < apart < 60
    assert outcome.decision.examples == 60 - apart
    sides = log.connection.execute(
        "select distinct openbook.split_of('openbook', a.external_id, .1, .1)"
        " = openbook.split_of('openbook', b.external_id, .1, .1)"
        " from analytics.dataset_lineage l join conversations a on a.id = l.conversation_id"
        " join conversations b on b.id = l.rejected_conversation_id"
    ).fetchall()
    assert sides == [(True,)]


def test_a_correction_that_says_the_same_is_no_pair(log: Log) -> None:
    one = log.say("How many?", "Forty.")
    log.judge(one, "correction", ordinal=2, alternative="Forty.")
    assert pairs(log) == []
    assert log.fate(one) == "invalid: both answers are the same"


def test_tools_are_part_of_the_prompt(log: Log) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "count", "arguments": "{}"}}
    one = log.say(
        "How many?",
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
        "Forty.",
    )
    log.judge(one, "correction", ordinal=4, alternative="Forty-two.")
    assert pairs(log) == [("Forty-two.", "Forty.")]
    (body,) = log.bodies()
    assert body["input"]["tools"][0]["function"]["name"] == "count"
    assert body["input"]["parallel_tool_calls"] is True


def test_forgetting_either_conversation_takes_the_pair(log: Log) -> None:
    good, bad = (log.say("How many?", answer, user_pseudonym="u") for answer in ("42.", "40."))
    log.judge(good, "thumb", 1, ordinal=2)
    log.judge(bad, "thumb", -1, ordinal=2)
    assert len(pairs(log)) == 1
    log.connection.execute("select openbook.forget_conversations(%s, 'conversation')", [[bad]])
    row = log.connection.execute("select count(*) from dataset_examples").fetchone()
    assert row == (0,)


def test_conversations_without_a_pair_are_counted(log: Log) -> None:
    log.grow(4)
    outcome = log.curate(kind="preference")
    (fall,) = outcome.decision.funnel
    assert (fall.step, fall.examples, outcome.decision.examples) == ("draft", 4, 0)
