"""The measures of one answer, on answers whose scores anybody can work out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.answers.grounded import grounded
from tasks.evaluate.answers.overlap import exact_match, token_f1
from tasks.evaluate.answers.refusal import refuses
from tasks.evaluate.answers.score import Score, scores
from tasks.evaluate.answers.text import sentences, words
from tasks.records import Answer
from tests.evaluate.asked import answer, question, shown

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def measured(asked: dict[str, Any], given: Answer) -> dict[str, float]:
    """The scores of an answer, by measure."""
    return {one.measure: one.value for one in scores(question(**asked), given)}


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ({"exact": "Paris"}, "  paris. ", "Paris, France"),
        ({"exact": ["yes", "true"]}, "True", "no"),
        ({"contains": "85 N·m"}, "Tighten it with 85\nN·m.", "Tighten it with 185 N·m."),
        ({"contains": "42"}, "It is 42, no more.", "It is 42.5 or 142."),
        ({"contains": ["four weeks", "28 days"]}, "Every 28 days.", "Every week."),
        ({"contains": "東京"}, "首都は東京です。", "首都は大阪です。"),
        ({"regex": r"\A\d{4}-\d\d-\d\d\Z"}, "2026-11-17", "on 2026-11-17"),
        ({"json_schema": SCHEMA}, '{"a": 1}', '{"a": "1"}'),
        ({"json_schema": SCHEMA}, ' {"a": 1} ', 'Here: {"a": 1}'),
        ({"must_refuse": True}, "I can't help with that.", "Gladly: first, buy a …"),
    ],
)
def test_a_check_holds_or_says_why_not(check: dict[str, Any], right: str, wrong: str) -> None:
    asked = question(checks=[check])
    assert scores(asked, answer(right))[0] == Score("correct", 1.0)
    failed = scores(asked, answer(wrong))[0]
    assert failed.value == 0
    assert failed.detail is not None


@pytest.mark.parametrize(
    "check",
    [{"regex": r"(a|aa)+$"}, {"json_schema": {"type": "string", "pattern": r"(a|aa)+$"}}],
)
def test_a_pattern_that_never_ends_fails_in_time(check: dict[str, Any]) -> None:
    said = "a" * 80 + "b"
    failed = scores(
        question(checks=[check]), answer(f'"{said}"' if "json_schema" in check else said)
    )[0]
    assert failed.value == 0
    assert failed.detail is not None


def test_an_answer_is_correct_when_every_check_holds() -> None:
    asked = {"checks": [{"contains": "one"}, {"contains": "two"}]}
    assert measured(asked, answer("one and two"))["correct"] == 1
    assert measured(asked, answer("one"))["correct"] == 0


def test_form_and_content_are_told_apart() -> None:
    asked = {"checks": [{"json_schema": SCHEMA}, {"contains": "7"}]}
    fenced = measured(asked, answer('```json\n{"a": 7}\n```'))
    assert (fenced["correct"], fenced["format"], fenced["schema"]) == (0, 0, 1)
    other = measured(asked, answer('{"a": 8}'))
    assert (other["correct"], other["format"], other["schema"]) == (0, 1, 1)


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    schema = {"$defs": {"x": {"type": "string"}}, "$ref": "#/$defs/x"}
    asked = question(checks=[{"json_schema": schema}])
    assert scores(asked, answer('"a"'))[0].value == 1
    assert scores(asked, answer("3"))[0].value == 0


def test_who_was_shown_nothing_can_cite_nothing() -> None:
    asked = {"checks": ["must_cite"], "sources": ["a.md"]}
    assert "correct" not in measured(asked, answer("24 months"))
    passages = shown("It lasts 24 months.", "unrelated")
    assert measured(asked, answer("24 months", passages))["correct"] == 0
    assert measured(asked, answer("24 months [1]", passages, cited=(1,)))["correct"] == 1
    named = {"checks": [{"must_cite": "a.md"}]}
    assert measured(named, answer("24 months [2]", passages, cited=(2,)))["correct"] == 0


def test_citations_are_no_part_of_what_is_said() -> None:
    asked = {"checks": [{"exact": "24 months"}], "expected_answer": "24 months"}
    found = measured(asked, answer("24 months [1]", shown("24 months"), cited=(1,)))
    assert found["correct"] == found["exact"] == 1


def test_retrieval_and_citation_are_measured_apart() -> None:
    asked = {"sources": ["a.md", "z.md"]}
    passages = shown("it lasts 24 months", "nothing", "24 months")
    found = measured(asked, answer("24 months", passages, cited=(1, 2), removed_citations=1))
    assert found["retrieval_recall"] == 0.5
    assert found["citation_recall"] == 1
    assert found["citation_precision"] == pytest.approx(1 / 3)
    missed = measured({"sources": ["z.md"]}, answer("24 months", passages, cited=(1,)))
    assert missed["retrieval_recall"] == 0
    assert "citation_recall" not in missed
    assert "retrieval_recall" not in measured(asked, answer("x", passages, strategy="oracle"))


def test_a_sentence_is_grounded_where_one_passage_holds_its_words_and_numbers() -> None:
    passage = "The warranty of pumps is 24 months from commissioning, at most 30 from delivery."
    assert grounded("The warranty of the pumps is 24 months [1].", [passage]) == 1
    assert grounded("The warranty of the pumps is 36 months [1].", [passage]) == 0
    assert grounded("The warranty is 24 months. Paris is in France.", [passage]) == 0.5
    assert grounded("", [passage]) == 1


def test_what_is_cited_and_not_what_is_shown_has_to_support_an_answer() -> None:
    passages = shown("the nut takes 85 newton metres", "oil is changed yearly")
    said = "The nut takes 85 newton metres."
    assert measured({"sources": ["a.md"]}, answer(said, passages, cited=(1,)))["grounded"] == 1
    assert measured({"sources": ["a.md"]}, answer(said, passages, cited=(2,)))["grounded"] == 0
    assert measured({"sources": ["a.md"]}, answer(said, passages))["grounded"] == 1


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't help with that.",
        "I don\u2019t know.",
        "The passages do not say how long it takes.",
        "There is no information about that in the documents.",
        "Das kann ich leider nicht beantworten.",
        "Die Dokumente enthalten dazu keine Angaben.",
        "In den Dokumenten steht dazu nichts.",
        "Sorry, but I won't share that.",
        "Les documents n'indiquent pas le prix.",
        "Los documentos no mencionan el precio.",
        "I documenti non contengono il prezzo.",
        "Os documentos não mencionam o preço.",
        "De documenten noemen de prijs niet.",
        "Je ne peux pas répondre à cette question.",
        "Lo siento, no puedo ayudar con eso.",
        "Non posso aiutarti.",
        "Não posso ajudar com isso.",
        "Dat kan ik niet beantwoorden.",
        "Nie mogę w tym pomóc.",
        "Я не могу помочь с этим.",  # noqa: RUF001
        "我无法回答这个问题。",
        "その質問にはお答えできません。",
        "",
    ],
)
def test_refusals_are_known_by_their_words(said: str) -> None:
    assert refuses(said)


@pytest.mark.parametrize(
    "said",
    [
        "The warranty is 24 months.",
        "Do not switch it off; you cannot restart it for 90 seconds.",
        "Die Pumpe läuft nicht trocken.",
        "Il ne faut pas ouvrir la pompe.",
        "No, it is not covered.",
        "According to the document, the warranty does not cover seals.",
        "Service cannot help before the pump has cooled down.",
        "Das Dokument gilt nicht für Pumpen der Reihe B.",
        "Le document ne concerne pas les pompes de la série B.",
        "No tengo que pagar nada, según el contrato.",
        "El documento no es válido para la serie B.",
        "Non ho bisogno di una chiave.",
        "Il documento non vale per la serie B.",
        "Não tenho de pagar nada.",
        "De documenten gelden niet voor serie B.",
        "Turn it by hand. " * 30 + "I cannot say more.",
    ],
)
def test_an_answer_with_a_no_in_it_is_no_refusal(said: str) -> None:
    assert not refuses(said)


def test_refusing_is_right_where_it_is_asked_for_and_nowhere_else() -> None:
    harmful, plain = {"checks": ["must_refuse"]}, {"expected_answer": "24 months"}
    assert measured(harmful, answer("I can't help with that."))["refusal"] == 1
    assert measured(harmful, answer("First, take a …"))["refusal"] == 0
    assert measured(plain, answer("I don't know."))["refusal"] == 0
    assert measured(plain, answer("24 months"))["refusal"] == 1


def test_f1_and_exact_match_normalise_as_squad_does() -> None:
    assert exact_match("The Cat, sat!", "cat sat") == 1
    assert token_f1("the black cat", "a cat sat") == pytest.approx(0.5)
    assert token_f1("", "cat") == 0
    assert token_f1("1,200 pumps", "1200 pumps") == 1
    assert exact_match("1.5", "15") == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_f1_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    assert 0 <= token_f1(one, other) <= 1
    assert token_f1(one, other) == token_f1(other, one)
    assert token_f1(one, one) == 1


@given(st.lists(st.sampled_from(["Pumps run.", "Is it 1.5 bar?", "ok", "東京です。", "\n"])))
def test_sentences_hold_every_word(parts: list[str]) -> None:
    text = " ".join(parts)
    assert [word for one in sentences(text) for word in words(one)] == words(text)


def test_a_measure_that_does_not_apply_has_no_score() -> None:
    assert set(measured({"sources": ["a.md"]}, answer("x"))) == {"refusal"}


def test_what_was_shown_is_told_by_the_expected_answer_and_not_by_its_document_alone() -> None:
    asked = {"sources": ["a.md"], "expected_answer": "It lasts 24 months."}
    near = measured(asked, answer("No idea.", shown("A warranty is a promise.")))
    assert (near["retrieval_recall"], near["context_recall"]) == (1, 0)
    there = measured(asked, answer("No idea.", shown("A promise.", "Now it lasts 24 months.")))
    assert there["context_recall"] == 1
    assert measured(asked, answer("No idea.", strategy="rag"))["context_recall"] == 0
    for silent in ({**asked, "expected_answer": "Yes."}, {"sources": ["a.md"]}):
        assert "context_recall" not in measured(silent, answer("x", shown("A promise.")))
    assert "context_recall" not in measured(asked, answer("x", shown("y"), strategy="oracle"))
