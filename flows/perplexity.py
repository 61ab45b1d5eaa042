"""How likely a model on this machine finds what was held out of a dataset."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from psycopg import Connection

from tasks.database import connect
from tasks.datasets.export import export
from tasks.datasets.versions import find_version
from tasks.errors import Fatal, Rejected
from tasks.evaluate.answers.held_out import Likelihood, store_likelihoods
from tasks.evaluate.answers.page import markdown
from tasks.evaluate.answers.report import before, report
from tasks.records import ChatModel
from tasks.settings import Settings, current
from tasks.training.registry import Registered, check_artifact, find_model

_SPLITS = ("test", "validation")
"""What was never trained on, the first that a version has."""


@flow(name="perplexity", flow_run_name="perplexity {dataset} {model}")
def perplexity(dataset: str, model: str, against: int | None = None) -> dict[str, Any]:
    """Say how likely a model finds the answers of a dataset's held-out split, in nats a token.

    Args:
        dataset: A version of a dataset, NAME or NAME@VERSION.
        model: A registered model on this machine, NAME@VERSION, or a base: a folder or a hub's
            name.
        against: An earlier examination to compare with; none: the last one of the same split.
    """
    settings = current()
    with closing(connect(settings)) as connection:
        name, file = held_out(connection, settings, dataset)
        asked, base, adapter = local_model(connection, model)
        connection.commit()
        found = _likelihoods(base, file, adapter)
        made = store_likelihoods(connection, name, asked, found)
        other = before(connection, made) if against is None else against
        told = report(connection, made, other)
    create_markdown_artifact(
        key="perplexity-" + re.sub("[^a-z0-9]+", "-", name.lower()).strip("-"),
        markdown=markdown(told),
        description=f"How likely {asked.name} finds {name}",
    )
    return {**told.as_json(), "unjudged": []}


def held_out(connection: Connection, settings: Settings, dataset: str) -> tuple[str, Path]:
    """The name of the version's held-out split, and its file, written anew.

    Raises Rejected for a version that holds nothing out, or is no dataset of conversations.
    """
    version = find_version(connection, dataset)
    called = f"{version['dataset']}@{version['version']}"
    if version["kind"] == "preference":
        raise Rejected(f"{called} holds preferences", "Name a version of conversations.")
    split = next((one for one in _SPLITS if version["splits"].get(one)), None)
    if split is None:
        raise Rejected(f"{called} holds nothing out", "Give its spec a share for test.")
    folder = settings.home / "datasets" / version["dataset"] / str(version["version"])
    export(connection, settings, called, folder.absolute())
    return f"{called} {split}", folder.absolute() / f"{split}.jsonl"


def local_model(connection: Connection, called: str) -> tuple[ChatModel, str, Path | None]:
    """The model, the base that it stands on, and its adapter's folder where it has one.

    Raises Fatal for an unknown model, and for one whose adapter is on another machine or altered.
    """
    if "@" not in called:
        return ChatModel(called, called), called, None
    found = find_model(connection, called)
    named = ChatModel(found.called, found.endpoint_model or found.called, id=found.id)
    return named, found.base, _adapter(found)


def _adapter(model: Registered) -> Path | None:
    if model.artifact is None:
        if model.training_run_id is not None:
            raise Fatal(
                f"{model.called} was trained by a provider, which tells no likelihoods",
                "Examine it with golden questions: openbook evaluate --answers.",
            )
        return None
    if model.host != socket.gethostname():
        raise Fatal(f"The adapter of {model.called} is on {model.host}", "Run this there.")
    check_artifact(model)
    return Path(model.artifact)


def _likelihoods(base: str, file: Path, adapter: Path | None) -> dict[str, Likelihood]:
    try:
        from tasks.training.local.perplexity import likelihoods

        found = likelihoods(base, file, adapter)
    except ModuleNotFoundError as error:
        raise Fatal(
            f"reading a model needs {error.name}, which is not installed",
            "Install it with: pip install openbook[train], or make train.",
        ) from None
    return {one.example: Likelihood(one.mean, one.tokens) for one in found if one.tokens}
