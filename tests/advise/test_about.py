"""Which collection, and which task, evidence is about."""

from __future__ import annotations

from tasks.advise.advise import advise
from tasks.advise.evidence import Evidence, gather, unclear
from tasks.advise.page import markdown
from tasks.datasets.quality import refuses
from tests.advise.conftest import START, Installation


def collection(installation: Installation, name: str) -> None:
    installation.connection.execute("insert into collections (name) values (%s)", [name])


def about(installation: Installation, collection: str, task: str = "answer") -> Evidence:
    return gather(installation.connection, collection, task, refuses)


def answered(installation: Installation, conversation: int, collection: str) -> None:
    """Write down that Openbook answered from the collection."""
    installation.connection.execute(
        "insert into answers (conversation_id, ordinal, collection, strategy, outcome)"
        " values (%s, 2, %s, 'rag', 'answered')",
        [conversation, collection],
    )


def rejected(installation: Installation, **message: object) -> int:
    """A conversation whose answer got a thumb down; its id."""
    said = {"role": "assistant", "content": "Yo! Warm.", **message}
    id = installation.log.say("How warm is it?", said, started_at=START)
    installation.log.judge(id, "thumb", -1, 2)
    return id


def test_a_fresh_collection_gets_no_advice_from_another_ones_failures(
    installation: Installation,
) -> None:
    collection(installation, "empty")
    installation.corpus(1)
    installation.talk(120)
    installation.correct_style(60)
    installation.curated()
    found = advise(about(installation, "empty"), "answer", None, {}).as_json()
    assert (found["recommendation"], found["failures"]) == (None, [])
    assert (found["unassigned"]["answers"], found["unassigned"]["count"]) == (180, False)
    known = advise(about(installation, "default"), "answer", None, {})
    assert [count for _, count, _ in known.failures()] == [60]
    assert "180 answers are of no known collection: they count" in markdown(known)


def test_an_answer_is_about_the_collection_that_it_was_given_from(
    installation: Installation,
) -> None:
    collection(installation, "other")
    installation.corpus(1)
    mine, other = rejected(installation), rejected(installation)
    answered(installation, mine, "default")
    answered(installation, other, "other")
    for name in ("default", "other"):
        found = about(installation, name)
        assert (len(found.failures), found.figures["failing"].n) == (1, 1)
        assert (found.figures["on_passages"].n, found.unassigned) == (1, 0)
        assert len(unclear(installation.connection, name, "answer", refuses)) == 1


def test_an_answer_is_about_the_collection_of_the_passages_that_it_was_shown(
    installation: Installation,
) -> None:
    collection(installation, "other")
    installation.corpus(1)
    row = installation.connection.execute("select array_agg(id) from chunks").fetchone()
    assert row is not None
    rejected(installation, chunk_ids=row[0])
    assert len(about(installation, "default").failures) == 1
    assert about(installation, "other").is_empty


def test_examples_of_another_collections_answers_are_not_trained_on(
    installation: Installation,
) -> None:
    collection(installation, "other")
    installation.corpus(1)
    installation.talk(40)
    installation.connection.execute(
        "insert into answers (conversation_id, ordinal, collection, strategy, outcome)"
        " select id, 2, case when id %% 4 = 0 then 'other' else 'default' end, 'rag', 'answered'"
        " from conversations where %s",
        [True],
    )
    installation.curated()
    whole = sum(split == "train" for split in installation.log.splits().values())
    mine, other = (about(installation, name).figures["examples"] for name in ("default", "other"))
    assert mine.value is not None and other.value is not None
    assert mine.value + other.value == whole
    assert 0 < other.value < mine.value


def test_a_dataset_is_of_the_task_that_it_was_trained_for(installation: Installation) -> None:
    installation.talk(40)
    installation.curated()
    assert about(installation, "default", "triage").figures["examples"].value
    installation.connection.execute(
        "insert into chat_models (task, name, version, base, dataset_version_id)"
        " select 'triage', 'sorter', 1, 'base', max(id) from dataset_versions"
    )
    assert about(installation, "default", "triage").figures["examples"].value
    assert about(installation, "default", "answer").figures["examples"].value is None


def test_an_answer_of_another_tasks_model_does_not_count(installation: Installation) -> None:
    id = rejected(installation)
    answered(installation, id, "default")
    installation.connection.execute(
        "with made as (insert into chat_models (task, name, version, base)"
        " values ('triage', 'sorter', 1, 'base') returning id)"
        " update answers set chat_model_id = made.id from made"
    )
    assert about(installation, "default", "answer").failures == ()
    assert len(about(installation, "default", "triage").failures) == 1
