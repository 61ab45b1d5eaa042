"""Which backend trains, and what is said where one cannot be had."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.training.backend import JobState, open_backend
from tasks.training.local.recipe import Recipe


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


def test_the_readme_names_every_setting_of_a_local_job() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    local = readme.partition("**On this machine** (backend `local`")[2].partition("\n\n")[0]
    assert {field.name for field in fields(Recipe) if f"`{field.name}`" not in local} == set()
