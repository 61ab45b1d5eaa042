"""Logging from an application: the real client, a real server, and nothing that gets in its way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tasks.conversations.forget import forget_user
from tasks.conversations.log import about, feedback, logged
from tasks.conversations.pseudonyms import pseudonyms
from tasks.conversations.store import lock_writers
from tasks.conversations.writer import Counts, Writer
from tasks.settings import Settings
from tests.conversations.conftest import Log
from tests.conversations.model_server import model_server

TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model_server() as address:
        yield address


@pytest.fixture
def writer(log: Log) -> Iterator[Writer]:
    """A writer into the test's database."""
    made = Writer(log.settings)
    yield made
    made.close(0)


@pytest.fixture
def client(url: str, writer: Writer) -> openai.OpenAI:
    return logged(openai.OpenAI(base_url=url, api_key="k", max_retries=0), writer)


def say(client: openai.OpenAI, *messages: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="m", messages=list(messages), **options)


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def test_a_call_is_logged_with_what_was_measured_and_said_about_it(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    with about(user="anna", tenant="acme", conversation="c-4", tags=("beta",), chunk_ids=[3, 5]):
        answer = say(client, {"role": "system", "content": "Be kind."}, user("Hello"))
    assert answer.choices[0].message.content == "You said: Hello"
    assert writer.flush()
    assert log.said() == [
        ("system", "Be kind."), ("user", "Hello"), ("assistant", "You said: Hello"),
    ]  # fmt: skip
    measured = "external_id, model, input_tokens, output_tokens, latency_ms >= 0, chunk_ids"
    assert log.said(measured)[-1] == (answer.id, "m-1", 11, 7, True, [3, 5])
    assert log.ask("select external_id, format, tags from conversations") == [
        ("c-4", "log", ["beta"])
    ]
    assert "anna" not in str(log.ask("select c::text from conversations c"))
    assert writer.counts == Counts(logged=1)


@pytest.mark.parametrize("stream", [False, True])
def test_calls_that_go_on_from_each_other_are_one_conversation(
    log: Log, client: openai.OpenAI, writer: Writer, stream: bool
) -> None:
    first = say(client, user("Weather?"), tools=TOOLS, stream=stream)
    call: Any = {"id": "call_1", "type": "function",
                 "function": {"name": "weather", "arguments": '{"city": "Kiel"}'}}  # fmt: skip
    if stream:
        assert len(list(first)) == 3
    else:
        call = first.choices[0].message.tool_calls[0].model_dump()
    assistant = {"role": "assistant", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"}
    second = say(client, user("Weather?"), assistant, result, tools=TOOLS, stream=stream)
    if stream:
        assert "".join(c.choices[0].delta.content for c in second if c.choices) == "You said: Sunny"
    assert writer.flush()
    assert log.said("role, content, tool_calls->0->'function'->>'arguments', tool_call_id") == [
        ("user", "Weather?", None, None),
        ("assistant", None, '{"city": "Kiel"}', None),
        ("tool", "Sunny", None, "call_1"),
        ("assistant", "You said: Sunny", None, None),
    ]
    assert log.ask("select count(*), min(tools->0->'function'->>'name') from conversations") == [
        (1, "weather")
    ]


@pytest.mark.parametrize("ben", [("ben", "acme"), ("anna", "umbrella")])
def test_users_who_say_and_hear_the_same_have_conversations_of_their_own(
    log: Log, client: openai.OpenAI, writer: Writer, ben: tuple[str, str]
) -> None:
    anna = ("anna", "acme")
    greeted = [user("hi"), {"role": "assistant", "content": "You said: hi"}]
    for who in (anna, ben):
        with about(*who):
            say(client, user("hi"))
    with about(*anna):
        say(client, *greeted, user("I am Anna"))
    with about(*ben):
        say(client, *greeted, user("I am Ben"))
    assert writer.flush()
    names = pseudonyms(log.settings)
    said = log.ask(
        "select c.user_pseudonym, c.tenant_pseudonym, array_agg(m.content order by m.ordinal)"
        " from conversations c join messages m on m.conversation_id = c.id"
        " where m.role = 'user' group by c.id"
    )
    assert sorted(said) == sorted(
        (names.user(who[0]), names.tenant(who[1]), ["hi", f"I am {name}"])
        for who, name in ((anna, "Anna"), (ben, "Ben"))
    )


def test_a_response_that_several_users_go_on_from_is_the_conversation_of_none_of_them(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    first = client.responses.create(model="m", input="Be a pirate")
    for name in ("anna", "ben"):
        with about(user=name):
            client.responses.create(model="m", input=name, previous_response_id=first.id)
    assert writer.flush()
    assert forget_user(log.connection, pseudonyms(log.settings), "ben").messages == 4
    assert [content for role, content in log.said() if role == "user"] == [
        "Be a pirate", "Be a pirate", "anna",
    ]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_responses_are_logged_and_chained(
    log: Log, client: openai.OpenAI, writer: Writer, stream: bool
) -> None:
    first: Any = client.responses.create(model="m", input="Hello", stream=stream)
    identity = first.id if not stream else list(first)[-1].response.id
    second: Any = client.responses.create(
        model="m", input="More", previous_response_id=identity, stream=stream
    )
    if stream:
        list(second)
    assert writer.flush()
    assert [content for _, content in log.said()] == [
        "Hello", "You said: Hello", "More", "You said: More",
    ]  # fmt: skip


def test_the_asynchronous_client_is_logged_too(log: Log, url: str, writer: Writer) -> None:
    async def talk() -> None:
        client = logged(openai.AsyncOpenAI(base_url=url, api_key="k"), writer)
        with about(conversation="c-1"):
            await client.chat.completions.create(model="m", messages=[user("One")])
        with about(conversation="c-2"):
            stream = await client.chat.completions.create(
                model="m", messages=[user("Two")], stream=True
            )
            async for _ in stream:
                pass
        await client.responses.create(model="m", input="Three")

    asyncio.run(talk())
    assert writer.flush()
    assert sorted(content for role, content in log.said() if role == "user") == [
        "One", "Three", "Two",
    ]  # fmt: skip


def test_a_stream_that_is_left_early_is_logged_as_far_as_it_came(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    stream = say(client, user("Hello"), stream=True)
    next(stream)
    stream.close()
    assert writer.flush()
    assert log.said()[-1] == ("assistant", "You said")


def test_a_message_that_is_appended_after_the_call_was_not_said_in_it(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    messages = [user("Hello")]
    client.chat.completions.create(model="m", messages=messages)
    messages.append(user("Later"))
    assert writer.flush()
    assert len(log.said()) == 2


def test_feedback_finds_the_answer_or_the_conversation(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    with about(conversation="c-4"):
        answer = say(client, user("Hello"))
    feedback(answer.id, "thumb", -1, comment="rude", writer=writer)
    feedback(answer.id, "correction", alternative="Good day", writer=writer)
    feedback("c-4", "score", 3, writer=writer)
    feedback("nobody knows this", "thumb", 1, writer=writer)
    assert writer.flush()
    assert log.ask(
        "select ordinal, kind, value, comment, alternative->>'content' from feedback order by id"
    ) == [
        (2, "thumb", -1, "rude", None),
        (2, "correction", None, None, "Good day"),
        (None, "score", 3, None, None),
    ]
    assert writer.counts == Counts(logged=4, failed=1)


def judge_at_once(log: Log, client: openai.OpenAI, writer: Writer, *values: float) -> None:
    """Give thumbs that the writer finds together in its queue."""
    with about(conversation="c-4"):
        say(client, user("Hello"))
        assert writer.flush()
        with log.connection.transaction():
            lock_writers(
                log.connection
            )  # the next call waits for it, and what follows for the call
            say(client, user("Hello again"))
            for value in values:
                feedback("c-4", "thumb", value, comment="once", writer=writer)


def test_a_judgement_that_cannot_be_stored_costs_no_other_and_doubles_none(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    judge_at_once(log, client, writer, -1, 1, 5, -1)
    assert writer.flush()
    assert log.ask("select value from feedback order by id") == [(-1,), (1,), (-1,)]
    assert writer.counts == Counts(logged=5, failed=1)


def test_a_connection_that_is_lost_half_way_doubles_no_judgement(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    log.connection.execute(
        "create sequence rows_of_feedback;"
        "create function lose_connection() returns trigger language plpgsql as $$ begin"
        " if nextval('openbook.rows_of_feedback') = 2 then"
        " perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$;"
        "create trigger lose_connection before insert on feedback"
        " for each row execute function lose_connection()"
    )
    judge_at_once(log, client, writer, -1, 1, -1)
    assert writer.flush(10)
    assert log.ask("select value from feedback order by id") == [(-1,), (1,), (-1,)]
    assert writer.counts == Counts(logged=5)


def test_a_call_that_fails_raises_as_ever_and_is_not_logged(
    client: openai.OpenAI, writer: Writer
) -> None:
    with pytest.raises(openai.BadRequestError):
        say(client, user("fail"))
    assert writer.counts == Counts()


def test_without_a_database_the_application_goes_on_and_drops_are_counted(
    url: str, tmp_path: Path
) -> None:
    away = Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none")
    writer = Writer(away, capacity=3)
    client = logged(openai.OpenAI(base_url=url, api_key="k"), writer)
    for _ in range(8):
        assert say(client, user("Hello")).choices
    assert not writer.flush(0.1)
    writer.close(0.1)
    assert writer.counts.logged == 0
    assert writer.counts.dropped == 8


def test_what_cannot_be_understood_costs_nothing_but_itself(
    log: Log, client: openai.OpenAI, writer: Writer
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="m", messages=[user("Raw")])
    assert raw.parse().choices
    say(client, user("Hello"), extra_body={"x": 1})
    assert writer.flush()
    assert writer.counts.logged == 1


def run(program: str, log: Log, url: str) -> None:
    """Run a program that has an OpenAI client, logged, and can `say` something to it."""
    beginning = (
        "import openai, os, sys; from tasks.conversations.log import counts, flush, logged\n"
        "client = logged(openai.OpenAI(base_url=sys.argv[1], api_key='k'))\n"
        "def say(text): client.chat.completions.create("
        "model='m', messages=[{'role': 'user', 'content': text}])\n"
    )
    subprocess.run(
        [sys.executable, "-c", beginning + program, url],
        cwd=ROOT,
        check=True,
        env={
            "OPENBOOK_DATABASE_URL": str(log.settings.database_url),
            "OPENBOOK_HOME": str(log.settings.home),
            "PYTHONPATH": str(ROOT),
        },
    )


def test_a_process_that_ends_flushes_what_it_has(log: Log, url: str) -> None:
    run("say('Last words')", log, url)
    assert log.said()[0] == ("user", "Last words")


def test_a_process_that_was_forked_logs_for_itself(log: Log, url: str) -> None:
    run(
        "say('Before'); flush(10)\n"
        "child = os.fork()\n"
        "say('Within' if child == 0 else 'Beside')\n"
        "flushed = flush(10) and counts().logged == (1 if child == 0 else 2)\n"
        "if child == 0: os._exit(0 if flushed else 1)\n"
        "sys.exit(os.waitpid(child, 0)[1] or not flushed)\n",
        log,
        url,
    )
    said = log.ask("select content from messages where role = 'user' order by 1")
    assert said == [("Before",), ("Beside",), ("Within",)]
