"""Files of conversations, and what the tables hold of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.conversations.load import Report, load
from tasks.database import connect
from tasks.settings import Settings


def lines(*values: Any) -> str:
    """JSON Lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def chat(*said: str, **beside: Any) -> dict[str, Any]:
    """A line of chat in which user and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return {**beside, "messages": messages}


class Log:
    """A database of conversations, and files to load into it."""

    def __init__(self, connection: psycopg.Connection, settings: Settings, folder: Path) -> None:
        self.connection = connection
        self.settings = settings
        self.folder = folder

    def load(self, content: str | bytes | Path, name: str = "log.jsonl", **options: Any) -> Report:
        """Write a file and load it."""
        path = content if isinstance(content, Path) else self.folder / name
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(self.connection, self.settings, path, **options)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return self.connection.execute(statement.encode()).fetchall()

    def clear(self) -> None:
        """Empty the tables."""
        self.connection.execute("truncate conversations, messages, feedback, load_files cascade")

    def said(self, columns: str = "role, content") -> list[tuple[Any, ...]]:
        """The messages in order."""
        return self.ask(f"select {columns} from messages order by conversation_id, ordinal")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What is stored, without numbers and times that a load gives."""
        return {
            "conversations": self.ask(
                "select external_id, model, tags, metadata, identity_hash, content_hash"
                " from conversations order by identity_hash"
            ),
            "messages": self.ask(
                "select c.identity_hash, m.ordinal, m.role, m.content from messages m"
                " join conversations c on c.id = m.conversation_id order by 1, 2"
            ),
            "feedback": self.ask("select kind, value, content_hash from feedback order by 3"),
        }


@pytest.fixture
def log(database: Settings, tmp_path: Path) -> Iterator[Log]:
    """An empty log."""
    settings = replace(database, parse_workers=2)
    with closing(connect(settings, autocommit=True)) as connection:
        yield Log(connection, settings, tmp_path)
