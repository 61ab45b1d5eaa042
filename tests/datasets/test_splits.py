"""Splits across growing versions: what is held out stays held out, and alone."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tasks.datasets.dedupe import clusters
from tasks.errors import Rejected
from tests.datasets.conftest import WORDS, Log


def share(connection: Connection, key: str, validation: float, test: float) -> dict[str, float]:
    rows = connection.execute(
        "select openbook.split_of(%s, n::text, %s, %s), count(*) / 10000.0"
        " from generate_series(1, 10000) n group by 1",
        [key, validation, test],
    ).fetchall()
    return {split: float(part) for split, part in rows}


def test_shares_of_many_groups_are_those_that_were_asked_for(connection: Connection) -> None:
    found = share(connection, "k", 0.1, 0.2)
    assert abs(found["train"] - 0.7) < 0.02
    assert abs(found["test"] - 0.2) < 0.02
    assert share(connection, "k", 0, 0) == {"train": 1}
    assert share(connection, "k", 0, 1) == {"test": 1}


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_more_held_out_moves_groups_out_of_training_alone(
    connection: Connection, group: str, test: float, more: float
) -> None:
    before, after = (
        connection.execute("select openbook.split_of('k', %s, 0, %s)", [group, size]).fetchone()
        for size in (test, test + more)
    )
    assert before is not None
    assert after is not None
    assert before == after or (before[0], after[0]) == ("train", "test")


def test_growing_versions_move_nothing_out_of_what_is_held_out(log: Log) -> None:
    chooser = random.Random(11)
    families = [[log.text(60), log.text(60)] for _ in range(12)]
    users: dict[int, str | None] = {}

    def grow(number: int) -> None:
        for _ in range(number):
            said = [
                " ".join(chooser.choice(WORDS) if chooser.random() < 0.02 else word
                         for word in text.split())
                for text in chooser.choice(families)
            ] if chooser.random() < 0.5 else [log.text(60), log.text(60)]  # fmt: skip
            user = chooser.choice([None, *(f"u{n}" for n in range(25))])
            made = log.say(*said, user_pseudonym=user)
            users[made] = user
            if chooser.random() < 0.1:
                log.judge(made, "thumb", -1)

    held: dict[int, str] = {}
    for _ in range(4):
        grow(60)
        log.curate()
        splits = log.splits()
        assert {"train", "validation", "test"} == set(splits.values())
        assert_nothing_spans(log, splits, users)
        for conversation, split in held.items():
            assert splits.get(conversation, split) == split
        held |= {one: split for one, split in splits.items() if split != "train"}


def assert_nothing_spans(log: Log, splits: dict[int, str], users: dict[int, str | None]) -> None:
    """No user and no near-duplicate cluster is in two splits."""
    of_user = defaultdict(set)
    for conversation, split in splits.items():
        if users[conversation]:
            of_user[users[conversation]].add(split)
    assert all(len(found) == 1 for found in of_user.values())
    rows = log.connection.execute(
        "select e.conversation_id, e.signature from examples e where e.conversation_id = any (%s)",
        [list(splits)],
    ).fetchall()
    signed = np.array([np.frombuffer(row[1], "<u2") for row in rows])
    of_cluster = defaultdict(list)
    for (conversation, _), label in zip(rows, clusters(signed, 0.7).tolist(), strict=True):
        of_cluster[label].append(splits[conversation])
    assert all(len(set(found)) == 1 for found in of_cluster.values())
    assert any(len(found) > 1 for found in of_cluster.values()) is False, "duplicates are dropped"


def test_a_held_out_example_that_is_left_out_still_keeps_its_double_from_training(
    log: Log,
) -> None:
    said = [log.text(60), log.text(60)]
    twins = [log.say(*said, external_id=f"twin {place}") for place in range(40)]
    log.curate()
    kept = [one for one in twins if log.fate(one) in ("train", "validation", "test")]
    assert [log.fate(one) for one in kept] == ["test"], "of forty, some are in test"
    splits = log.connection.execute(
        "select c.id, openbook.split_of('openbook', c.external_id, 0.1, 0.1) from conversations c"
    ).fetchall()
    for one, split in splits:
        if split == "test":
            log.judge(one, "thumb", -1)
    log.curate()
    assert not log.splits(), "all in test are disliked, and no other may take their place"


def test_a_user_who_becomes_known_later_moves_nothing_out_of_what_is_held_out(log: Log) -> None:
    made = [log.say(log.text(), log.text(), external_id=f"c{place}") for place in range(60)]
    log.curate()
    before = log.splits()
    for place, one in enumerate(made):
        log.connection.execute(
            "update conversations set user_pseudonym = %s where id = %s", [f"u{place % 30}", one]
        )
    log.curate()
    after = log.splits()
    assert all(after.get(one, split) == split for one, split in before.items() if split != "train")
    assert_nothing_spans(log, after, {one: f"u{place % 30}" for place, one in enumerate(made)})
    moved = [one for one in made if one not in after]
    assert moved
    assert {log.fate(one) for one in moved} == {
        "its user, who became known later, is in another split"
    }


@pytest.mark.parametrize(
    "split",
    [
        "{train: 0.8, validation: 0.1, test: 0.1}",
        "{train: 0.7, validation: 0.0, test: 0.3}",
        "{train: 0.5, validation: 0.2, test: 0.3, key: other}",
    ],
)
def test_splits_that_would_train_on_what_is_held_out_are_refused(log: Log, split: str) -> None:
    log.grow(4)
    log.curate("split: {train: 0.5, validation: 0.2, test: 0.3}\n")
    for plan in (True, False):
        with pytest.raises(Rejected, match="version 1 of support holds out") as refused:
            log.curate(f"split: {split}\n", plan=plan)
    assert "validation: 0.2, test: 0.3, key: openbook" in refused.value.remedy


def test_more_may_be_held_out(log: Log) -> None:
    log.grow(4)
    log.curate()
    assert log.curate("split: {train: 0.6, validation: 0.1, test: 0.3}\n").version == 2


def test_what_is_held_out_owns_its_like_where_near_duplicates_may_stay(log: Log) -> None:
    for place in range(60):
        asked, answer = log.text(60), log.text(60)
        other = f"otherwise {answer.rpartition(' ')[0]} otherwise"
        log.say(asked, answer, external_id=f"a{place}")
        log.say(asked, other, external_id=f"b{place}")
    for near in (0.99, 0):
        log.curate(f"dedupe: {{near: {near}}}\ndecontaminate: {{test_share: 0}}\n")
        names = log.connection.execute("select id, external_id from conversations").fetchall()
        held, trained = (
            {name[1:] for one, name in names if (log.splits().get(one) in splits)}
            for splits in (("validation", "test"), ("train",))
        )
        assert held
        assert not held & trained
        assert len(log.splits()) > 60, "both of a pair stay where they are on one side"
