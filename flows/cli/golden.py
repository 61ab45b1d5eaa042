"""Commands about golden questions: golden add, import, from-conversations, list, show, export."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.group import FAILED, as_json, main, print_json, tell
from tasks.settings import current

if TYPE_CHECKING:
    from tasks.errors import OpenbookError

_SHOWN = 20

_COLLECTION = click.option(
    "--collection",
    help="The collection that the set asks about; a new set without one asks about no documents.",
)
_PURPOSE = click.option(
    "--purpose",
    type=click.Choice(["task", "general", "safety"]),
    help="What the set is for: the task itself, what must not be forgotten, or what must be "
    "refused. A new set is for the task.",
)


@main.group()
def golden() -> None:
    """Keep golden sets: questions whose good answers are known, which no dataset trains on."""


@golden.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "name", required=True, metavar="NAME", help="The set that they go into.")
@_COLLECTION
@_PURPOSE
@click.option("--replace", is_flag=True, help="Let the set hold the file's questions alone.")
@as_json
def import_file(
    file: Path,
    *,
    name: str,
    collection: str | None,
    purpose: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Put the questions of FILE, YAML or JSON Lines, into a golden set.

    An entry has a question and, of these, what is known: expected_answer, sources (paths, or
    {path, grade}), checks and tags. Checks are contains, exact and regex with a text, json_schema
    with a schema, must_cite and must_refuse; of a list of texts one is enough. A question that the
    set has already becomes what the file says. An entry that cannot be used is named with its line
    and stops no other, but then nothing is taken out of the set.
    """
    from tasks.database import connect
    from tasks.evaluate.golden.read import read_questions
    from tasks.evaluate.golden.store import store_golden, unknown_sources

    reading = read_questions(file)
    unknown: list[str] = []
    if reading.questions:
        with closing(connect(current(), autocommit=True)) as connection:
            store_golden(
                connection,
                name,
                reading.questions,
                collection=collection,
                purpose=purpose,
                only=replace and not reading.rejected,
            )
            unknown = unknown_sources(connection, name)
    stored = len(reading.questions)
    if as_json:
        rejected = [
            {"reason": one.message, "remedy": one.remedy or None} for one in reading.rejected
        ]
        print_json(
            {"set": name, "questions": stored, "unknown_sources": unknown, "rejected": rejected}
        )
    else:
        click.echo(f"{stored:,} of {stored + len(reading.rejected):,} questions stored in {name}")
        _tell_unknown(unknown)
    _tell_rejected(reading.rejected)
    if reading.rejected:
        click.get_current_context().exit(FAILED)


def _tell_unknown(paths: Sequence[str]) -> None:
    for path in paths[:_SHOWN]:
        click.echo(f"no document is {path}: until one is, no search can find it", err=True)
    if len(paths) > _SHOWN:
        click.echo(f"… and {len(paths) - _SHOWN:,} more such documents", err=True)


def _tell_rejected(rejected: Sequence[OpenbookError]) -> None:
    for one in rejected[:_SHOWN]:
        tell(one)
    if len(rejected) > _SHOWN:
        click.echo(f"… and {len(rejected) - _SHOWN:,} more", err=True)


@golden.command()
@click.argument("question")
@click.option("--set", "name", required=True, metavar="NAME", help="The set that it goes into.")
@click.option("--answer", help="What a good answer says.")
@click.option("--source", "sources", multiple=True, metavar="PATH", help="A document that says it.")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="CHECK",
    help="What the answer must do: contains=TEXT, exact=TEXT, regex=PATTERN, json_schema=SCHEMA, "
    "must_cite or must_refuse.",
)
@click.option("--tag", "tags", multiple=True, help="A word to find it by.")
@_COLLECTION
@_PURPOSE
@as_json
def add(
    question: str,
    *,
    name: str,
    answer: str | None,
    sources: tuple[str, ...],
    checks: tuple[str, ...],
    tags: tuple[str, ...],
    collection: str | None,
    purpose: str | None,
    as_json: bool,
) -> None:
    """Put one QUESTION into a golden set; --source, --check and --tag may be repeated."""
    from tasks.database import connect
    from tasks.evaluate.golden.question import as_row, read_question
    from tasks.evaluate.golden.store import store_golden, unknown_sources

    given = read_question(
        {
            "question": question,
            "expected_answer": answer,
            "sources": list(sources),
            "checks": [_check(check) for check in checks],
            "tags": list(tags),
        }
    )
    with closing(connect(current(), autocommit=True)) as connection:
        store_golden(connection, name, [given], collection=collection, purpose=purpose)
        unknown = [path for path in unknown_sources(connection, name) if path in given.sources]
    if as_json:
        print_json({"set": name, **as_row(given), "unknown_sources": unknown})
    else:
        click.echo(f"{given.text!r} is in {name}")
        _tell_unknown(unknown)


def _check(text: str) -> Any:
    kind, equals, value = text.partition("=")
    if not equals:
        return kind
    if kind == "json_schema":
        try:
            return {kind: json.loads(value)}
        except ValueError as error:
            raise click.UsageError(f"--check json_schema= needs JSON: {error}.") from None
    return {kind: value}


@golden.command("from-conversations")
@click.option("--set", "name", required=True, metavar="NAME", help="The set that they are for.")
@click.option("--to", "file", type=click.Path(path_type=Path), help="The YAML file to write.")
@click.option("--accept", is_flag=True, help="Put them into the set without a review.")
@click.option("--limit", default=100, show_default=True, help="At most so many, newest first.")
@_COLLECTION
@_PURPOSE
@as_json
def from_conversations(
    *,
    name: str,
    file: Path | None,
    accept: bool,
    limit: int,
    collection: str | None,
    purpose: str | None,
    as_json: bool,
) -> None:
    """Propose golden questions: what logged conversations began with and people judged.

    Taken are first questions whose answer was corrected, which is then the expected answer, or
    liked. Personal data are redacted. Review what is written, on standard output without --to, add
    checks and sources, and import it; --accept does without.
    """
    from tasks.database import connect
    from tasks.datasets.redact import redact
    from tasks.evaluate.golden.candidates import candidates
    from tasks.evaluate.golden.store import store_golden
    from tasks.evaluate.golden.write import as_text

    if accept and file is not None:
        raise click.UsageError("Give --to for a review, or --accept.")
    with closing(connect(current(), autocommit=True)) as connection:
        found = candidates(connection, name, lambda texts: redact(texts)[0], limit)
        if accept:
            store_golden(connection, name, found, collection=collection, purpose=purpose)
    if not accept and file is None:
        sys.stdout.write(as_text(found))
        return
    if file is not None:
        file.write_text(as_text(found), encoding="utf-8")
    if as_json:
        where = None if file is None else str(file.absolute())
        print_json({"set": name, "questions": len(found), "accepted": accept, "file": where})
    elif accept:
        click.echo(f"{len(found):,} questions are in {name} that were not")
    else:
        click.echo(f"{file} · {len(found):,} candidates; then: openbook golden import {file}")


@golden.command("list")
@as_json
def list_sets(as_json: bool) -> None:
    """List the golden sets: what each is about, and how many of its questions have what."""
    from tasks.database import connect
    from tasks.evaluate.golden.store import golden_sets

    with closing(connect(current(), autocommit=True)) as connection:
        found = golden_sets(connection)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("There is no golden set yet; see openbook golden import --help.")
    for one in found:
        about = one["collection"] or "no documents"
        click.echo(
            f"{one['name']} · {one['purpose']} · about {about} · {one['questions']:,} questions · "
            f"{one['answers']:,} with an answer · {one['checked']:,} with checks · "
            f"{one['judged']:,} with sources"
        )


@golden.command()
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """Show the questions of the golden set NAME."""
    from tasks.evaluate.golden.question import as_row

    exam = _load(name)
    if as_json:
        print_json(
            {
                "set": exam.name,
                "collection": exam.collection or None,
                "purpose": exam.purpose,
                "questions": [as_row(question) for question in exam.questions],
            }
        )
        return
    for question in exam.questions:
        click.echo(question.text)
        if question.expected_answer:
            click.echo(f"    = {question.expected_answer}")
        for check in question.checks:
            click.echo(f"    {check.kind}" + ("" if check.value is True else f": {check.value}"))
        if question.sources:
            click.echo(f"    in {', '.join(sorted(question.sources))}")


@golden.command()
@click.argument("name")
@click.option("--to", "file", type=click.Path(path_type=Path), help="The file to write.")
@as_json
def export(name: str, file: Path | None, as_json: bool) -> None:
    """Write the golden set NAME as a file that `golden import` reads.

    YAML, or JSON Lines where the file's name ends in .jsonl; without --to, YAML on standard output.
    """
    from tasks.evaluate.golden.write import as_text

    exam = _load(name)
    if file is None:
        sys.stdout.write(as_text(exam.questions))
        return
    file.write_text(as_text(exam.questions, lines=file.suffix == ".jsonl"), encoding="utf-8")
    if as_json:
        print_json({"set": name, "file": str(file.absolute()), "questions": len(exam.questions)})
    else:
        click.echo(f"{file} · {len(exam.questions):,} questions")


def _load(name: str) -> Any:
    from tasks.database import connect
    from tasks.evaluate.golden.store import golden_set

    with closing(connect(current(), autocommit=True)) as connection:
        return golden_set(connection, name)
