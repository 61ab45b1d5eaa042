"""What an answer takes, search and model apart; and when what search finds is not worth a model.

    python -m tests.bench.bench_answer --latency [--questions 20] [--model offline]
    python -m tests.bench.bench_answer --enough [--home FOLDER]

`--latency` asks questions of the quickstart's sample. The model is one on loopback that answers at
once, so that what is left is ours, or the one of `--model`. `--enough` asks the test collections of
`../shared/data/beir` that `openbook evaluate` has put into the database under `--home`: their own
questions, questions of other collections, and their own with all that answers them filtered out. It
prints which of them the rule of `tasks.answer.enough` turns away.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg import Connection

from flows.ask import answer
from tasks.answer.enough import is_enough
from tasks.answer.strategy import strategies
from tasks.database import connect, stop
from tasks.evaluate.exam import Question
from tasks.records import Answer
from tasks.retrieve.search import search
from tasks.settings import Settings, current
from tests.bench import beir
from tests.chat import chat_endpoint

SAMPLE = Path(__file__).parents[2] / "deployments" / "sample"
OWN, FOREIGN = 50, 49


def latency(home: str, questions: int, model: str | None) -> None:
    """Print a table of milliseconds."""
    settings = Settings(home=Path(home))
    fill(settings)
    lines = (SAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["question"] for line in lines][:questions]
    with chat_endpoint() as endpoint, closing(connect(settings, autocommit=True)) as connection:
        endpoint.reply = lambda _: "It is turned once every four weeks [1]. " * 10
        settings = replace(settings, answer_model=model or "loopback")
        if model is None:
            settings = replace(settings, answer_url=endpoint.url)
        answer(texts[0], collection="sample", settings=settings, connection=connection)
        told, waits, used = [], [], time.process_time()
        for text in texts:
            began, heard = time.perf_counter(), []
            told.append(
                answer(
                    text,
                    collection="sample",
                    settings=settings,
                    connection=connection,
                    hear=lambda _, heard=heard: heard.append(time.perf_counter()),
                )
            )
            if heard:
                waits.append(1000 * (heard[0] - began))
        used = 1000 * (time.process_time() - used) / len(texts)
    show_latency(told, waits, used)


def show_latency(told: Sequence[Answer], waits: Sequence[float], used: float) -> None:
    """Medians and the worst of ten, of questions that the model was asked."""
    asked = [one for one in told if one.outcome == "answered"]
    rows: dict[str, Sequence[float]] = {
        "retrieval": [one.retrieval_ms for one in asked],
        "first words, from the question": waits,
        "generation": [one.generation_ms for one in asked],
    }
    print(f"{len(asked)} of {len(told)} questions answered; own CPU {used:.0f} ms an answer")
    for name, values in rows.items():
        worst = statistics.quantiles(values, n=10)[-1]
        print(f"{name:32} p50 {statistics.median(values):8.0f} ms   p90 {worst:8.0f} ms")


def fill(settings: Settings) -> None:
    """Bring the sample into the settings' book."""
    os.environ["OPENBOOK_HOME"] = str(settings.home)
    current.cache_clear()
    from flows.cli.group import on_prefect
    from flows.ingest import ingest

    with on_prefect():
        ingest(str(SAMPLE / "drop"), collection="sample")


def enough(home: str) -> None:
    """Print, for each collection, which questions the rule turns away."""
    settings = Settings(home=Path(home))
    chance = random.Random(7)
    with closing(connect(settings, autocommit=True)) as connection:
        there = [
            name.removeprefix("evaluate:")
            for name in strategies(connection)
            if name.startswith("evaluate:") and (beir.SHARED / name[9:]).is_dir()
        ]
        asked = {name: beir.queries(beir.SHARED / name) for name in there}
        if len(there) < 2:
            print("Put two collections or more there first: openbook evaluate FOLDER.")
            return
        totals: dict[str, list[int]] = {}
        print(f"{'turned away of':24}{'answered':>12}{'foreign':>12}{'filtered out':>14}")
        for name in there:
            row = measure(connection, settings, name, asked, chance)
            print(f"{name:24}{_of(row['own']):>12}{_of(row['foreign']):>12}{_of(row['left']):>14}")
            for kind, judged in row.items():
                totals.setdefault(kind, []).extend(judged)
    print(
        f"{'all':24}{_of(totals['own']):>12}{_of(totals['foreign']):>12}{_of(totals['left']):>14}"
    )
    wrong, right = sum(totals["own"]), sum(totals["foreign"])
    print(f"precision {right / (right + wrong):.3f}, recall {right / len(totals['foreign']):.3f}")


def measure(
    connection: Connection,
    settings: Settings,
    name: str,
    asked: dict[str, tuple[Question, ...]],
    chance: random.Random,
) -> dict[str, list[int]]:
    """1 for each question that is turned away: of those that search answers, and of the others."""
    own = chance.sample(asked[name], min(OWN, len(asked[name])))
    same = name.partition("-")[0]  # a translation of it asks the same
    others = [other for other in asked if other.partition("-")[0] != same]
    foreign = [chance.choice(asked[chance.choice(others)]) for _ in range(FOREIGN)]
    judged: dict[str, list[int]] = {"own": [], "foreign": [], "left": []}

    def turned_away(question: Question, kind: str, filter: dict[str, Any] | None = None) -> None:
        hits = search(
            question.text,
            k=8,
            collection=f"evaluate:{name}",
            filter=filter,
            log=False,
            settings=settings,
            connection=connection,
        )
        if kind != "own" or any(question.grades.get(hit.path) for hit in hits):
            judged[kind].append(not is_enough(settings, hits))

    for question in own:
        turned_away(question, "own")
        answers = [path for path, grade in question.grades.items() if grade > 0]
        turned_away(question, "left", {"path": {"nin": answers}})
    for question in foreign:
        turned_away(question, "foreign")
    return judged


def _of(turned: Sequence[int]) -> str:
    return f"{sum(turned)} of {len(turned)}"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--latency", action="store_true", help="the default")
    parser.add_argument("--enough", action="store_true")
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--model", help="ask this model; unset: one on loopback, at once")
    parser.add_argument("--home", help="an OPENBOOK_HOME; unset: thrown away")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        try:
            if given.enough:
                enough(given.home or home)
            if given.latency or not given.enough:
                latency(given.home or home, given.questions, given.model)
        finally:
            if given.home is None:
                from flows.server import stop_server
                from tasks.answer.offline import stop_offline

                settings = Settings(home=Path(home))
                stop_offline(settings)
                stop_server(settings)
                stop(settings)


if __name__ == "__main__":
    main()
