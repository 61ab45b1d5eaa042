"""A log of conversations to curate, written as SQL people write it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.datasets.curate import curate
from tasks.datasets.read_spec import parse_spec
from tasks.datasets.spec import Spec
from tasks.datasets.versions import Outcome
from tasks.settings import Settings

WORDS = [f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in "nprst"]


class Log:
    """The conversations of a database, and the datasets that are made of them."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings
        self._chooser = random.Random(17)

    def say(self, *said: str | dict[str, Any], **columns: Any) -> int:
        """Log a conversation: texts of user and assistant in turn, or whole messages; its id."""
        names = ["metadata", *columns]
        values = [Jsonb({}), *columns.values()]
        row = self.connection.execute(
            f"insert into conversations ({', '.join(names)})"
            f" values ({', '.join(['%s'] * len(names))}) returning id",
            values,
        ).fetchone()
        assert row is not None
        for place, one in enumerate(said):
            role = "assistant" if place % 2 else "user"
            message = one if isinstance(one, dict) else {"role": role, "content": one}
            keys = ["conversation_id", *message]
            self.connection.execute(
                f"insert into messages ({', '.join(keys)})"
                f" values ({', '.join(['%s'] * len(keys))})",
                [row[0], *(Jsonb(v) if k == "tool_calls" else v for k, v in message.items())],
            )
        return int(row[0])

    def text(self, length: int = 40) -> str:
        """Words that stand in no other text in this order."""
        return " ".join(self._chooser.choices(WORDS, k=length))

    def grow(self, conversations: int, **columns: Any) -> list[int]:
        """Log so many conversations that have nothing to do with each other."""
        return [self.say(self.text(), self.text(), **columns) for _ in range(conversations)]

    def judge(
        self,
        conversation: int,
        kind: str,
        value: float | None = None,
        ordinal: int | None = None,
        alternative: str | None = None,
    ) -> None:
        """Give feedback on a conversation or on one of its messages."""
        said = None if alternative is None else {"role": "assistant", "content": alternative}
        self.connection.execute(
            "insert into feedback (conversation_id, ordinal, kind, value, alternative)"
            " values (%s, %s, %s, %s, %s)",
            [conversation, ordinal, kind, value, Jsonb(said) if said else None],
        )

    def curate(self, spec: str | Spec = "", kind: str = "sft", plan: bool = False) -> Outcome:
        """Curate a spec: lines of YAML after its name and kind."""
        if isinstance(spec, str):
            spec = parse_spec(f"name: support\nkind: {kind}\n{spec}")
        self.connection.commit()
        outcome = curate(self.connection, spec, self.settings, plan=plan)
        self.connection.commit()
        return outcome

    def splits(self, number: int | None = None, dataset: str = "support") -> dict[int, str]:
        """The split of each conversation of a version, the newest if none is given."""
        return dict(
            self.connection.execute(
                "select conversation_id, split from analytics.dataset_lineage l"
                " where dataset = %s and conversation_id is not null and version = coalesce(%s,"
                " (select max(version) from analytics.datasets d where d.dataset = l.dataset))",
                [dataset, number],
            ).fetchall()
        )

    def bodies(self) -> list[dict[str, Any]]:
        """The examples of the newest version."""
        rows = self.connection.execute(
            "select e.body from examples e join dataset_examples d on d.example_id = e.id"
            " where d.version_id = (select max(id) from dataset_versions) and d.split <> 'golden'"
            " order by e.conversation_id, e.sha256"
        ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def fate(self, conversation: int) -> str:
        """The reason why the newest version left a conversation out, else its split."""
        row = self.connection.execute(
            "select reason from dataset_exclusions where conversation_id = %s"
            " order by version_id desc limit 1",
            [conversation],
        ).fetchone()
        return str(row[0]) if row else self.splits()[conversation]


@pytest.fixture
def log(connection: Connection, database: Settings) -> Iterator[Log]:
    """An empty log."""
    yield Log(connection, database)
