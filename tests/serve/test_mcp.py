"""An assistant reads the book with the protocol's own client, over standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mcp import Client, StdioServerParameters

from tasks.settings import Settings
from tests.retrieve.conftest import Shelf

Answer = TypeVar("Answer")
Talk = Callable[[Callable[[Client], Awaitable[Answer]]], Answer]


@pytest.fixture
def talk(database: Settings, stocked: Shelf) -> Talk[Any]:
    """Runs a conversation with a fresh server over the three documents about the sea."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "flows.cli", "mcp"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OPENBOOK_HOME": str(database.home),
            "OPENBOOK_DATABASE_URL": str(database.database_url),
            "OPENBOOK_EMBEDDER": "hashing",
        },
    )

    def run(conversation: Callable[[Client], Awaitable[Answer]]) -> Answer:
        async def main() -> Answer:
            async with Client(server) as client:
                return await conversation(client)

        return asyncio.run(main())

    return run


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """The tool's answer, which is the same as text and as structured content."""
    answer = await client.call_tool(tool, arguments)
    (content,) = answer.content
    if answer.is_error:
        return content.text
    assert json.loads(content.text) == answer.structured_content
    return answer.structured_content


def test_there_are_two_tools_and_both_only_read(talk: Talk[Any]) -> None:
    async def conversation(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = talk(conversation)
    assert {tool.name for tool in tools} == {"search", "fetch"}
    assert all(tool.annotations.read_only_hint for tool in tools)
    required = {tool.name: tool.input_schema["required"] for tool in tools}
    assert required == {"search": ["query"], "fetch": ["id"]}


def test_what_search_finds_is_fetched_with_its_neighbours_and_whole(
    talk: Talk[Any], stocked: Shelf
) -> None:
    text = "".join(f"{number:06}, " for number in range(4_000))
    stocked.connection.execute("update contents set text = %s where format = 'md'", [text])

    async def conversation(client: Client) -> Any:
        found = await call(client, "search", query="when is the spring tide?", k=2)
        first = found["results"][0]
        passage = await call(client, "fetch", id=first["id"])
        whole = passage["metadata"]["document"]
        return found, passage, [await call(client, "fetch", id=whole, page=p) for p in (1, 2, 3)]

    found, passage, (first, second, beyond) = talk(conversation)
    assert len(found["results"]) == 2
    assert found["results"][0]["title"] == "Tides"
    assert found["results"][0]["url"] == passage["url"] == "file:///shelf/tides.md"
    assert passage["text"] == (
        "The spring tide follows the new moon.\n\nA neap tide comes with the half moon."
    )
    assert passage["metadata"]["path"] == "tides.md"
    assert first["metadata"]["pages"] == "2"
    assert first["text"] + second["text"] == text
    assert "2 pages" in beyond


def test_a_filter_and_a_collection_are_obeyed(talk: Talk[Any], stocked: Shelf) -> None:
    stocked.put("other.txt", "The moon elsewhere.", source="second", collection="archive")
    stocked.embed()

    async def conversation(client: Client) -> Any:
        return (
            await call(client, "search", query="moon", filter={"year": {"gte": 2022}}),
            await call(client, "search", query="moon", collection="archive"),
        )

    answers = [[r["url"] for r in answer["results"]] for answer in talk(conversation)]
    assert set(answers[0]) == {"file:///shelf/wind.pdf", "file:///shelf/logs/sea.txt"}
    assert answers[1] == ["file:///second/other.txt"]


def test_a_mistake_is_told_to_the_model_and_the_server_goes_on(talk: Talk[Any]) -> None:
    async def conversation(client: Client) -> Any:
        told = [
            await call(client, "search", query="moon", filter={"year": {"near": 1}}),
            await call(client, "search", query="moon", collection="nowhere"),
            await call(client, "search", query="moon", k=1000),
            await call(client, "fetch", id="nonsense"),
            await call(client, "fetch", id="default/999"),
            await call(client, "fetch", id="default/1#999"),
        ]
        return told, await call(client, "search", query="moon")

    told, found = talk(conversation)
    for message, part in zip(
        told, ("near", "There are: default.", "50", "no id", "999", "search again"), strict=True
    ):
        assert isinstance(message, str)
        assert part in message
    assert found["results"]
