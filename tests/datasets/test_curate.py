"""A version: what comes in, what falls and why, and that it never changes."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import timedelta

import pytest
from psycopg.errors import RestrictViolation
from psycopg.types.json import Jsonb

from tasks.datasets.card import card
from tasks.datasets.versions import compare, describe, explain, find_version, sweep_examples
from tasks.errors import Rejected
from tests.datasets.conftest import Log

ALL = "quality: {min_tokens: 1}\n"


def test_a_version_counts_its_splits_its_tokens_and_its_price(log: Log) -> None:
    log.grow(60)
    report = log.curate().as_json()
    assert sum(report["splits"].values()) == report["examples"] == 60
    assert report["splits"].keys() == {"train", "validation", "test"}
    assert min(report["splits"].values()) > 0
    assert (report["dataset"], report["version"], report["funnel"]) == ("support", 1, [])
    assert report["usd"] == pytest.approx(report["tokens"] * report["epochs"] * 5 / 1e6, abs=1e-4)
    assert len(report["content_sha256"]) == 64


def test_the_same_log_and_spec_give_the_same_version(log: Log) -> None:
    log.grow(20)
    first, again = log.curate(), log.curate()
    assert (first.created, again.created) == (True, False)
    assert again.version == first.version
    assert again.decision == first.decision


def test_another_spec_over_the_same_examples_is_another_version(log: Log) -> None:
    log.grow(20)
    log.curate()
    assert log.curate("trigger: {new_examples: 7}\n").version == 2
    found = compare(log.connection, "support@1", "support@2")
    assert (found["added"], found["removed"], found["kept"]) == (0, 0, 20)
    assert found["spec"] == [{"field": "trigger.new_examples", "from": 100, "to": 7}]


def test_equal_logs_in_another_order_have_equal_hashes(log: Log) -> None:
    said = [(log.text(), log.text()) for _ in range(30)]
    for place, one in enumerate(said):
        log.say(*one, external_id=f"e{place}")
    forward = log.curate().decision
    log.connection.execute("delete from conversations")
    for place, one in reversed(list(enumerate(said))):
        log.say(*one, external_id=f"e{place}")
    backward = log.curate("name: other\n".replace("name", "# name")).decision
    assert backward.content_sha256 == forward.content_sha256
    assert backward.splits == forward.splits


def test_a_plan_shows_the_same_and_writes_nothing(log: Log) -> None:
    log.grow(12)
    plan = log.curate(plan=True)
    assert plan.version is None
    for table in ("examples", "datasets", "dataset_versions", "dataset_examples"):
        row = log.connection.execute(f"select count(*) from {table}").fetchone()
        assert row == (0,)
    assert log.curate().decision == plan.decision


def test_every_conversation_is_in_or_has_a_reason(log: Log) -> None:
    log.grow(10)
    text = log.text()
    twins = [log.say(text, "It is closed today."), log.say(text, "It is closed today.")]
    refusal = log.say(log.text(), "I'm sorry, but I can't help with that.")
    short = log.say("Hi", "Yes")
    bad = log.say(log.text(), log.text())
    log.judge(bad, "thumb", -1, ordinal=2)
    failed = log.say(log.text(), '{"error": "time-out"}')
    alone = log.say("Is anybody there?")
    log.curate("quality: {min_tokens: 16}\n")
    assert log.fate(refusal) == "the answer is a refusal"
    assert log.fate(short) == "too short"
    assert log.fate(bad) == "negative feedback"
    assert log.fate(failed) == "an error message"
    assert log.fate(alone).startswith("invalid: ")
    assert sorted(one == "exact duplicate" for one in map(log.fate, twins)) == [False, True]
    assert_it_adds_up(log)
    steps = [one["step"] for one in describe(log.connection, "support")["funnel"]]
    assert (steps[0], steps[-1]) == ("source", "kept")


def assert_it_adds_up(log: Log) -> None:
    """What came in, less what fell, is what the newest version's splits hold."""
    row = find_version(log.connection, "support")
    counts = Counter[str]()
    for one in describe(log.connection, "support")["funnel"]:
        counts[one["step"]] += one["examples"]
    came, kept, golden = (counts.pop(step, 0) for step in ("source", "kept", "golden"))
    assert came - counts.total() == kept == row["examples"]
    assert kept == sum(row["splits"].get(split, 0) for split in ("train", "validation", "test"))
    assert golden == row["splits"].get("golden", 0)


def test_the_funnel_adds_up_with_general_data_and_golden_questions(log: Log) -> None:
    ask_golden(log, *(f"how often must the pump of bay {n} be turned by hand" for n in range(5)))
    log.grow(12, tags=["own"])
    log.grow(30, tags=["general"])
    log.connection.execute("insert into conversations (tags) values ('{own}'), ('{general}')")
    outcome = log.curate(
        "source: {filter: {tags: own}}\nmix: {filter: {tags: general}, share: 0.2}\n"
    )
    assert_it_adds_up(log)
    assert [one.examples for one in outcome.decision.sources] == [13, 31]
    picture = card(describe(log.connection, "support")).partition("base64,")[2].partition(")")[0]
    assert f">{outcome.decision.examples:,}  (-" in base64.b64decode(picture).decode()


def test_the_funnel_adds_up_where_a_conversation_has_several_examples(log: Log) -> None:
    for place in range(4):
        said = log.say(f"Is it {place}?", "No.", "Really?", "No.")
        log.judge(said, "correction", ordinal=2, alternative=log.text())
        log.judge(said, "correction", ordinal=4, alternative=log.text())
    log.grow(2)
    outcome = log.curate(ALL, kind="preference")
    assert [one.examples for one in outcome.decision.sources] == [6, 4]
    assert_it_adds_up(log)


def test_why_tells_the_fate_of_a_conversation_and_of_an_example(log: Log) -> None:
    (kept,) = log.grow(1, external_id="call-17")
    log.curate()
    (found,) = explain(log.connection, "call-17")
    assert (found["conversation_id"], found["split"]) == (kept, log.splits()[kept])
    assert explain(log.connection, found["sha256"][:12]) == [found]
    assert explain(log.connection, str(kept)) == [found]
    for unknown in ("call-18", "²"):
        with pytest.raises(Rejected, match="no version has looked at"):
            explain(log.connection, unknown)


def test_the_best_of_a_cluster_is_kept(log: Log) -> None:
    said, answer = log.text(100), log.text(100)
    ids = [log.say(said, f"{answer} {word}") for word in ("one", "two", "three")]
    log.judge(ids[1], "thumb", 1, ordinal=2)
    log.curate(ALL)
    falls = {one: log.fate(one) for one in ids}
    owner = {"train", "validation", "test"}
    if falls[ids[1]] in owner:  # the liked one is kept unless a held-out twin owns the cluster
        assert [falls[one] for one in (ids[0], ids[2])] != ["train", "train"]
    assert sum(fate in owner for fate in falls.values()) == 1


def test_a_correction_wins_over_the_answer_and_ends_the_conversation(log: Log) -> None:
    said = log.say(log.text(), "Forty.", "Really?", "No.")
    log.judge(said, "thumb", -1, ordinal=2)
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    log.curate(ALL)
    (body,) = log.bodies()
    assert [one["content"] for one in body["messages"]][1:] == ["Forty-two."]


def test_a_new_correction_makes_a_new_example(log: Log) -> None:
    said = log.say(log.text(), "Forty.")
    log.curate(ALL)
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    assert log.curate(ALL).version == 2
    assert [body["messages"][-1]["content"] for body in log.bodies()] == ["Forty-two."]
    found = compare(log.connection, "support@1", "support@2")
    assert (found["added"], found["removed"]) == (1, 1)


@pytest.mark.parametrize("thumb", [None, 2, 4])
def test_a_correction_makes_up_for_a_dislike_only_where_it_is_used(
    log: Log, thumb: int | None
) -> None:
    said = log.say(log.text(), "Forty.", "Really?", "No.")
    log.judge(said, "thumb", -1, ordinal=thumb)
    log.judge(said, "correction", ordinal=2, alternative="Forty-two.")
    log.curate("quality: {min_tokens: 1, corrections: false}\n")
    assert log.fate(said) == "negative feedback"
    log.curate(ALL)
    assert log.bodies()[0]["messages"][-1]["content"] == "Forty-two."


def test_a_correction_of_a_later_answer_does_not_make_up_for_an_earlier_one(log: Log) -> None:
    said = log.say(log.text(), "Forty.", "Really?", "No.")
    log.judge(said, "thumb", -1, ordinal=2)
    log.judge(said, "correction", ordinal=4, alternative="Yes.")
    log.curate(ALL)
    assert log.fate(said) == "negative feedback"


def test_a_correction_of_what_a_user_said_makes_up_for_nothing(log: Log) -> None:
    said = log.say(log.text(), "Forty.")
    log.judge(said, "thumb", -1)
    log.judge(said, "correction", ordinal=1, alternative="Forty-two.")
    log.curate(ALL)
    assert log.fate(said) == "negative feedback"


def test_a_correction_of_a_whole_conversation_is_one_of_its_last_answer(log: Log) -> None:
    said = log.say("How many?", "Forty.", log.text(), "Forty.")
    log.judge(said, "thumb", -1)
    log.judge(said, "correction", alternative="Forty-two.")
    log.curate(ALL)
    contents = [one["content"] for one in log.bodies()[0]["messages"]]
    assert contents[1::2] == ["Forty.", "Forty-two."]


def test_personal_data_does_not_reach_an_example(log: Log) -> None:
    log.say("I am at ana@example.com, card 4111 1111 1111 1111.", "Thank you, ana@example.com.")
    log.curate(ALL)
    assert [one["content"] for one in log.bodies()[0]["messages"]] == [
        "I am at [EMAIL_1], card [CARD_1].",
        "Thank you, [EMAIL_1].",
    ]


def test_personal_data_does_not_reach_an_example_by_names_keys_and_tools(log: Log) -> None:
    asked = json.dumps({"anna@example.com": {"password": "hunter2horse"}})
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": asked}}
    log.say(
        {"role": "user", "name": "Anna_Schmidt", "content": "My name is Anna Schmidt."},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": asked},
        {"role": "assistant", "name": "Ingrid", "content": "Done."},
    )
    log.curate(ALL)
    (body,) = log.bodies()
    replaced = json.dumps({"[EMAIL_1]": {"password": "[SECRET_1]"}})
    assert body["messages"][0] == {"role": "user", "content": "My name is [NAME_1]."}
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == replaced
    assert body["messages"][2]["content"] == replaced
    assert "name" not in body["messages"][3]
    assert body["tools"][0]["function"]["parameters"]["properties"] == {"[EMAIL_1]": {}}
    log.curate(ALL + "redact: [card]\n")
    assert log.bodies()[0]["messages"][0]["name"] == "Anna_Schmidt"


def test_a_conversation_about_a_picture_is_left_out(log: Log) -> None:
    seen = log.say(log.text(), log.text())
    log.connection.execute(
        "update messages set parts = %s where conversation_id = %s and ordinal = 1",
        [Jsonb([{"type": "image_url", "image_url": {"url": "data:"}}]), seen],
    )
    log.curate()
    assert log.fate(seen) == "draft: a message holds more than text"


def ask_golden(log: Log, *questions: str) -> None:
    log.connection.execute("insert into golden_sets (name, collection_id) values ('g', 1)")
    for question in questions:
        log.connection.execute(
            "insert into golden_questions (golden_set_id, question) values (1, %s)", [question]
        )


def test_golden_questions_are_a_split_that_never_trains(log: Log) -> None:
    question = "how often must the shaft of a stored pump be turned by hand"
    ask_golden(log, question)
    asked = log.say(f"Tell me: {question}, please?", log.text())
    log.grow(5)
    outcome = log.curate()
    assert len(outcome.decision.golden) == 1
    assert log.fate(asked) == "shares words with a golden question"
    version = find_version(log.connection, "support")
    assert version["splits"]["golden"] == 1
    assert sum(outcome.decision.splits.values()) == 5


def test_caps_balance_users_and_tags_in_training_alone(log: Log) -> None:
    log.grow(30, user_pseudonym="u1", tags=["t"])
    log.grow(30, tags=["t"])
    outcome = log.curate("balance: {per_user: 4}\n")
    of_user = log.connection.execute(
        "select split, count(*) from analytics.dataset_lineage l"
        " join conversations c on c.id = l.conversation_id where c.user_pseudonym = 'u1' group by 1"
    ).fetchall()
    assert of_user in ([("train", 4)], [("test", 30)], [("validation", 30)])
    capped = log.curate("balance: {per_tag: 5}\n")
    assert capped.decision.splits["train"] == 5
    assert capped.decision.splits["test"] == outcome.decision.splits["test"]


def test_general_data_is_a_share_of_training_and_of_nothing_else(log: Log) -> None:
    log.grow(40, tags=["own"])
    log.grow(40, tags=["general"])
    outcome = log.curate(
        "source: {filter: {tags: own}}\nmix: {filter: {tags: general}, share: 0.2}\n"
    )
    rows = log.connection.execute(
        "select split, c.tags[1], count(*) from analytics.dataset_lineage l"
        " join conversations c on c.id = l.conversation_id group by 1, 2"
    ).fetchall()
    counts = {(split, tag): number for split, tag, number in rows}
    assert {split for split, tag in counts if tag == "general"} == {"train"}
    assert counts["train", "general"] == counts["train", "own"] // 4
    assert outcome.decision.conversations == 40


@pytest.mark.parametrize(
    "statement",
    [
        "update dataset_versions set content_sha256 = ''",
        "update dataset_versions set spec = '{}'",
        "update dataset_examples set split = 'train'",
    ],
)
def test_a_version_cannot_be_changed(log: Log, statement: str) -> None:
    log.grow(2)
    log.curate()
    with pytest.raises(RestrictViolation, match="does not change"):
        log.connection.execute(statement)


def test_examples_of_no_version_are_swept_after_the_retention(log: Log) -> None:
    log.grow(3)
    log.curate()
    log.grow(2)
    log.curate(
        "source: {filter: {conversation_id: {gt: 3}}}\nname: other\n".replace("name", "# name")
    )
    log.connection.execute("delete from dataset_versions where number = 2")
    assert sweep_examples(log.connection, timedelta(days=1)) == 0
    log.connection.execute("update examples set made_at = made_at - interval '2 days'")
    assert sweep_examples(log.connection, timedelta(days=1)) == 2
    assert len(log.splits(1)) == 3


def test_a_dataset_has_one_kind(log: Log) -> None:
    log.grow(3)
    log.curate()
    with pytest.raises(Rejected, match="is of kind sft"):
        log.curate(kind="preference")


def test_what_openbook_answered_itself_is_taken_where_somebody_liked_it(log: Log) -> None:
    liked, unjudged = (log.say(log.text(), log.text()) for _ in range(2))
    for one in (liked, unjudged):
        log.connection.execute(
            "insert into answers (conversation_id, ordinal, collection, strategy, outcome)"
            " values (%s, 1, 'default', 'none', 'answered')",
            [one],
        )
    log.judge(liked, "thumb", 1)
    log.curate()
    assert log.fate(unjudged) == "our own answer, which nobody judged"
    assert liked in log.splits()
