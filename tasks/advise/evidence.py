"""What the database knows of an installation: knowledge, behaviour, data, use, experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from tasks.advise.experiments import LEAST_QUESTIONS, Experiments, experiments
from tasks.advise.failures import (
    KINDS,
    KNOWLEDGE,
    Failure,
    Refuses,
    golden_failures,
    judged_failures,
)
from tasks.advise.figures import Figure, counted, rest, share
from tasks.advise.usage import Usage, indexing_usd, usage
from tasks.database import query

_MOST_FAILURES = 2_000
_MONTH = 30
INGEST = "openbook ingest FOLDER, on its schedule for some days"
GOLDEN = "openbook golden import FILE --set NAME, then openbook evaluate --golden NAME"
EXAMINE = "openbook evaluate --answers --golden NAME --strategy {}"
FEEDBACK = "openbook conversations load FILE with feedback, or feedback() of the Python logger"
CURATE = "openbook curate deployments/datasets/sft.yaml"
LOG = "openbook answer, or the Python logger around your client"
TRAINED = ("sft", "preference", "raft")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the recommendation rests on; figures by the names that criteria use.

    `unassigned` are answers of which nobody knows which collection they are about; they count only
    where no other collection has documents.
    """

    collection: str
    documents: int
    chunks: int
    figures: Mapping[str, Figure]
    failures: tuple[Failure, ...]
    usage: Usage
    experiments: Experiments
    dataset: Mapping[str, Any] | None
    unassigned: int
    unassigned_count: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to judge by."""
        answers, examples = self.figures["on_passages"].value, self.figures["examples"].value
        found = self.documents or self.failures or self.experiments.correct or examples
        return not found and answers is None

    @property
    def of_nowhere(self) -> str | None:
        """How many answers nobody can assign, and whether they count; None: there are none."""
        if not self.unassigned:
            return None
        why = "count, since no other has documents"
        if not self.unassigned_count:
            why = "do not count, since there are other collections"
        return f"{self.unassigned:,} answers are of no known collection: they {why}"


def gather(
    connection: Connection,
    collection: str,
    task: str,
    refuses: Refuses,
    *,
    model: str | None = None,
    golden: str | None = None,
) -> Evidence:
    """Read the evidence about one collection and the models of one task.

    Experiments are those with `golden`, else with the set that says the most, and with `model`
    where it was examined, else with the model that was examined the most. Nothing depends on the
    time of asking: the same database gives the same evidence.
    """
    about = {"collection": collection, "task": task}

    def one(name: LiteralString, **values: Any) -> dict[str, Any] | None:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query(name), {**about, **values}).fetchone()

    def all_of(name: LiteralString, **values: Any) -> list[dict[str, Any]]:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query(name), {**about, **values}).fetchall()

    knowledge = one("advise_knowledge")
    said = one("advise_answers")
    citing = one("advise_citing")
    indexing = one("advise_indexing")
    judgements = one("advise_judgements")
    assert knowledge and said and citing and indexing and judgements
    dataset = one("advise_data", kinds=list(TRAINED))
    rows = all_of("advise_experiments", model=model, golden=golden)
    judged = all_of("advise_judged", most=_MOST_FAILURES)

    def find(queries: Sequence[str]) -> list[str]:
        if not knowledge["chunks"]:
            return [""] * len(queries)
        found = {row["place"]: row["text"] for row in all_of(
            "advise_best_passages", queries=list(queries))}  # fmt: skip
        return [found.get(place, "") for place in range(1, len(queries) + 1)]

    failures = (
        *judged_failures(judged, refuses, find),
        *golden_failures([row for row in rows if row["condition"] == "rag"]),
    )
    found = experiments(rows)
    return Evidence(
        collection,
        knowledge["documents"],
        knowledge["chunks"],
        {
            **_knowledge(knowledge, citing, one("advise_retrieval"), found),
            **_behaviour(failures, judgements, rows),
            **_data(dataset),
            **_volume(said),
            "usd_indexing_a_year": counted(indexing_usd(indexing), "US dollars", INGEST),
        },
        failures,
        usage(all_of("advise_usage"), said, rows),
        found,
        dataset,
        said["unassigned"],
        bool(said["unassigned_count"]),
    )


def unclear(
    connection: Connection, collection: str, task: str, refuses: Refuses
) -> list[dict[str, Any]]:
    """The rejected answers of which neither a rule nor a judge has said what is wrong."""
    asked = {"collection": collection, "task": task, "most": _MOST_FAILURES}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("advise_judged"), asked).fetchall()
    return [
        row
        for row in rows
        if row["kind"] not in ("correction", "regeneration")
        and row["told"] is None
        and not refuses(str(row["content"] or ""))
    ]


def _knowledge(
    knowledge: Mapping[str, Any],
    citing: Mapping[str, Any],
    retrieval: Mapping[str, Any] | None,
    experiments: Experiments,
) -> dict[str, Figure]:
    documents, chunks, days = knowledge["documents"], knowledge["chunks"], knowledge["days"]
    changing = None
    if chunks and days >= 1:
        changing = knowledge["changed"] / days * _MONTH / chunks
    recall = Figure(None, "recall@10", GOLDEN)
    if retrieval is not None:
        recall = Figure(retrieval["value"], "recall@10", GOLDEN, None, retrieval["questions"],
                        retrieval["low"], retrieval["high"])  # fmt: skip
    gap = Figure(None, "points", EXAMINE.format("oracle") + ", and with --strategy rag"
                 f", on {LEAST_QUESTIONS} questions or more")  # fmt: skip
    lost = experiments.compare("oracle", "rag")
    if lost is not None:
        gap = replace(
            gap, value=lost.difference, n=lost.items, low=lost.low, high=lost.high
        )  # fmt: skip
    return {
        "corpus_tokens": counted(knowledge["tokens"], "tokens", INGEST),
        "changed_a_month": counted(changing, "of the chunks a month", INGEST),
        "other_readers": counted(
            knowledge["elsewhere"] / documents if documents else None, "of the documents", INGEST
        ),
        "cited": share(citing["must_cite"], citing["questions"], GOLDEN),
        "recall": recall,
        "oracle_gap": gap,
    }  # fmt: skip


def _behaviour(
    failures: Sequence[Failure],
    judgements: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, Figure]:
    told = [KINDS[one.kind].half for one in failures if KINDS[one.kind].half]
    rag = [row["scores"]["correct"] for row in rows
           if row["condition"] == "rag" and "correct" in row["scores"]]  # fmt: skip
    knowledge = share(told.count(KNOWLEDGE), len(told), FEEDBACK)
    golden_failed = sum(value < 1 for value in rag)
    return {
        "failing": share(
            judgements["failed"] + golden_failed, judgements["judged"] + len(rag), FEEDBACK
        ),
        "told_failures": counted(len(told), "failures whose kind is known", FEEDBACK),
        "knowledge_failures": knowledge,
        "behaviour_failures": rest(knowledge),
    }


def _data(dataset: Mapping[str, Any] | None) -> dict[str, Figure]:
    if dataset is None:
        return {
            "examples": counted(None, "training examples", CURATE),
            "approved": Figure(None, "share", CURATE),
            "people": counted(None, "users, evenly weighed", CURATE),
        }
    return {
        "examples": counted(dataset["examples"], "training examples", CURATE),
        "approved": share(dataset["approved"], dataset["examples"], FEEDBACK),
        "people": counted(dataset["effective_users"], "users, evenly weighed", LOG),
    }


def _volume(said: Mapping[str, Any]) -> dict[str, Figure]:
    answers = said["dated"] / said["days"] if said["dated"] else None
    searches = said["searches"] / said["search_days"] if said["searches"] else None
    return {
        "answers_a_day": counted(answers, "answers a day", LOG),
        "searches_a_day": counted(searches, "searches a day", "openbook search"),
        "on_passages": share(said["on_passages"], said["answers"], LOG),
    }
