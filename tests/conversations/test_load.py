"""Loading: each conversation once, in its later state; a bad line stops no other."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from typing import Any

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.conversations.block import load_block
from tasks.conversations.files import Block
from tasks.conversations.forget import forget_conversation, forget_user
from tasks.conversations.pseudonyms import pseudonyms
from tests.conversations.conftest import Log, chat, lines

TWO = lines(
    chat("How long is the warranty?", "Two years.", id="a"), chat("Is it loud?", "No.", id="b")
)


def test_a_file_loads_with_roles_order_and_what_stands_beside_the_messages(log: Log) -> None:
    line = chat(
        "How long is the warranty?",
        "Two years.",
        id="a",
        model="m-1",
        tags=["support"],
        created_at=1_700_000_000,
        channel="web",
    )
    report = log.load(lines(line))
    assert (report.read, report.added, report.messages, report.format) == (1, 1, 2, "chat")
    assert report.whole
    assert log.said() == [("user", "How long is the warranty?"), ("assistant", "Two years.")]
    ((external, model, tags, metadata, year),) = log.ask(
        "select external_id, model, tags, metadata, extract(year from started_at)::int"
        " from conversations"
    )
    assert (external, model, tags, metadata, year) == (
        "a", "m-1", ["support"], {"channel": "web"}, 2023,
    )  # fmt: skip


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_the_same_conversations_in_another_file_or_compression_add_nothing(
    log: Log, compress: Callable[[bytes], bytes]
) -> None:
    log.load(TWO)
    before = log.rows()
    again = log.load(TWO)
    other = log.load(compress(TWO.encode()), "log.copy")
    for report in (again, other):
        assert (report.read, report.added, report.unchanged, report.messages) == (2, 0, 2, 0)
    assert log.rows() == before


@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_and_values_over_many_lines_load_as_lines_do(log: Log, indent: int | None) -> None:
    log.load(TWO)
    before = log.rows()
    values = [json.loads(line) for line in TWO.splitlines()]
    array = log.load(json.dumps(values, indent=indent), "array.json")
    one_by_one = log.load("\n".join(json.dumps(value, indent=2) for value in values), "many.json")
    assert (array.unchanged, one_by_one.unchanged) == (2, 2)
    assert log.rows() == before


TEN = [json.dumps(chat(f"How long is {n}?", f"{n} meters.", id=f"c{n}")) for n in range(10)]
TORN = ('{"id": "c4", "messages": [{"role": "us', TEN[4][:-3], TEN[4][:40] + '"')


@pytest.mark.parametrize(
    ("before", "between"), [("", "\n"), ("", "\r\n"), ("[", ", "), ("[\n", ",\n")]
)
def test_a_value_that_was_torn_costs_no_other(log: Log, before: str, between: str) -> None:
    for torn, place in product(TORN, (0, 4, 9)):
        log.clear()
        values = [*TEN[:place], torn, *TEN[place + 1 :]]
        report = log.load(before + between.join(values) + ("]" if before else "\n"))
        assert (report.added, report.rejected) == (9, 1), (torn, place)


@pytest.mark.parametrize("before", ["", "[\n"])
def test_a_bracket_too_many_costs_no_other(log: Log, before: str) -> None:
    values = [*TEN[:4], TEN[4] + "]}}", *TEN[5:]]
    report = log.load(before + (",\n" if before else "\n").join(values))
    assert report.added >= 9


@pytest.mark.parametrize("place", [0, 4, 9])
def test_a_value_over_many_lines_that_was_torn_costs_no_other(log: Log, place: int) -> None:
    values = [json.dumps(json.loads(value), indent=2) for value in TEN]
    values[place] = values[place][:50]
    report = log.load("\n".join(values))
    assert (report.added, report.rejected) == (9, 1)
    assert report.rejections[0].line == 1 + place * values[1].count("\n") + place


def test_a_conversation_that_grew_is_brought_to_its_later_state(log: Log) -> None:
    log.load(lines(chat("Hello", "Hi", id="a")))
    ((number, changed),) = log.ask("select id, changed_at from conversations")
    report = log.load(lines(chat("Hello", "Hi", "And now?", "Now this.", id="a")))
    assert (report.added, report.grown, report.messages) == (0, 1, 2)
    assert [content for _, content in log.said()] == ["Hello", "Hi", "And now?", "Now this."]
    ((same, later),) = log.ask("select id, changed_at from conversations")
    assert same == number
    assert later > changed


def test_an_earlier_state_that_comes_late_changes_nothing(log: Log) -> None:
    log.load(lines(chat("Hello", "Hi", "And now?", "Now this.", id="a")))
    before = log.rows()
    report = log.load(lines(chat("Hello", "Hi", id="a")))
    assert (report.grown, report.unchanged) == (0, 1)
    assert log.rows() == before


def test_an_answer_that_was_replaced_is_kept_beside_the_new_one(log: Log) -> None:
    log.load(lines(chat("Hello", "Hmm", id="a")))
    log.load(lines(chat("Hello", "Hi there", "Thanks", "Welcome", id="a")))
    assert [content for _, content in log.said()] == ["Hello", "Hi there", "Thanks", "Welcome"]
    assert log.ask("select ordinal, kind, alternative from feedback") == [
        (2, "regeneration", {"role": "assistant", "content": "Hmm"})
    ]


def test_one_id_in_two_files_with_other_beginnings_is_two_conversations(log: Log) -> None:
    log.load(lines(chat("Hello", "Hi", id="1")))
    assert log.load(lines(chat("Bonjour", "Salut", id="1")), "other.jsonl").added == 1


def replaced(log: Log) -> list[tuple[Any, ...]]:
    """The answers that gave way, with the place of the one that stayed."""
    return log.ask(
        "select ordinal, alternative->>'content' from feedback"
        " where kind = 'regeneration' order by 1, 2"
    )


def test_the_order_in_which_states_arrive_does_not_matter(log: Log) -> None:
    states = [
        chat("q", "a", id="x"),
        chat("q", "b", "r", "c", id="x"),
        chat("q", "b", "r", "d", "s", "e", id="x"),
        chat("q", "f", "r", id="x", ended_at="2026-01-01T00:00:00Z"),
    ]
    for order in random.Random(3).sample(list(permutations(states)), 8):
        log.clear()
        for state in [*order, *order]:
            log.load(lines(state))
        assert [content for _, content in log.said()] == ["q", "b", "r", "d", "s", "e"]
        assert replaced(log) == [(2, "a"), (2, "f"), (4, "c")]


def test_of_answers_given_anew_the_last_stays_and_the_others_beside_it(log: Log) -> None:
    states = [chat(f"q{n}", answer, id=f"x{n}") for answer in "abc" for n in range(20)]
    for file in (states, states[:20], states[20:40]):  # the earlier ones again
        log.load(lines(*file), f"{len(file)}.jsonl")
        assert log.ask("select distinct content from messages where role = 'assistant'") == [("c",)]
        assert replaced(log) == [(2, "a")] * 20 + [(2, "b")] * 20


def test_of_answers_given_anew_in_later_files_the_last_stays(log: Log) -> None:
    for file in ("a", "b", "c", "a", "b"):
        log.load(lines(chat("q", file, id="x")), f"{file}.jsonl")
    assert log.said()[1:] == [("assistant", "c")]
    assert replaced(log) == [(2, "a"), (2, "b")]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_blocks_that_overtake_each_other_leave_the_last_line(
    log: Log, order: tuple[int, ...]
) -> None:
    log.ask("insert into load_files (path, started_at) values ('x', clock_timestamp()) returning 1")
    names = pseudonyms(log.settings)
    for place in order:
        line = json.dumps(chat("q", "abc"[place], id="x")).encode()
        load_block(log.connection, names, Block([(place + 1, line)]), load_file_id=1)
    assert log.said()[1:] == [("assistant", "c")]
    assert replaced(log) == [(2, "a"), (2, "b")]


@pytest.mark.parametrize("later", [("Hello", "Hi"), ("Hello",), ("Hello", "Hi", "More")])
def test_who_said_it_is_learned_from_another_state_too(log: Log, later: tuple[str, ...]) -> None:
    log.load(lines(chat("Hello", "Hi", id="a")))
    log.load(lines(chat(*later, id="a", user="anna", tenant="acme")))
    log.load(lines(chat("Hello", "Hi", id="a", user="ben")))
    names = pseudonyms(log.settings)
    assert log.ask("select user_pseudonym, tenant_pseudonym from conversations") == [
        (names.user("anna"), names.tenant("acme"))
    ]
    assert log.load(lines(chat("Hello", "Hi", id="a", user="anna"))).unchanged == 1
    assert forget_user(log.connection, names, "anna").conversations == 1


def test_a_bad_line_is_named_with_its_reason_and_the_others_load(log: Log) -> None:
    bad: list[Any] = [
        '{"messages": [',
        '{"messages": []}',
        '{"messages": [{"role": "judge", "content": "x"}]}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "user", "content": 3}]}',
        '{"messages": [{"role": "assistant", "content": "x", "weight": 7}]}',
        '{"words": []}',
        "[1]",
        "nonsense",
    ]
    report = log.load(TWO + "\n".join(bad) + "\n" + lines(chat("Last", "One", id="c")))
    assert report.added == 3
    assert report.rejected == len(bad)
    assert [one.line for one in report.rejections] == list(range(3, 3 + len(bad)))
    assert all(one.reason and one.remedy for one in report.rejections)
    assert "role 'judge'" in report.rejections[2].reason
    stored = log.ask("select line, reason from load_rejections order by line")
    assert stored == [(one.line, one.reason) for one in report.rejections]
    assert log.ask("select status, rejected, added from load_files") == [("loaded", len(bad), 3)]


def test_what_was_mended_in_a_file_is_rejected_no_more(log: Log) -> None:
    log.load(TWO + "nonsense\n")
    report = log.load(TWO)
    assert report.whole
    assert log.ask("select count(*) from load_rejections") == [(0,)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no conversation"),
        (b"\x89PNG\r\n\x1a\n\x00", "no JSON"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}\n', "not UTF-8"),
        (gzip.compress(TWO.encode(), mtime=0)[:40], "damaged"),
        (b'{"messages": ' + b"[" * 400 + b"]" * 400 + b"}", "nested deeper than 64"),
        (b"[" * 3000 + b"]" * 3000, "nested deeper than 64"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_rejected_with_a_remedy(
    log: Log, content: bytes, reason: str
) -> None:
    report = log.load(content)
    assert report.reason is not None and report.remedy
    assert reason in report.reason
    assert log.ask("select status from load_files") == [("rejected",)]


def test_a_file_that_is_not_there_is_named(log: Log) -> None:
    report = log.load(log.folder / "absent.jsonl")
    assert report.reason == "No such file or directory"


def test_characters_that_postgres_cannot_store_become_replacement_characters(log: Log) -> None:
    line = '{"messages": [{"role": "user", "content": "a\\u0000b \\ud83d\\ude00 \\ud800 c"}]}\n'
    assert log.load(line).whole
    assert log.said() == [("user", "a\ufffdb \N{GRINNING FACE} \ufffd c")]


def test_such_characters_in_json_within_a_text_are_replaced_too(log: Log) -> None:
    tools = json.dumps([{"type": "function", "function": {"name": "a\0b"}}])
    assert log.load(lines(chat("Hello", "Hi", tools=tools))).whole
    (stored,) = log.ask("select tools #>> '{0,function,name}' from conversations")
    assert stored == ("a\ufffdb",)


def test_what_is_measured_of_a_message_makes_it_no_other(log: Log) -> None:
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    measured = [said[0], {**said[1], "latency_ms": 40, "chunk_ids": [3], "model": "m"}]
    log.load(lines({"messages": measured}))
    again = log.load(lines({"messages": said}), "bare.jsonl")
    assert (again.added, again.unchanged) == (0, 1)
    assert log.said("latency_ms, chunk_ids, model")[-1] == (40, [3], "m")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(), min_size=1, max_size=4))
def test_every_text_comes_back_as_it_was(log: Log, texts: list[str]) -> None:
    log.clear()
    assert log.load(lines(chat(*texts))).whole
    assert [content for _, content in log.said()] == [t.replace("\0", "\ufffd") for t in texts]


def test_a_line_that_is_too_long_is_left_out(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.conversations.files.LONGEST_LINE", 3 << 20)
    monkeypatch.setattr("tasks.conversations.files._BLOCK_BYTES", 1 << 20)
    long = lines(chat("x" * (5 << 20), "y", id="long"))
    report = log.load(TWO + long + lines(chat("Last", "One", id="c")))
    assert (report.added, [one.line for one in report.rejections]) == (3, [3])


def test_many_blocks_are_loaded_by_several_processes_as_by_one(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = random.Random(7)
    text = lines(
        *(
            chat(*(str(words.random()) for _ in range(6)), id=f"c{n % 700}", user=f"u{n % 9}")
            for n in range(900)
        )
    )
    log.load(text)
    before = log.rows()
    log.clear()
    monkeypatch.setattr("tasks.conversations.files._BLOCK_BYTES", 20_000)
    report = log.load(text)
    assert report.read == 900
    assert report.added == len(before["conversations"])
    assert log.rows() == before


def test_users_and_tenants_are_stored_by_pseudonyms_alone(log: Log) -> None:
    log.load(
        lines(
            chat("Hi", "Hello", id="a", user="anna@example.com", tenant="acme-gmbh"),
            chat("Hi", "Hello", id="b", metadata={"user_id": "anna@example.com", "plan": "pro"}),
        )
    )
    pseudonyms = log.ask("select distinct user_pseudonym from conversations")
    assert len(pseudonyms) == 1
    everything = str(log.ask("select c::text from conversations c"))
    assert "anna" not in everything
    assert "acme" not in everything
    assert "pro" in everything


def test_another_key_makes_other_pseudonyms(log: Log) -> None:
    kept = pseudonyms(log.settings)
    assert kept.user("anna") == pseudonyms(log.settings).user("anna") != kept.tenant("anna")
    given = pseudonyms(replace(log.settings, pseudonym_key="a long enough secret"))
    assert given.user("anna") != kept.user("anna")
    assert str(kept.key) not in repr(kept)


def test_who_ingests_loads_grows_and_forgets_without_owning_a_table(log: Log) -> None:
    log.connection.execute("set role openbook_ingest")
    assert log.load(TWO).added == 2
    assert log.load(
        lines(chat("How long is the warranty?", "One year.", "?", "Two.", id="a"))
    ).grown
    assert forget_conversation(log.connection, pseudonyms(log.settings), "a").messages == 4
