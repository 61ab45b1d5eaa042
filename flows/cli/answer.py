"""Commands that answer: answer, strategy."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli.group import FAILED, as_json, main, print_json
from flows.cli.search import FILTER, WHERE, parse_filter
from tasks.settings import current

if TYPE_CHECKING:
    from tasks.records import Answer, Hit

_NEAREST_OF = {
    "nothing found": "What comes nearest:",
    "answered": "It cites nothing of what it was shown, which began with:",
}
_NEAREST = 3
_STRATEGIES = click.Choice(["rag", "long-context", "none"])


@main.command()
@click.argument("question")
@click.option(
    "-k",
    default=8,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Hits to answer from, as many as the model's window has room for.",
)
@click.option(
    "--strategy",
    type=_STRATEGIES,
    help="What to answer from: passages that search finds, the whole collection, or nothing. "
    "Without it, the collection's own strategy.",
)
@FILTER
@WHERE
@click.option(
    "--collection", default="default", show_default=True, help="The collection to work in."
)
@click.option(
    "--model",
    metavar="NAME[@V]",
    help="Ask this registered model, or one of the configured endpoint, not the one that serves.",
)
@click.option(
    "--conversation",
    metavar="NAME",
    help="Go on with the conversation of that name, which came with its last answer.",
)
@click.option("--no-log", is_flag=True, help="Do not log the question and its answer.")
@click.option(
    "--stream/--no-stream", default=True, help="Print the answer while it comes; --json waits."
)
@as_json
def answer(
    question: str,
    *,
    k: int,
    strategy: str | None,
    filter_text: str | None,
    where: str | None,
    collection: str,
    model: str | None,
    conversation: str | None,
    no_log: bool,
    stream: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from the documents, and name the passages that the answer rests on.

    The model is the one that serves, else that of OPENBOOK_ANSWER_MODEL; without any, the best
    passages are shown. Citations of passages that the model was not shown are taken out. Question
    and answer are logged as a conversation.
    """
    from flows.ask import answer as find

    streams = stream and not as_json
    found = find(
        question,
        k=k,
        strategy=strategy,
        filter=parse_filter(filter_text),
        predicate=where,
        collection=collection,
        model=model,
        conversation=conversation,
        log=not no_log,
        hear=_print if streams else None,
        settings=current(),
    )
    if as_json:
        print_json(asdict(found))
    else:
        _tell(found, told=streams)
    if found.outcome == "failed":
        sys.exit(FAILED)


def _print(piece: str) -> None:
    click.echo(piece, nl=False)
    sys.stdout.flush()


def _tell(found: Answer, *, told: bool) -> None:
    """The answer, unless it was told while it came, and where what it cites stands."""
    from rich.text import Text

    from flows.show import console, place

    if found.text:
        console.print("" if told else found.text, markup=False)
        console.print()
    if found.outcome == "no model":
        console.print(
            "These are the best passages: no model is configured. Set OPENBOOK_ANSWER_MODEL (and "
            "OPENBOOK_ANSWER_URL or OPENBOOK_ANSWER_KEY) to have an answer written from them.",
            style="dim",
        )
    if found.passages and (nearest := _NEAREST_OF.get(found.outcome)) and not found.cited:
        console.print(nearest, style="dim")
        for hit in found.passages[:_NEAREST]:
            console.print(Text(f"    {place(hit)}", style="cyan"), soft_wrap=True)
    if found.outcome == "failed":
        console.print(f"failed: {found.reason}", style="red", markup=False)
    cited: dict[int, Hit] = {}
    for number, hit in zip(found.numbers, found.passages, strict=True):
        if hit.chunk_id in found.cited:
            cited.setdefault(number, hit)
    for number, hit in cited.items():
        line = Text(f"[{number}] ", style="bold").append(place(hit), style="cyan")
        console.print(line.append(f"  chunk {hit.chunk_id}", style="dim"), soft_wrap=True)
    parts = [f"retrieval {found.retrieval_ms} ms"]
    if found.generation_ms:
        parts.append(f"generation {found.generation_ms} ms")
    if found.removed_citations:
        parts.append(f"citations removed: {found.removed_citations}")
    if found.conversation:
        parts.append(f"--conversation {found.conversation}")
    console.print(Text(" · ".join(parts), style="dim"), soft_wrap=True)


@main.command()
@click.argument("collection", required=False)
@click.argument("strategy", required=False, type=_STRATEGIES)
@as_json
def strategy(*, collection: str | None, strategy: str | None, as_json: bool) -> None:
    """Say what questions about each collection are answered from; with STRATEGY, change it.

    \b
    rag           passages that search finds
    long-context  all of the collection, in one order, where it fits the model's window
    none          the model alone
    """
    from tasks.answer.strategy import set_strategy, strategies
    from tasks.database import connect

    with closing(connect(current(), autocommit=True)) as connection:
        if collection is not None and strategy is not None:
            set_strategy(connection, collection, strategy)
        found = strategies(connection, collection)
    if as_json:
        print_json(found)
        return
    for name, is_answered_from in found.items():
        click.echo(f"{name}: {is_answered_from}")
