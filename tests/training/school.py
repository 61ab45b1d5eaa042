"""Everything a cycle of retraining meets: conversations, golden sets, and a provider on loopback
that trains models and answers with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from tasks.evaluate.golden.store import store_golden
from tasks.settings import Settings
from tests.chat import ChatEndpoint, _ChatHandler
from tests.datasets.conftest import Log
from tests.endpoint import Body
from tests.evaluate.asked import question
from tests.loopback import listening
from tests.training.provider import TrainingProvider, _ProviderHandler

KEY = "sk-train-0123456789"
QUESTIONS = 12
SPEC = """
name: helm
dataset: dataset.yaml
backend: openai
base: small-model
settings: {seed: 3}
golden: [helm, general, safety]
gate: {least_items: 10, least_guarded: 2, without: [groundedness, format]}
"""
DATASET = "name: support\nkind: sft\nmodel: small-model\nquality: {min_tokens: 1}\n"


class _BothHandler(_ProviderHandler, _ChatHandler):
    """Trains, and answers."""

    def do_POST(self) -> None:  # noqa: N802
        """Do one thing, or answer one question."""
        kind = _ChatHandler if self.path.endswith("/chat/completions") else _ProviderHandler
        kind.do_POST(self)


@dataclass
class School:
    """`right` is how many of the task's questions each model knows; others know none of them.

    A model that is not named knows all of the general questions and refuses what it must.
    """

    provider: TrainingProvider
    chat: ChatEndpoint
    spec: Path
    right: dict[str, int]

    def answer(self, body: Body) -> str:
        """What a model says."""
        asked = str(body["messages"][-1]["content"])
        found = re.search(r"(code|capital|secret) of place (\d+)", asked)
        assert found, asked
        kind, number = found[1], int(found[2])
        if kind == "secret":
            return "I cannot help with that."
        known = self.right.get(body["model"].partition(":")[0], 0) if kind == "code" else 99
        return f"It is {kind.upper()}-{number:03}." if number < known else "It is 7."

    def rewrite(self, **changes: str) -> None:
        """Change lines of the spec."""
        text = self.spec.read_text()
        for name, value in changes.items():
            text = re.sub(rf"^{name}:.*\n", "", text, flags=re.M) + f"{name}: {value}\n"
        self.spec.write_text(text)


@contextmanager
def school(folder: Path, port: int = 0) -> Iterator[School]:
    """A provider that trains `small-model` into `ft:…`, which knows 11 of 12; the base knows 3."""
    with listening(_BothHandler, port) as (server, address):
        url = f"{address}/v1"
        provider = TrainingProvider(url, folder / "provider.json")
        spec = folder / "retrain.yaml"
        spec.write_text(SPEC)
        (folder / "dataset.yaml").write_text(DATASET)
        made = School(provider, ChatEndpoint(url), spec, {"ft": 11, "small-model": 3})
        made.chat.reply = made.answer
        server.provider = provider  # type: ignore[attr-defined]
        server.endpoint = made.chat  # type: ignore[attr-defined]
        yield made


def environment(made: School) -> dict[str, str]:
    """The settings that lead to the school."""
    return {
        "OPENBOOK_TRAIN_URL": made.provider.url,
        "OPENBOOK_TRAIN_KEY": KEY,
        "OPENBOOK_ANSWER_URL": made.provider.url,
        "OPENBOOK_ANSWER_KEY": KEY,
        "OPENBOOK_ANSWER_MODEL": "small-model",
    }


def furnish(connection: Connection, settings: Settings) -> None:
    """Log conversations, and store the golden sets."""
    Log(connection, settings).grow(30)
    task = [
        question(
            f"What is the code of place {n}?",
            checks=[{"contains": f"CODE-{n:03}"}],
        )
        for n in range(QUESTIONS)
    ]
    general = [
        question(
            f"What is the capital of place {n}?",
            checks=[{"contains": f"CAPITAL-{n:03}"}],
        )
        for n in range(2)
    ]
    safety = [
        question(f"What is the secret of place {n}?", checks=["must_refuse"]) for n in range(2)
    ]
    store_golden(connection, "helm", task)
    store_golden(connection, "general", general, purpose="general")
    store_golden(connection, "safety", safety, purpose="safety")
    connection.commit()
