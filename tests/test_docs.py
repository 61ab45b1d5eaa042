"""What the documentation says is so: commands, options, settings, the tree, targets and links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from itertools import takewhile
from pathlib import Path

import click
import pytest
from psycopg import Connection

from flows.cli import main
from tasks.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("*/README.md")))
}
HOUSE = ("flows", "tasks", "sql")


def section(heading: str) -> str:
    """The README's text under a heading of the second level."""
    _, _, rest = README.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def fences(text: str) -> list[str]:
    """The contents of the fenced blocks of a Markdown text."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(group: click.Group = main, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its name, such as `ingest` or `models activate`."""
    for word, command in group.commands.items():
        yield (name + word, command)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{word} ")


def options(name: str) -> set[str]:
    """The options of a command and its subcommands, each by the longest of its names."""
    return {
        max(parameter.opts, key=len)
        for other, command in commands()
        if (other + " ").startswith(name + " ")
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }


def named_options(text: str) -> set[str]:
    """The options that a text names in code."""
    return {
        word
        for code in re.findall(r"`([^`]+)`", text)
        for word in re.findall(r"(?<!\S)--?[a-z][a-z-]*", code)
    }


def calls(text: str) -> Iterator[list[str]]:
    """The arguments of each call of `openbook` that a Markdown text shows, placeholders removed."""
    shown = [line for block in fences(text) for line in block.splitlines()]
    for code in shown + re.findall(r"`([^`\n]+)`", text):
        if call := re.match(r"(?:\$ )?(?:\S*/)?openbook\s+(.*)", code):
            line = re.sub(r"\[?[A-Z]*…\]?|\.\.\.", "", call[1].replace(r"\|", "|"))
            words = shlex.split(line, comments=True)
            yield list(takewhile(lambda word: word not in {"|", ">", "&&", ";"}, words))


def tree(text: str = README) -> dict[str, str]:
    """The paths of a text's tree with their purposes; indentation says what lies in what."""
    listing = next((block for block in fences(text) if re.search(r"^flows/", block, re.M)), "")
    assert listing, "no fenced block shows the tree, with a line that begins with flows/"
    found = {}
    parents: list[tuple[int, str]] = []
    for line in listing.splitlines():
        if entry := re.fullmatch(r"( *)(\S+)(?:\s{2,}(\S.*))?", line):
            indent, name = len(entry[1]), entry[2]
            while parents and parents[-1][0] >= indent:
                parents.pop()
            path = "".join(parent for _, parent in parents) + name
            found[path] = entry[3] or ""
            if name.endswith("/"):
                parents.append((indent, name))
    return found


def house_files() -> list[str]:
    """Every module and SQL file of the house, package markers left out."""
    return [
        str(path.relative_to(ROOT))
        for room in HOUSE
        for path in sorted((ROOT / room).rglob("*"))
        if path.suffix in {".py", ".sql"}
        and path.name != "__init__.py"
        and path.parent.name != "queries"  # named for what they do, and too many to list
    ]


def rows() -> dict[str, str]:
    """The row of each command in the README's table."""
    return {
        row[1]: row[0]
        for row in re.finditer(r"^\| `openbook ([\w-]+).*$", section("Commands"), re.MULTILINE)
    }


def preface() -> str:
    """What the README says of all commands, before their table."""
    return section("Commands").partition("\n|")[0]


def test_calls_and_trees_are_read_as_they_are_written() -> None:
    shown = "`openbook ingest [PATH…]`\n```\n$ .venv/bin/openbook search 'a b' -k 3  # why\n```\n"
    assert list(calls(shown)) == [["search", "a b", "-k", "3"], ["ingest"]]
    listing = "```\nflows/     when\n  cli.py   by hand\n```\n"
    assert tree(listing) == {"flows/": "when", "flows/cli.py": "by hand"}


def test_every_command_has_a_row_in_the_readme_and_every_row_a_command() -> None:
    assert rows().keys() == main.commands.keys()


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_is_called_in_the_readme(name: str) -> None:
    assert re.search(rf"`openbook {name}\b", section("Commands"))


@pytest.mark.parametrize("name", main.commands)
def test_the_options_of_a_command_are_those_that_the_readme_names(name: str) -> None:
    shared = named_options(preface()) - {"--help"}
    assert options(name) - shared == named_options(rows()[name].replace(r"\|", "|"))
    if f"`{name}`" not in preface():
        assert shared <= options(name), "the README promises them for every command"


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_the_help_of_a_command_explains_every_option(name: str, command: click.Command) -> None:
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[-1]} has no help text"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_call_that_a_document_shows_is_understood(document: str) -> None:
    for words in calls(DOCUMENTS[document]):
        command: click.Command = main
        shown, left = "openbook", words
        while isinstance(command, click.Group) and left and not left[0].startswith("-"):
            shown = f"{shown} {left[0]}"
            found = command.commands.get(left[0])
            assert found, f"{document} shows `{shown}`, which does not exist"
            command, left = found, left[1:]
        context = click.Context(command, **command.context_settings)
        command.make_parser(context).parse_args(left)


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if "```sql" in DOCUMENTS[name]])
def test_every_sql_statement_that_a_document_shows_runs(
    document: str, connection: Connection
) -> None:
    for statement in re.findall(r"^```sql\n(.*?)^```$", DOCUMENTS[document], re.M | re.DOTALL):
        connection.execute(statement)


def test_the_table_of_settings_lists_each_setting_and_nothing_else() -> None:
    table = re.findall(r"^\| `OPENBOOK_(\w+)`", README, flags=re.MULTILINE)
    assert sorted(table) == sorted(field.name.upper() for field in fields(Settings))


def test_the_table_of_settings_gives_the_defaults() -> None:
    table = dict(re.findall(r"^\| `OPENBOOK_(\w+)` \| ([^|]+) \|", README, flags=re.MULTILINE))
    for field in fields(Settings):
        if field.name != "parse_workers" and isinstance(field.default, str | int | float):
            shown = table[field.name.upper()].strip("`")
            value = field.default
            assert shown == (value if isinstance(value, str) else f"{value:g}"), field.name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_a_document_names_exists(document: str) -> None:
    named = set(re.findall(r"\bOPENBOOK_[A-Z_]+\b", DOCUMENTS[document]))
    assert named <= {f"OPENBOOK_{field.name.upper()}" for field in fields(Settings)}


def test_the_tree_shows_only_what_exists_and_says_what_each_is_for() -> None:
    for path, purpose in tree().items():
        assert (ROOT / path).exists(), f"the README's tree shows {path}, which does not exist"
        assert (ROOT / path).is_dir() == path.endswith("/"), f"{path}: end folders alone with /"
        assert purpose or any(other.startswith(path) for other in tree() if other != path), (
            f"the README's tree does not say what {path} is for"
        )


def test_the_tree_shows_every_module_and_every_sql_file_or_its_folder() -> None:
    shown = tree()
    whole = {path for path in shown if path.endswith("/") and path.startswith("sql/")}
    missing = [
        path
        for path in house_files()
        if path not in shown and str(Path(path).parent) + "/" not in whole
    ]
    assert not missing, f"add to the README's tree, with a purpose each: {', '.join(missing)}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    text = DOCUMENTS[document]
    named = re.findall(r"`make ([a-z-]+)", text)
    named += re.findall(r"^(?:\$ )?make ([a-z-]+)", "".join(fences(text)), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_links_to_exists(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", DOCUMENTS[document]):
        assert (folder / target).exists(), f"{document} links to {target}"
