"""The house rules that a program can check. Each message says what to do instead.

A rule is a function from a file's text to what is wrong with it. It runs over the whole tree, and
over snippets that break it, so that no rule can fall asleep.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_MODULE = 350

SHARED = {
    "tasks.database", "tasks.embedders", "tasks.endpoint", "tasks.prices", "tasks.prompt",
    "tasks.records", "tasks.settings", "tasks.statistics", "tasks.strict", "tasks.errors",
}  # fmt: skip
"""The rooms of tasks/ that every stage may use; each other folder of tasks/ is a stage."""

SHARED_MAY_USE = {
    "tasks.database": {"tasks.records", "tasks.settings", "tasks.errors"},
    "tasks.embedders": {
        "tasks.endpoint",
        "tasks.prices",
        "tasks.records",
        "tasks.settings",
        "tasks.errors",
    },
    "tasks.endpoint": {"tasks.errors"},
    "tasks.settings": {"tasks.errors"},
    "tasks.strict": {"tasks.errors"},
    "tasks.prices": set(),
    "tasks.prompt": set(),
    "tasks.statistics": set(),
    "tasks.records": set(),
    "tasks.errors": set(),
}

HEAVY = {"prefect", "unstructured", "openai", "torch", "pandas"}
"""What searching and asking must not load: it would cost them their first second."""


def imports(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and dotted name of everything imported anywhere in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                base = ".".join([*package, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def uses(module: str, tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Each name or attribute that stands for something imported, by its full dotted name."""
    meaning = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                meaning[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            start, _, rest = ast.unparse(node).partition(".")
            if start in meaning:
                yield node, f"{meaning[start]}.{rest}" if rest else meaning[start]


def room(name: str) -> str:
    """The room of a dotted name, such as `tasks.ingest`, `tasks.errors`, `flows` or `prefect`."""
    first, *rest = name.split(".")
    return f"tasks.{rest[0]}" if first == "tasks" and rest else first


def wrong_arrows(module: str, source: str) -> list[str]:
    """Imports run one way: flows -> a stage -> the shared rooms."""
    wrong = []
    here = room(module)
    for line, name in imports(module, ast.parse(source, module)):
        there = room(name)
        why = ""
        if there == here or (here == "flows" and there != "flows"):
            continue
        if there == "prefect":
            why = "only flows/ knows Prefect; return a value and let the flow decide when"
        elif there == "flows":
            why = "tasks/ does not know who calls it; pass in what it needs"
        elif here in SHARED and there.startswith("tasks") and there not in SHARED_MAY_USE[here]:
            allowed = ", ".join(sorted(SHARED_MAY_USE[here])) or "nothing of ours"
            why = f"{here} may use {allowed}, since every stage stands on it"
        elif here.startswith("tasks.") and there.startswith("tasks") and there not in SHARED:
            why = (
                "stages do not import each other; share a type in tasks/records.py, or let a flow "
                "pass the value on"
            )
        if why:
            wrong.append(f"{module}:{line} imports {name}: {why}")
    return wrong


def connections(module: str, source: str) -> list[str]:
    """Only tasks/database opens connections; others are given one."""
    if room(module) == "tasks.database":
        return []
    openers = re.compile(
        r"(psycopg\.(connect|(Async)?Connection(\.connect|\(\)))|psycopg_pool\.\w+)$"
    )
    tree = ast.parse(source, module)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return [
        f"{module}:{node.lineno} opens a connection with {name}: take a Connection as a parameter "
        "and open it with tasks.database, which knows the settings, the locks and the errors"
        for node, name in uses(module, tree)
        if openers.fullmatch(name + "()" * (id(node) in called and name.endswith("Connection")))
    ]


def environment(module: str, source: str) -> list[str]:
    """Only tasks/settings.py reads a variable of the environment.

    Copying the whole environment for a child process, and setting a variable for a library, are
    not reading.
    """
    if module == "tasks.settings":
        return []
    tree = ast.parse(source, module)
    named = {id(node): name for node, name in uses(module, tree)}
    reads = [
        node
        for node in ast.walk(tree)
        if named.get(id(node), "").startswith(("os.getenv", "os.environ.get", "os.environ.pop"))
        or (
            isinstance(node, ast.Subscript)
            and named.get(id(node.value)) == "os.environ"
            and isinstance(node.ctx, ast.Load)
        )
        or (
            isinstance(node, ast.Compare)
            and any(named.get(id(other)) == "os.environ" for other in node.comparators)
        )
    ]
    return [
        f"{module}:{node.lineno} reads the environment: add a field to tasks.settings.Settings and "
        "take the settings as a parameter, so that there is one list of what can be configured"
        for node in reads
        if isinstance(node, ast.expr)
    ]


def length(module: str, source: str) -> list[str]:
    """A module is short enough to be read in one sitting."""
    lines = source.count("\n")
    if lines <= LONGEST_MODULE:
        return []
    return [
        f"{module} has {lines} lines, {LONGEST_MODULE} are the limit: split it by what its readers "
        "look for, and name each half by its verb"
    ]


def bare_sql(source: str) -> str:
    """SQL without its comments, strings and quoted identifiers."""
    return re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"", " ", source, flags=re.DOTALL)


def shouted_keywords(path: str, source: str) -> list[str]:
    """SQL is written in lower case."""
    keywords = (
        "select insert update delete from where join left inner on using group order by having "
        "limit with as union create replace alter drop table view index function returns language "
        "begin end if then else elsif case when declare return comment grant revoke values set and "
        "or not null is in exists primary key references constraint default check unique"
    ).upper()
    words = set(re.findall(r"\b[A-Z]+\b", bare_sql(source)))
    shouted = sorted(words & set(keywords.split()))
    return [f"{path}: write {', '.join(shouted)} in lower case"] if shouted else []


def missing_comments(path: str, source: str) -> list[str]:
    """Every table and view says in the database what one of its rows is."""
    created = re.findall(
        r"^create (?:or replace )?(?:materialized )?(table|view) (?:if not exists )?([\w.]+)",
        source,
        flags=re.MULTILINE,
    )
    return [
        f"{path}: {kind} {name} has no comment: add `comment on {kind} {name} is 'One row a …'`"
        for kind, name in created
        if not re.search(rf"^comment on (materialized )?{kind} {re.escape(name)} is", source, re.M)
    ]


def loose_pins(path: str, source: str) -> list[str]:
    """Each constraint pins one version of a package; PyTorch belongs to training alone."""
    wrong = []
    for line in source.splitlines():
        entry = line.partition("#")[0].strip()
        if "://" in line or entry.startswith("-"):
            wrong.append(f"{path}: {line!r} names a host or an option: leave that to the installer")
        elif entry and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[\w.!+]+( ;.*)?", entry):
            wrong.append(f"{path}: {line!r} is not pinned: write name==version")
        elif re.match(r"(spacy|nvidia|cuda|triton)", entry) or (
            entry.startswith("torch") and path != "constraints-train.txt"
        ):
            wrong.append(f"{path}: {line!r} weighs too much: find who asks for it")
    return wrong


Rule = Callable[[str, str], list[str]]
MODULE_RULES: list[Rule] = [wrong_arrows, connections, environment, length]
SQL_RULES: list[Rule] = [shouted_keywords, missing_comments]


def modules() -> dict[str, str]:
    """The source of every module of flows/ and tasks/, by its dotted name."""
    paths = [path for top in ("flows", "tasks") for path in sorted((ROOT / top).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in paths
    }


@pytest.mark.parametrize("rule", MODULE_RULES)
def test_every_module_keeps_the_house_rules(rule: Rule) -> None:
    found = [fault for module, source in modules().items() for fault in rule(module, source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", SQL_RULES)
def test_every_sql_file_keeps_the_house_rules(rule: Rule) -> None:
    files = sorted((ROOT / "sql").rglob("*.sql"))
    assert files
    found = [
        fault
        for path in files
        for fault in rule(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-dev.txt"])
def test_the_constraints_pin_a_light_core(name: str) -> None:
    source = (ROOT / name).read_text(encoding="utf-8")
    assert "prefect==" in source
    found = loose_pins(name, source)
    assert not found, "\n".join(found)


def test_the_constraints_of_training_leave_cuda_to_the_build_that_was_found() -> None:
    source = (ROOT / "constraints-train.txt").read_text(encoding="utf-8")
    assert "torch==" in source
    found = loose_pins("constraints-train.txt", source)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", ["tasks.retrieve.search", "flows.ask"])
def test_search_is_imported_without_what_it_does_not_need(module: str) -> None:
    program = (
        f"import sys, {module};"
        f"print(*sorted({HEAVY} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    loaded = child.stdout.strip()
    assert not loaded, f"{module} loads {loaded}: import it in the function that needs it"


@pytest.mark.parametrize(
    ("rule", "name", "source", "message"),
    [
        (wrong_arrows, "tasks.ingest.scan", "import prefect", "only flows/ knows Prefect"),
        (wrong_arrows, "tasks.ingest.scan", "from prefect import task", "only flows/ knows"),
        (wrong_arrows, "tasks.errors", "def f():\n    import prefect.cache", "only flows/ knows"),
        (wrong_arrows, "tasks.ingest.scan", "from flows.ingest import x", "who calls it"),
        (wrong_arrows, "tasks.ingest.scan", "import tasks.retrieve.search", "stages do not import"),
        (wrong_arrows, "tasks.answer.prompt", "from tasks import retrieve", "stages do not import"),
        (wrong_arrows, "tasks.ingest.scan", "from ..retrieve import search", "stages do not"),
        (wrong_arrows, "tasks.database.migrate", "import tasks.ingest.scan", "every stage stands"),
        (wrong_arrows, "tasks.database", "from tasks.embedders import x", "may use tasks.errors"),
        (wrong_arrows, "tasks.records", "from tasks.errors import Fatal", "nothing of ours"),
        (connections, "tasks.ingest.scan", "import psycopg\npsycopg.connect('')", "take a Conn"),
        (connections, "flows.cli", "import psycopg as p\nopen = p.connect", "take a Connection"),
        (connections, "flows.cli", "from psycopg import connect\nconnect('')", "take a Conn"),
        (connections, "flows.cli", "import psycopg\npsycopg.Connection.connect()", "take a Conn"),
        (connections, "flows.cli", "from psycopg import Connection as C\nC(1)", "take a Conn"),
        (connections, "flows.cli", "import psycopg_pool\npsycopg_pool.ConnectionPool()", "take a"),
        (environment, "tasks.ingest.scan", "import os\nos.environ['HOME']", "add a field to"),
        (environment, "tasks.ingest.scan", "import os\nos.environ.get('HOME')", "add a field to"),
        (environment, "flows.cli", "from os import environ as e\ne['HOME']", "add a field to"),
        (environment, "flows.cli", "import os\nos.getenv('HOME')", "add a field to"),
        (environment, "flows.cli", "import os\nprint('CI' in os.environ)", "add a field to"),
        (length, "flows.cli", "x = 1\n" * (LONGEST_MODULE + 1), "split it by what its readers"),
        (shouted_keywords, "sql/a.sql", "SELECT 1 from a", "write SELECT in lower case"),
        (shouted_keywords, "sql/a.sql", "as $$ begin RETURN 'x'; end $$", "write RETURN"),
        (missing_comments, "sql/a.sql", "create table a (b int);", "table a has no comment"),
        (missing_comments, "sql/a.sql", "create or replace view a.b as select 1;", "view a.b has"),
        (loose_pins, "constraints.txt", "click>=8", "is not pinned"),
        (loose_pins, "constraints.txt", "click", "is not pinned"),
        (loose_pins, "constraints.txt", "--index-url https://example.org/simple", "names a host"),
        (loose_pins, "constraints.txt", "click @ https://example.org/click.whl", "names a host"),
        (loose_pins, "constraints.txt", "torch==2.13.0", "weighs too much"),
        (loose_pins, "constraints.txt", "nvidia-cuda-runtime==13.0", "weighs too much"),
        (loose_pins, "constraints-train.txt", "nvidia-cublas==13.1", "weighs too much"),
    ],
)
def test_a_breach_is_found_and_explained(rule: Rule, name: str, source: str, message: str) -> None:
    faults = rule(name, source)
    assert len(faults) == 1
    assert message in faults[0]


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (wrong_arrows, "flows.ingest", "import prefect, tasks.ingest.scan, tasks.retrieve.search"),
        (wrong_arrows, "flows.cli", "from flows.ingest import ingest"),
        (wrong_arrows, "tasks.ingest.scan", "from tasks.ingest.stage import stage"),
        (wrong_arrows, "tasks.ingest.scan", "import os\nfrom tasks.database import query"),
        (wrong_arrows, "tasks.embedders.minilm", "from tasks.records import Usage"),
        (connections, "tasks.database", "import psycopg\npsycopg.connect('')"),
        (connections, "tasks.ingest.scan", "from psycopg import Connection\nx: Connection"),
        (connections, "flows.server", "import sqlite3\nsqlite3.connect('')"),
        (environment, "tasks.settings", "import os\nos.environ['HOME']"),
        (environment, "flows.server", "import os\nchild = {**os.environ, 'A': 'b'}"),
        (environment, "flows.server", "import os\n{a: b for a, b in os.environ.items()}"),
        (environment, "tasks.ingest.parse", "import os\nos.environ['DO_NOT_TRACK'] = '1'"),
        (length, "flows.cli", "x = 1\n" * LONGEST_MODULE),
        (shouted_keywords, "sql/a.sql", "-- SELECT\nselect 'INSERT', \"END\" /* FROM\n */"),
        (
            missing_comments,
            "sql/a.sql",
            "create table a (b int);\ncomment on table a is 'One row';",
        ),
        (loose_pins, "constraints.txt", "# light\nnumpy==2.4.6 ; python_full_version < '3.12'\n"),
    ],
)
def test_what_the_house_allows_passes(rule: Rule, name: str, source: str) -> None:
    assert rule(name, source) == []
