"""The right to be forgotten: everything of a user or a conversation goes, and stays gone."""

from __future__ import annotations

from datetime import timedelta

from tasks.conversations.forget import Erasure, expire, forget_conversation, forget_user
from tasks.conversations.pseudonyms import pseudonyms
from tests.conversations.conftest import Log, chat, lines

THREE = lines(
    chat("Hello", "Hi", id="a", user="anna", feedback="up"),
    chat("Good day", "Hi", id="b", user="anna"),
    chat("Moin", "Hi", id="c", user="ben"),
)


def test_a_users_conversations_go_with_messages_and_feedback(log: Log) -> None:
    log.load(THREE)
    names = pseudonyms(log.settings)
    assert forget_user(log.connection, names, "anna") == Erasure(2, 4, 1)
    assert log.ask("select external_id from conversations") == [("c",)]
    assert log.ask("select count(*) from messages") == [(2,)]
    assert log.ask("select count(*) from feedback") == [(0,)]


def test_forgetting_again_finds_nothing_and_writes_nothing_down(log: Log) -> None:
    log.load(THREE)
    names = pseudonyms(log.settings)
    forget_user(log.connection, names, "anna")
    assert forget_user(log.connection, names, "anna") == Erasure(0, 0, 0)
    erasures = log.ask("select reason, subject, conversations, messages from erasures")
    assert erasures == [("user", names.user("anna"), 2, 4)]


def test_what_was_forgotten_is_not_loaded_again_even_when_it_grew(log: Log) -> None:
    log.load(THREE)
    forget_conversation(log.connection, pseudonyms(log.settings), "a")
    report = log.load(THREE)
    assert (report.added, report.unchanged) == (0, 3)
    grown = lines(chat("Hello", "Hi", "More", "Yes", id="a", user="anna"))
    assert log.load(grown, "later.jsonl").added == 0
    assert log.ask("select external_id from conversations order by 1") == [("b",), ("c",)]


def test_what_was_forgotten_is_not_loaded_again_without_its_id_either(log: Log) -> None:
    log.load(lines(chat("Hello", "Hi, Anna", id="a", user="anna")))
    forget_conversation(log.connection, pseudonyms(log.settings), "a")
    assert log.load(lines(chat("Hello", "Hi, Anna")), "other.jsonl").added == 0


def test_no_table_holds_a_word_of_what_was_forgotten(log: Log) -> None:
    log.load(lines(chat("the secret word", "Hi", id="a", user="anna")))
    forget_conversation(log.connection, pseudonyms(log.settings), "a")
    tables = log.ask(
        "select relname from pg_class where relnamespace = 'openbook'::regnamespace"
        " and relkind = 'r'"
    )
    for (table,) in tables:
        rows = str(log.ask(f"select t::text from openbook.{table} t"))
        assert "secret word" not in rows
        assert "anna" not in rows


def test_what_was_searched_for_in_the_words_of_a_conversation_goes_with_it(log: Log) -> None:
    log.load(
        lines(
            chat("Where is xyzzy -cave?", "Here.", "And plugh?", "There.", id="a", user="anna"),
            chat("Where is the pump?", "Here.", id="b", user="ben"),
        )
    )
    log.ask("select openbook.add_model('m', 3, 100)")
    log.connection.execute("update models set serving = true")
    queries = ("Where is xyzzy -cave?", "Where is xyzzy -cave? And plugh?", "Where is the pump?")
    for asked in (*queries, "xyzzy"):
        log.connection.execute(
            "select openbook.log_search("
            "    %(q)s, 'c', 'hybrid', '{}', null, null, false, 3, 0, '{}', 1),"
            " openbook.remember_query('m', (openbook.read_query(%(q)s)).words, '[1,2,3]')",
            {"q": asked},
        )
    forget_user(log.connection, pseudonyms(log.settings), "anna")
    left = [("Where is the pump?",), ("xyzzy",)]
    assert log.ask("select query from search_log order by 1") == left
    assert log.ask("select query from query_embeddings order by 1") == left


def test_a_pseudonym_and_a_number_name_them_too(log: Log) -> None:
    log.load(THREE)
    names = pseudonyms(log.settings)
    ((number,),) = log.ask("select id from conversations where external_id = 'c'")
    assert forget_conversation(log.connection, names, str(number)).conversations == 1
    assert forget_user(log.connection, names, names.user("anna")).conversations == 2


def test_conversations_past_their_time_expire(log: Log) -> None:
    old = chat("Old", "Yes", id="old", started_at="2020-01-01T00:00:00Z")
    log.load(lines(old, chat("New", "Yes", id="new")))
    assert expire(log.connection, timedelta(days=30)).conversations == 1
    assert log.ask("select external_id from conversations") == [("new",)]
    assert log.load(lines(old)).added == 0
