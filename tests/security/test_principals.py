"""The owner says for whom a login stands."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from flows.cli import main
from tasks.errors import Fatal
from tasks.settings import Settings
from tasks.upkeep.principals import logins, set_principals
from tests.retrieve.conftest import Shelf
from tests.security.conftest import Enter


@pytest.fixture(autouse=True)
def command_line(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cli.rights.current", lambda: database)


def test_the_command_line_sets_and_lists_principals(shelf: Shelf, enter: Enter) -> None:
    shelf.put("n.txt", "moss", source="north", collection="north", readers=["group:finance"])
    login = enter("openbook_analyst").info.user
    done = CliRunner().invoke(
        main, ["principals", "set", login, "ana", "group:finance", "--only-in", "north"]
    )
    assert done.output == f"{login} stands for ana, group:finance, public in north alone.\n"
    listed = json.loads(CliRunner().invoke(main, ["principals", "--json"]).output)
    assert {
        "login": login,
        "roles": ["openbook_analyst"],
        "principals": ["ana", "group:finance"],
        "collections": ["north"],
    } in listed
    assert login in CliRunner().invoke(main, ["principals"]).output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["nobody", "ana"], "no login 'nobody'"), (["postgres", "--only-in", "x"], "no collection")],
)
def test_what_does_not_exist_is_named(arguments: list[str], complaint: str) -> None:
    done = CliRunner().invoke(main, ["principals", "set", *arguments])
    assert done.exit_code == 1
    assert complaint in done.output


def test_a_login_says_nothing_about_itself(enter: Enter) -> None:
    for role in ("openbook_ingest", "openbook_search", "openbook_analyst", "openbook_trainer"):
        session = enter(role)
        with pytest.raises(Fatal, match="Connect as a member of openbook_owner"):
            set_principals(session, session.info.user, ["ana"])
    owner = enter("openbook_owner")
    set_principals(owner, owner.info.user, ["ana"])
    assert owner.info.user in {login.login for login in logins(owner)}
