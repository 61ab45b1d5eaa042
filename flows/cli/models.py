"""Commands about models: models, promote, rollback."""

from __future__ import annotations

from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.group import as_json, main, on_prefect, print_json
from tasks.settings import current

if TYPE_CHECKING:
    from psycopg import Connection

    from tasks.training.registry import Registered


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the models that search and answers use: embedding models, and those that answer.

    Of an embedding model: how much of the readable text it has covered. Of one that answers: its
    stage, and what it was trained on. The configured one (OPENBOOK_ANSWER_MODEL) answers while
    none of the registry serves.
    """
    if ctx.invoked_subcommand:
        return
    from dataclasses import asdict

    from flows import show_models
    from tasks.database import connect
    from tasks.training.registry import chat_models
    from tasks.upkeep.models import models as all_models

    with connect(current()) as connection:
        embedding, answering = all_models(connection), chat_models(connection)
    configured = current().answer_model
    if as_json:
        print_json(
            {
                "embedding": [asdict(model) for model in embedding],
                "chat": [model.as_json() for model in answering],
                "configured": configured,
            }
        )
    else:
        show_models.models(embedding)
        show_models.chat_models(answering, configured)


@models.command()
@click.argument("name")
@as_json
def activate(name: str, as_json: bool) -> None:
    """Let search use the model NAME; refused while it lacks a readable text."""
    from tasks.database import connect
    from tasks.upkeep.models import activate as switch

    with connect(current()) as connection:
        switch(connection, name)
    if as_json:
        print_json({"model": name, "serving": True})
    else:
        click.echo(f"Search uses {name} now; set OPENBOOK_EMBEDDER to it for ingest and search.")


@models.command()
@click.argument("name")
@as_json
def drop(name: str, as_json: bool) -> None:
    """Drop all vectors of the model NAME, which search does not use.

    Maintenance does so by itself when it has been retired for as long as the past is kept.
    """
    from tasks.database import connect
    from tasks.upkeep.indexes import drop_model

    with connect(current()) as connection:
        gone = drop_model(connection, name)
    if as_json:
        print_json({"model": name, "dropped": gone})
    else:
        click.echo(f"{name}: {gone:,} vectors dropped")


@models.command("register")
@click.argument("name")
@click.option("--model", required=True, help="What its server calls it.")
@click.option("--url", help="Its server's base URL; without it, OPENBOOK_ANSWER_URL.")
@click.option("--base", help="The model that it was trained from; without it, it is its own base.")
@as_json
def register_model(name: str, model: str, url: str | None, base: str | None, as_json: bool) -> None:
    """Bring a model that is served elsewhere into the registry, as the next version of NAME.

    With NAME@VERSION: say where a registered model is served now, such as an adapter that was
    trained here and then given to vLLM.
    """
    from tasks.answer.offline import OFFLINE
    from tasks.database import connect
    from tasks.training.registry import Candidate, place, register

    if url is not None and url != OFFLINE and not url.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{url} begins with neither http:// nor https://", param_hint="--url"
        )
    if url == OFFLINE and model != OFFLINE:
        file = Path(model).absolute()
        if not file.is_file():
            raise click.BadParameter(f"{model} is no file, such as an adapter in GGUF",
                                     param_hint="--model")  # fmt: skip
        model = str(file)
    if base is not None and "@" in name:
        raise click.UsageError("--base is for a new model; NAME@VERSION has its own.")
    with connect(current()) as connection:
        known = (
            _placed(connection, name)
            if "@" in name
            else register(connection, Candidate(name, base or model))
        )
        registered = place(connection, known, model, url)
    if as_json:
        print_json(registered.as_json())
    else:
        click.echo(f"{registered.called}: {registered.stage}, asked as {model}")


def _placed(connection: Connection, name: str) -> Registered:
    from tasks.errors import Fatal
    from tasks.training.registry import find_model

    try:
        return find_model(connection, name)
    except Fatal as unknown:
        raise Fatal(
            unknown.message,
            f"One that was not trained here becomes the next version of {name.partition('@')[0]} "
            "when its NAME is given without @VERSION.",
        ) from None


@models.command("ends")
@as_json
def model_ends(as_json: bool) -> None:
    """Ask the provider (OPENBOOK_TRAIN_URL) on which day it shuts down the registry's models."""
    with on_prefect():
        from flows.retire import retire_watch

        report = retire_watch()
    if as_json:
        print_json(report)
        return
    for one in report["ending"]:
        click.echo(f"{one['model']} ({one['stage']}) is shut down on {one['retires_on']}")
    if not report["ending"]:
        click.echo("No model that answers, or could, is to be shut down within 90 days.")


@main.command()
@click.argument("model")
@click.option("--decision", type=int, metavar="N", help="On this decision of the gate, as you.")
@click.option("--reason", help="Why, for the record.")
@as_json
def promote(model: str, decision: int | None, reason: str | None, as_json: bool) -> None:
    """Let MODEL (NAME, or NAME@VERSION) answer from now on, in place of the one that does.

    Refused for a model that is tainted, altered, shut down by its provider, or without a server
    that was named for it; whether that server answers is not asked. With --decision also where the
    gate did not let it pass, or another model serves since.
    """
    from tasks.database import connect
    from tasks.training.decisions import approve
    from tasks.training.registry import find_model, serving
    from tasks.training.registry import promote as change

    with connect(current()) as connection, connection.transaction():
        chosen, before = find_model(connection, model), serving(connection)
        if decision is not None:
            approve(connection, decision, getuser())
        change(connection, chosen, before.id if before else None, decision, reason)
    _tell(chosen.called, before.called if before else None, as_json)


@main.command()
@click.option("--reason", help="Why, for the record.")
@as_json
def rollback(reason: str | None, as_json: bool) -> None:
    """Let the model answer again that did before the present one was promoted."""
    from tasks.database import connect
    from tasks.training.registry import rollback as change
    from tasks.training.registry import serving

    with connect(current()) as connection:
        before = serving(connection)
        change(connection, before.id if before else None, reason=reason)
        now = serving(connection)
    _tell(now.called if now else None, before.called if before else None, as_json)


def _tell(now: str | None, before: str | None, as_json: bool) -> None:
    if as_json:
        print_json({"serving": now, "previous": before})
        return
    configured = f"the configured model ({current().answer_model or 'none is set'})"
    click.echo(f"{now or configured} answers now, in place of {before or configured}")
