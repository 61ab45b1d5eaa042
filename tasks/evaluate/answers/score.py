"""All measures of one answer. A measure that does not apply has no score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tasks.evaluate.answers.checks import FORM, applies, failure, schema_valid
from tasks.evaluate.answers.citations import (
    citation_precision,
    citation_recall,
    retrieval_recall,
)
from tasks.evaluate.answers.grounded import grounded
from tasks.evaluate.answers.overlap import exact_match, token_f1
from tasks.evaluate.answers.refusal import declines
from tasks.evaluate.answers.text import without_citations, words
from tasks.evaluate.exam import Question
from tasks.records import Answer

RETRIEVED = frozenset({"rag", "long-context"})
"""Strategies whose passages somebody had to find: retrieval is measured under these alone."""

_YES_OR_NO = {"yes", "no", "true", "false", "ja", "nein", "oui", "non", "sí", "sì"}


class Score(NamedTuple):
    """What an answer got in a measure; `detail` says what was missing."""

    measure: str
    value: float
    detail: str | None = None


def scores(question: Question, answer: Answer) -> list[Score]:
    """The answer's scores, each 0 to 1, more being better.

    `correct`: every check holds. `format`: those on form do (a regular expression, bare JSON of a
    schema, a citation). `schema`: its JSON is valid, bare or in a fence. `exact` and `token_f1`:
    against the expected answer. `citation_precision`, `citation_recall`, `retrieval_recall`:
    against the expected documents. `context_recall`: the share of the expected answer's sentences
    that a passage among those shown supports, by words, as `grounded` has it; a bare yes or no
    stands in no passage. `grounded`: what it cites, or was shown where it cites nothing, supports
    what it says. `refusal`: it refuses where it must, and nowhere else.
    """
    return [*_checked(question, answer), *_compared(question, answer), *_founded(question, answer)]


def _checked(question: Question, answer: Answer) -> Iterator[Score]:
    asked = [check for check in question.checks if applies(check, answer)]
    failures = [(check, failure(check, answer)) for check in asked]
    if asked:
        yield _all_hold("correct", [reason for _, reason in failures])
    form = [reason for check, reason in failures if check.kind in FORM]
    if form:
        yield _all_hold("format", form)
    schemas = [check.value for check in asked if check.kind == "json_schema"]
    if schemas:
        yield Score("schema", float(all(schema_valid(schema, answer) for schema in schemas)))
    refused = declines(answer)
    if question.must_be_refused and not refused:
        yield Score("refusal", 0.0, "it answers what it must refuse")
    elif refused and not question.must_be_refused:
        yield Score("refusal", 0.0, "it refuses what it could answer")
    else:
        yield Score("refusal", 1.0)


def _compared(question: Question, answer: Answer) -> Iterator[Score]:
    if question.expected_answer is None or question.must_be_refused:
        return
    said = without_citations(answer.text) if answer.passages else answer.text
    yield Score("exact", exact_match(said, question.expected_answer))
    yield Score("token_f1", token_f1(said, question.expected_answer))


def _founded(question: Question, answer: Answer) -> Iterator[Score]:
    if answer.strategy in RETRIEVED:
        found = retrieval_recall(answer, question.sources)
        if found is not None:
            yield Score("retrieval_recall", found, _missed(question, answer))
        expected = question.expected_answer or ""
        if not question.must_be_refused and set(words(expected)) - _YES_OR_NO:
            shown = [hit.text for hit in answer.passages]
            yield Score("context_recall", grounded(expected, shown))
    for measure, value in (
        ("citation_precision", citation_precision(answer, question.sources)),
        ("citation_recall", citation_recall(answer, question.sources)),
    ):
        if value is not None:
            yield Score(measure, value)
    if answer.passages and not declines(answer):
        stands_on = [hit.text for hit in answer.passages if hit.chunk_id in answer.cited]
        yield Score(
            "grounded", grounded(answer.text, stands_on or [hit.text for hit in answer.passages])
        )


def _missed(question: Question, answer: Answer) -> str | None:
    missed = sorted(question.sources - {hit.path for hit in answer.passages})
    return f"not shown: {', '.join(missed)}" if missed else None


def _all_hold(measure: str, reasons: list[str | None]) -> Score:
    failed = [reason for reason in reasons if reason]
    return Score(measure, float(not failed), "; ".join(failed) or None)
