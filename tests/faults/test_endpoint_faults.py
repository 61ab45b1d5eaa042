"""What the embedding endpoint does to a run: busy, broken, down, refusing, answering nonsense."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from flows import ingest as ingest_flow
from tasks.embedders import openai
from tasks.errors import Fatal, Retryable
from tests import endpoint
from tests.faults import folder
from tests.faults.conftest import Lab, meanwhile


def hurry() -> None:
    """Let this process try as often as ever, and wait for next to nothing in between."""
    openai.Patience = partial(openai.Patience, first_wait=0.01)  # type: ignore[misc, assignment]
    ingest_flow.ingest_batch.retry_delay_seconds = [0, 0, 0]


def bought_twice(lab: Lab) -> set[str]:
    """Texts that the endpoint was asked for although their vectors had been stored."""
    stored = lab.stored()
    lab.endpoint.requests.clear()
    lab.assert_recovers(folder.readable(lab.drop))
    return stored & set(lab.endpoint.texts_answered)


@pytest.mark.parametrize(
    "misbehaviours",
    [
        [endpoint.status(429, retry_after="0")] * 2,
        pytest.param([endpoint.status(500)] * 3, marks=pytest.mark.faults),
        pytest.param([endpoint.hang_up, endpoint.cut_body], marks=pytest.mark.faults),
        [endpoint.garbage, endpoint.missing_index, endpoint.shuffled],
    ],
    ids=["busy", "broken", "cut off", "nonsense"],
)
def test_an_endpoint_that_recovers_is_waited_for(
    misbehaviours: list[endpoint.Misbehaviour], lab: Lab
) -> None:
    expected = folder.begin(lab.drop)
    lab.endpoint.then(*misbehaviours)
    outcome = lab.ingest(prepare=hurry)
    assert outcome.error is None, lab.output()
    lab.assert_equals(expected)


@pytest.mark.faults
def test_an_endpoint_that_is_down_fails_the_run_and_loses_nothing(lab: Lab) -> None:
    folder.begin(lab.drop)
    lab.endpoint.then(endpoint.changed(endpoint.encoded), *[endpoint.status(503)] * 200)
    outcome = lab.ingest(prepare=hurry)
    assert isinstance(outcome.error, Retryable), lab.output()
    assert "gave no embeddings" in str(outcome.error)
    lab.assert_sound()
    with lab.connect() as connection:
        assert connection.execute("select outcome from runs").fetchall() == [("failed",)]
        assert connection.execute("select from documents where status = 'rejected'").rowcount <= 1
    lab.endpoint.misbehaviours.clear()
    assert not bought_twice(lab)


@pytest.mark.faults
def test_a_key_without_quota_fails_the_run_at_once(lab: Lab) -> None:
    folder.begin(lab.drop)
    lab.endpoint.then(*[endpoint.no_quota] * 20)
    outcome = lab.ingest(prepare=hurry)
    assert isinstance(outcome.error, Fatal), lab.output()
    assert "no quota" in str(outcome.error)
    assert len(lab.endpoint.requests) <= 2, "one request a batch under way"
    lab.endpoint.misbehaviours.clear()
    assert not bought_twice(lab)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        endpoint.wrong_dimensions(7),
        pytest.param(endpoint.another_model, marks=pytest.mark.faults),
    ],
    ids=["other dimensions", "another model"],
)
def test_vectors_of_another_space_are_refused_and_nothing_is_published(
    misbehaviour: endpoint.Misbehaviour, lab: Lab
) -> None:
    folder.begin(lab.drop)
    lab.endpoint.then(*[misbehaviour] * 200)
    outcome = lab.ingest(prepare=hurry)
    assert isinstance(outcome.error, Fatal), lab.output()
    assert lab.stored() == set()
    lab.endpoint.misbehaviours.clear()
    assert not bought_twice(lab)


def refuse(lab: Lab, text: str) -> None:
    """Refuse every request that holds the text."""
    lab.endpoint.poison.add(text)


def answer_with(value: float) -> Callable[[Lab, str], None]:
    """Answer well, but for one text whose vector is full of `value`."""

    def spoil(lab: Lab, text: str) -> None:
        right = lab.endpoint.vector
        lab.endpoint.vector = (  # type: ignore[method-assign]
            lambda one: [value] * lab.endpoint.dimensions if one == text else right(one)
        )

    return spoil


@pytest.mark.parametrize(
    "poison",
    [
        refuse,
        pytest.param(answer_with(float("nan")), marks=pytest.mark.faults),
        pytest.param(answer_with(0.0), marks=pytest.mark.faults),
    ],
    ids=["refused", "not a number", "zero"],
)
def test_a_text_that_cannot_be_embedded_costs_its_own_file_alone(
    poison: Callable[[Lab, str], None], lab: Lab
) -> None:
    expected = lab.fall_behind()
    text = f"Reed\nOn mark23\n{folder.paragraph('mark23')}"
    poison(lab, text)
    outcome = lab.ingest(prepare=hurry)
    assert outcome.error is None, lab.output()
    lab.assert_equals({path: marks for path, marks in expected.items() if path != "reed.md"})
    rejected = {one["path"]: one["reason"] for one in outcome.reports[0]["rejected"]}
    assert "cannot be embedded" in rejected["reed.md"]
    assert text not in lab.stored()


def test_batches_embedded_at_the_same_time_share_out_what_they_used(lab: Lab) -> None:
    for n in range(12):
        folder.write(lab.drop, f"{n}.md", folder.page(f"Page {n}", [f"mark{n}"]))
    both = threading.Barrier(2, timeout=20)
    lab.endpoint.then(*[meanwhile(both.wait)] * 12)
    outcome = lab.ingest(environment={"OPENBOOK_BATCH_FILES": "1"})
    assert outcome.error is None, lab.output()
    used = sum(len(text.split()) for text in lab.endpoint.texts_answered)
    assert outcome.reports[0]["tokens"] == used
