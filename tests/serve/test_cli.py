"""Tokens by hand, and what is said where something is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli import main
from tasks import settings
from tasks.serve.access import Doorkeeper


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for the commands."""
    monkeypatch.setenv("OPENBOOK_HOME", str(tmp_path))
    settings.current.cache_clear()
    yield tmp_path
    settings.current.cache_clear()


def openbook(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(home: Path) -> None:
    given = ["--principal", "ann", "--principal", "group:sales", "--collection", "handbook"]
    secret = openbook("tokens", "add", "ann", *given).output.strip()
    found = Doorkeeper(home / "tokens.json").admit(secret)
    assert found is not None
    assert (found.principals, found.collections) == (("ann", "group:sales"), ("handbook",))

    listed = openbook("tokens", "list", "--json").output
    (entry,) = json.loads(listed)
    assert (entry["name"], entry["principals"]) == ("ann", ["ann", "group:sales"])
    assert "sha256" not in entry
    assert secret not in listed
    assert "ann: ann, group:sales; handbook" in openbook("tokens", "list").output

    assert openbook("tokens", "revoke", "ann").exit_code == 0
    assert openbook("tokens", "list", "--json").output.strip() == "[]"
    assert openbook("tokens", "revoke", "ann").exit_code == 1


def test_a_token_sees_what_is_public_unless_more_is_said(home: Path) -> None:
    doorkeeper = home / "tokens.json"
    public = json.loads(openbook("tokens", "add", "web", "--json").output)["token"]
    owner = openbook("tokens", "add", "me", "--unrestricted").output.strip()
    for secret, principals in ((public, ()), (owner, None)):
        found = Doorkeeper(doorkeeper).admit(secret)
        assert found is not None
        assert (found.principals, found.collections) == (principals, None)
    both = openbook("tokens", "add", "x", "--unrestricted", "--principal", "ann")
    assert both.exit_code == 2


def test_an_open_address_without_a_token_is_refused_with_a_lesson(home: Path) -> None:
    result = openbook("serve", "--host", "0.0.0.0", "--port", "0")
    assert result.exit_code == 1
    assert "openbook tokens add" in result.stderr


def test_without_its_kit_the_assistants_command_names_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tasks.serve.mcp", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    result = openbook("mcp")
    assert result.exit_code == 1
    assert "pip install 'openbook[mcp]'" in result.stderr
