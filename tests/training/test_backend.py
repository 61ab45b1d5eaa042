"""Which backend trains, and what is said where one cannot be had."""

from __future__ import annotations

import pytest

from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.training.backend import JobState, open_backend


def test_a_backend_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(Fatal, match=r"no training backend 'abacus'.* local, openai"):
        open_backend("abacus", Settings())


@pytest.mark.parametrize(
    ("state", "ended"),
    [("planned", False), ("running", False), ("succeeded", True), ("failed", True),
     ("cancelled", True)],
)  # fmt: skip
def test_a_job_that_ended_need_not_be_waited_for(state: str, ended: bool) -> None:
    assert JobState(state).ended is ended  # type: ignore[arg-type]
