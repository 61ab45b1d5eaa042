"""What a curation would make of each conversation alone, made as soon as it is loaded."""

from __future__ import annotations

import json
from contextlib import suppress

from psycopg import Connection

from tasks.database import hold, query
from tasks.datasets.example import Recipe
from tasks.datasets.read_spec import parse_spec
from tasks.datasets.source import choose
from tasks.datasets.spec import Spec
from tasks.datasets.store import keep_conversations, make_missing
from tasks.errors import Rejected
from tasks.settings import Settings


def prepare(connection: Connection, settings: Settings) -> dict[str, int]:
    """Make the examples that the supervised datasets there are lack; how many, by dataset.

    The next curation then has to decide alone. Pairs and RAFT examples depend on more than one
    conversation and wait for it. `connection` is in autocommit mode. A dataset that is being
    prepared elsewhere is left to that, and one whose spec is no longer read to its next curation.
    """
    made = {}
    for name, stored in connection.execute(query("prepare_specs")).fetchall():
        with suppress(Rejected), hold(connection, "prepare", name) as held:
            if held:
                made[name] = _prepare(connection, parse_spec(json.dumps(stored), name), settings)
    return made


def _prepare(connection: Connection, spec: Spec, settings: Settings) -> int:
    with connection.transaction():
        keep_conversations(connection)
        choose(connection, spec)
        connection.execute("analyze chosen")
        return make_missing(connection, Recipe.of(spec), settings, spec.quality.corrections)
