"""Killed at any boundary, a run leaves a sound book that the next run brings in step.

The k-th child kills itself with SIGKILL at its k-th boundary (see `boundaries`), for k = 1, 2 …
until a run passes its end. `make test` takes a few of them, `make faults` all.

A text is bought at most once, and once more for a crash if it was under way then: each of the
batches at work buys a slice of texts, 256 at most, between two commits.
"""

from __future__ import annotations

from itertools import count

import pytest

from tests.faults import folder
from tests.faults.conftest import Copies, Lab

_STRIDE = 112
_IN_EVERY_RUN = 32
_REQUESTS_AT_ONCE = 2


def _shares() -> list[object]:
    """One share of the boundaries for every test run, the others for `make faults`."""
    return [
        share if share == _IN_EVERY_RUN else pytest.param(share, marks=pytest.mark.faults)
        for share in range(_STRIDE)
    ]


@pytest.mark.parametrize("share", _shares())
@pytest.mark.parametrize(
    "history", [pytest.param("the first run", marks=pytest.mark.faults), "a later run"]
)
def test_a_killed_run_leaves_a_sound_book_that_the_next_one_brings_in_step(
    history: str, share: int, lab: Lab, copies: Copies, record_property: pytest.RecordProperty
) -> None:
    expected = folder.begin(lab.drop) if history == "the first run" else lab.fall_behind()
    lab.settle()
    names = []
    for kill_at in count(share + 1, _STRIDE):
        name = _kill_and_recover(lab.on(copies.fresh()), expected, kill_at)
        if name is None:
            break
        names.append(name)
    assert names
    record_property("boundaries", [(history, name) for name in names])


def _kill_and_recover(lab: Lab, expected: dict[str, set[str]], kill_at: int) -> str | None:
    """Kill a run at its boundary of that number; that boundary's name, None if it has fewer."""
    lab.endpoint.requests.clear()
    before = lab.stored()
    killed = lab.ingest(kill_at=kill_at)
    if not killed.killed:
        assert killed.error is None, lab.output()
        crossed = lab.job().log.read_text()
        assert all(edge in crossed for edge in ("database: ", "file: unlink", "endpoint: "))
        return None
    name = lab.job().log.read_text().splitlines()[-1]
    try:
        lab.settle()
        lab.assert_sound()
        bought, stored = lab.endpoint.texts_answered, lab.stored()
        assert not before & set(bought), "what was stored was bought again"
        under_way = lab.endpoint.requests[-_REQUESTS_AT_ONCE:]
        lost = set(bought) - stored
        assert lost <= {text for request in under_way for text in request.texts}
        lab.endpoint.requests.clear()
        lab.assert_recovers(expected)
        bought = lab.endpoint.texts_answered
        assert not stored & set(bought), "what was stored was bought again"
        assert len(bought) == len(set(bought)), "a text was bought twice by one run"
    except AssertionError as error:
        error.add_note(f"killed at boundary {kill_at}: {name}")
        raise
    return name
