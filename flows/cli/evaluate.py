"""The command that says how well search finds, and how well a model answers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json
from tasks.settings import current


@main.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--golden", metavar="NAME", help="Ask the golden set of that name in the database.")
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="First make the questions of this file the set; see openbook golden import.",
)
@click.option(
    "--collection",
    default="default",
    show_default=True,
    help="The collection that --questions ask.",
)
@click.option("--language", help="Language of FOLDER's documents; else found by their words.")
@click.option(
    "--within",
    metavar="FIELD",
    help="Search among the documents whose metadata FIELD is that of the question.",
)
@click.option("--answers", is_flag=True, help="Let a model answer the golden set's questions.")
@click.option(
    "--held-out",
    metavar="DATASET@V",
    help="Say how likely a --model on this machine finds what this dataset holds out.",
)
@click.option("--model", metavar="NAME@V", help="The model to examine; else the one that answers.")
@click.option(
    "--strategy",
    type=click.Choice(["rag", "long-context", "none", "oracle"]),
    help="What it answers from; oracle: the expected documents. Else the collection's own.",
)
@click.option(
    "--against",
    type=int,
    metavar="ID",
    help="The examination to compare with; else the last one of the same questions.",
)
@click.option("--judge", is_flag=True, help="Let OPENBOOK_JUDGE_MODEL compare both's answers.")
@as_json
def evaluate(
    folder: Path | None,
    *,
    golden: str | None,
    questions: Path | None,
    collection: str,
    language: str | None,
    within: str | None,
    answers: bool,
    held_out: str | None,
    model: str | None,
    strategy: str | None,
    against: int | None,
    judge: bool,
    as_json: bool,
) -> None:
    """Ask every mode of search questions whose answers are known, and say how well it did.

    FOLDER holds a test collection in the BEIR layout: corpus.jsonl, queries.jsonl, qrels/test.tsv.
    It is kept as a collection of its own, so that the next evaluation embeds only what changed.

    With --answers a model answers the questions of a golden set. What search found and what the
    model made of it are told apart, so that a failure names the half to mend. An examination that
    was killed goes on. With --held-out a model on this machine is asked nothing: it says how likely
    it finds the answers that a dataset holds out (nll, nats a token, less is better).
    """
    if sum(one is not None for one in (folder, golden, held_out)) != 1:
        raise click.UsageError("Give a FOLDER, or the NAME of a set with --golden or --held-out.")
    if held_out is not None:
        if model is None or answers or strategy or judge:
            raise click.UsageError("--held-out needs a --model, and takes --against beside it.")
        _measure(held_out, model, against, as_json)
        return
    if answers and golden is None:
        raise click.UsageError("--answers needs the NAME of a golden set with --golden.")
    if not answers and (model or strategy or against or judge):
        raise click.UsageError("--model, --strategy, --against and --judge go with --answers.")
    if questions is not None:
        if golden is None:
            raise click.UsageError("--questions needs the NAME of a golden set with --golden.")
        _store(golden, questions, collection)
    if answers and golden is not None:
        _examine(
            as_json,
            golden=golden,
            model=model or "",
            strategy=strategy or "",
            against=against,
            judge=judge,
        )
        return
    with on_prefect():
        from flows.evaluate import evaluate as evaluate_flow

        report = evaluate_flow(
            folder=str(folder.absolute()) if folder else "",
            golden=golden or "",
            language=language or "",
            within=within or "",
        )
    if as_json:
        print_json(report)
    else:
        from flows import show

        show.evaluation(report)


def _measure(dataset: str, model: str, against: int | None, as_json: bool) -> None:
    with on_prefect():
        from flows.perplexity import perplexity

        report = perplexity(dataset=dataset, model=model, against=against)
    _tell(report, as_json)


def _examine(as_json: bool, **asked: Any) -> None:
    with on_prefect():
        from flows.examine import examine_answers

        report = examine_answers(**asked)
    _tell(report, as_json)
    if report["unanswered"] or report["unjudged"]:
        click.get_current_context().exit(FAILED)


def _tell(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        from flows import show_answers

        show_answers.examination(report)


def _store(golden: str, questions: Path, collection: str) -> None:
    from tasks.database import connect
    from tasks.evaluate.golden.read import read_questions
    from tasks.evaluate.golden.store import store_golden

    reading = read_questions(questions)
    for error in reading.rejected:
        raise error
    with closing(connect(current(), autocommit=True)) as connection:
        store_golden(connection, golden, reading.questions, collection=collection, only=True)
