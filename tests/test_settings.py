"""Settings come from the environment, and a value that cannot be read names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import Fatal
from tasks.settings import Settings


def test_what_is_not_set_has_its_default() -> None:
    assert Settings.load({}) == Settings()


def test_each_variable_sets_its_field() -> None:
    settings = Settings.load({"OPENBOOK_HOME": "/srv/book", "OPENBOOK_CHUNK_TOKENS": "128"})
    assert (settings.home, settings.chunk_tokens) == (Path("/srv/book"), 128)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENBOOK_EMBEDDER", "bert"),
        ("OPENBOOK_CHUNK_TOKENS", "many"),
        ("OPENBOOK_CHUNK_TOKENS", "31"),
        ("OPENBOOK_BATCH_FILES", "0"),
        ("OPENBOOK_PARSE_SECONDS", "nan"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(Fatal, match=variable):
        Settings.load({variable: value})


def test_openais_key_goes_to_openai_alone() -> None:
    assert Settings.load({"OPENAI_API_KEY": "sk-1"}).embedding_key == "sk-1"
    elsewhere = {"OPENAI_API_KEY": "sk-1", "OPENBOOK_EMBEDDING_URL": "http://localhost/v1"}
    assert Settings.load(elsewhere).embedding_key is None


def test_secrets_are_not_shown() -> None:
    settings = Settings(database_url="postgresql://u:secret@h/d", embedding_key="sk-secret")
    assert "secret" not in repr(settings)
