"""A trigger: what counts as new since a version, and when feedback is enough to tell."""

from __future__ import annotations

import pytest

from tasks.datasets.due import Verdict, due
from tasks.datasets.read_spec import parse_spec
from tests.datasets.conftest import Log

TRIGGER = "trigger: {cooldown_hours: 0, new_examples: 5, min_judgements: 3, max_age_days: 9}\n"


def ask(log: Log, kind: str = "sft", more: str = "") -> Verdict:
    log.connection.commit()
    spec = parse_spec(f"name: support\nkind: {kind}\n{TRIGGER}{more}")
    return due(log.connection, spec)


@pytest.mark.parametrize("kind", ["sft", "preference", "raft"])
def test_corrections_are_something_new(log: Log, kind: str) -> None:
    made = log.grow(8)
    log.curate(kind=kind)
    assert "0 new or changed" in ask(log, kind).reasons[0]
    for one in made[:4]:
        log.judge(one, "correction", ordinal=2, alternative=log.text())
    assert not ask(log, kind).due
    log.judge(made[4], "correction", ordinal=2, alternative=log.text())
    verdict = ask(log, kind)
    assert verdict.due
    assert verdict.reasons == ("5 new or changed conversations, 5 are enough",)


def test_corrections_that_no_example_uses_are_nothing_new(log: Log) -> None:
    quality = "quality: {corrections: false}\n"
    made = log.grow(8)
    log.curate(quality)
    for one in made:
        log.judge(one, "correction", ordinal=2, alternative=log.text())
    assert "0 new or changed" in ask(log, more=quality).reasons[0]


def test_what_was_excluded_and_has_not_changed_is_nothing_new(log: Log) -> None:
    for _ in range(6):
        log.say("Hi", "Yes")
    log.grow(6, tags=["general"])
    mix = "source: {filter: {tags: null}}\nmix: {filter: {tags: general}, share: 0.5}\n"
    log.curate(mix)
    assert "0 new or changed" in ask(log, more=mix).reasons[0]


def test_what_was_under_way_while_the_version_was_made_is_new(log: Log) -> None:
    log.grow(3)
    log.curate()
    log.grow(5)
    log.connection.execute(
        "update conversations set changed_at = '2020-01-01', logged_at = '2020-01-01' where id > 3"
    )
    assert ask(log).reasons == ("5 new or changed conversations, 5 are enough",)


def test_feedback_counts_from_when_it_was_stored(log: Log) -> None:
    made = log.grow(3)
    log.judge(made[0], "thumb", -1)
    log.curate()
    for one in made:
        log.judge(one, "thumb", -1)
    log.connection.execute("update feedback set given_at = '2020-01-01'")
    assert ask(log).reasons == (
        "100% of 3 judgements since are negative, 20% of 3 or more are enough",
    )


def test_few_judgements_tell_nothing(log: Log) -> None:
    made = log.grow(3)
    log.curate()
    for one in made[:2]:
        log.judge(one, "thumb", -1)
    verdict = ask(log)
    assert not verdict.due
    assert "not due: 100% of 2 judgements" in verdict.reasons[1]
