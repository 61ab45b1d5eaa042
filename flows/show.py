"""What the command line prints for people: tables, hits and progress on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tasks.errors import OpenbookError

if TYPE_CHECKING:
    from tasks.ingest.plan import Plan
    from tasks.ingest.runs import Source
    from tasks.records import Explanation, Hit, Neighbour
    from tasks.upkeep.principals import Login

FILES_SHOWN = 20
_ALIKE_SHOWN = 5
_INDEXES_SHOWN = 10
_POLL_SECONDS = 0.5

console = Console(highlight=False)


def report(values: dict[str, Any]) -> None:
    """One line of what the run did, and the files that it could not use."""
    files = [
        f"{values[name]:,} {name}"
        for name in ("new", "changed", "renamed", "deleted", "unchanged", "pending")
        if values[name]
    ]
    parts = [
        *(files or ["nothing there"]),
        f"{values['embedded']:,} chunks embedded",
        f"{values['reused']:,} reused",
        dollars(values["usd"]),
        f"{values['seconds']:.1f} s",
    ]
    console.print(Text(" · ".join(parts), style="bold"), soft_wrap=True)
    rejected_files(values["rejected"])


def plan(made: Plan) -> None:
    """What a run of the folder would do."""
    values = made.as_json()
    parts = [
        f"{made.pending:,} of {made.seen:,} files to read",
        f"{made.renamed:,} renamed",
        f"{made.deleted:,} deleted",
        f"{made.chunks:,} chunks",
        *([f"{made.contexts:,} contexts to write"] if made.contexts else []),
        f"{made.embed:,} to embed ({made.tokens:,} tokens)",
        dollars(made.usd),
    ]
    console.print(Text(f"{made.folder}: " + " · ".join(parts), style="bold"), soft_wrap=True)
    rejected_files(values["rejected"], rest="openbook plan --json")


def dollars(usd: float) -> str:
    """An amount with cents, or with as many digits as a small one needs."""
    return f"${usd:.2f}" if usd == 0 or usd >= 0.01 else f"${usd:.6f}"


def hits(
    query: str, found: Sequence[Hit], around: Mapping[int, Sequence[Neighbour]] | None = None
) -> None:
    """The hits, best first, each with the place where it stands and the chunks around it."""
    if not found:
        console.print(f"Nothing found for {query!r}.", markup=False)
    for hit in found:
        ranks = [
            f"{name} {rank}"
            for name, rank in (("words", hit.keyword_rank), ("meaning", hit.dense_rank))
            if rank is not None
        ]
        line = Text(f"{hit.rank:>2}  ", style="bold")
        line.append(place(hit), style="cyan")
        line.append(f"  ({', '.join(ranks)})  chunk {hit.chunk_id}", style="dim")
        console.print(line, soft_wrap=True)
        near = (around or {}).get(hit.chunk_id, ())
        for each in near:
            if each.distance < 0:
                _print_near(each)
        console.print(Padding(Text(_excerpt(hit.text)), (0, 0, 0, 4)))
        for each in near:
            if each.distance > 0:
                _print_near(each)
        console.print()


def _print_near(near: Neighbour) -> None:
    """A chunk before (-1, -2 …) or after (+1, +2 …) the hit, told from it by that number."""
    console.print(
        Padding(Text(f"({near.distance:+d}) {_excerpt(near.text)}", style="dim"), (0, 0, 0, 4))
    )


def explanation(found: Explanation) -> None:
    """Why a chunk is a hit, or why it is none."""
    line = Text(f"chunk {found.chunk_id} of {found.path}: ", style="cyan")
    line.append(found.reason, style="bold")
    if found.rank is not None:
        line.append(f", rank {found.rank}, score {found.score:.3f}")
    console.print(line, soft_wrap=True)
    if not found.current:
        until = f" until {found.valid_to:%Y-%m-%d %H:%M %Z}" if found.valid_to else ""
        console.print(f"    readers saw its version{until}", markup=False)
    for name, rank, value in (
        ("words", found.keyword_rank, found.keyword_score),
        ("meaning", found.dense_rank, found.similarity),
    ):
        place = "not in the list" if rank is None else f"rank {rank}"
        value_text = "no match" if value is None else f"score {value:.3f}"
        console.print(f"    {name:8} {place}, {value_text}", markup=False)
        for lexeme in found.lexemes if name == "words" else ():
            console.print(
                f"             {lexeme['lexeme']}: {lexeme['count']} times, weight"
                f" {lexeme['weight']}, adds {lexeme['score']}",
                markup=False,
            )
    for demand in found.demands:
        met = "met" if demand["met"] else "not met"
        console.print(f"    {met:8} {demand['asks']}", markup=False)


def evaluation(values: dict[str, Any]) -> None:
    """What each mode of search scored, ± half of the 95 % interval, and how the modes differ."""
    measures = [
        name for name in next(iter(values["modes"].values())) if "@" in name or name == "mrr"
    ]
    modes = values["modes"]
    table = Table("", *modes, box=None)
    for name in measures:
        cells = [
            f"{figures[name]:.3f} [dim]±{(high - low) / 2:.3f}[/dim]"
            for figures in modes.values()
            for low, high in [figures["intervals"][name]]
        ]
        table.add_row(name, *cells)
    for name in ("p50", "p95"):
        table.add_row(
            f"{name} ms", *(f"{figures['latency_ms'][name]:.1f}" for figures in modes.values())
        )
    console.print(
        f"{values['name']}: {values['questions']:,} questions, {values['model']}, "
        f"reranker {values['reranker']}",
        markup=False,
    )
    console.print(table)
    for one in values["comparisons"]:
        console.print(
            "{mode} against {other}: nDCG@10 {difference:+.3f} "
            "({0:+.3f} to {1:+.3f}), p = {p:.4f}".format(*one["interval"], **one),
            markup=False,
        )


def sources(found: Sequence[Source]) -> None:
    """The folders that are kept in step."""
    table = Table("name", "folder", "collection", "language", "readers", box=None)
    for source in found:
        readers = ", ".join(source.readers)
        columns = (source.name, source.root, source.collection, source.language, readers)
        table.add_row(*map(escape, columns))
    console.print(table if found else "No folder is known yet; name one: openbook ingest PATH.")


def logins(found: Sequence[Login]) -> None:
    """The logins, and for whom each stands."""
    table = Table("login", "roles", "stands for", "only in", box=None)
    for one in found:
        columns = (one.roles, one.principals, one.collections)
        table.add_row(escape(one.login), *(escape(", ".join(names)) for names in columns))
    console.print(table if found else "No login has a role of Openbook's.")


def maintenance(values: dict[str, Any]) -> None:
    """What maintenance removed, mended and built anew, and how the indexes do."""
    removed = [f"{count:,} {name}" for name, count in values["removed"].items() if count]
    removed += [f"{count:,} vectors of {name}" for name, count in values["dropped_models"].items()]
    console.print(f"removed: {', '.join(removed) or 'nothing was past its time'}", markup=False)
    mended = [f"{count:,} {what}" for what, count in values["mended"].items()]
    console.print(f"mended: {'; '.join(mended) or 'nothing differed'}", markup=False)
    for failure in values["failed"]:
        console.print(f"failed: {failure}", style="red", markup=False)
    if values["rebuilt"]:
        console.print(f"built anew: {', '.join(values['rebuilt'])}", markup=False)
    keyword_index(values["keywords"])
    indexes = values["indexes"]
    valid = sum(index["valid"] for index in indexes)
    megabytes = sum(index["bytes"] for index in indexes) / 1e6
    console.print(f"indexes: {len(indexes)}, {megabytes:,.1f} MB, {valid} valid", markup=False)
    table = Table("index", "method", "rows", "MB", "bloat", "valid", box=None)
    for index in indexes[:_INDEXES_SHOWN]:
        if index["bytes"] >= 1e6 or not index["valid"]:
            table.add_row(
                escape(index["name"]),
                index["method"],
                f"{index['rows']:,}",
                f"{index['bytes'] / 1e6:.1f}",
                "" if index["bloat"] is None else f"{index['bloat']:.1f} x",
                "yes" if index["valid"] else "no",
            )
    if table.rows:
        console.print(table)


def keyword_index(values: dict[str, Any]) -> None:
    """One line on the keyword index."""
    console.print(
        f"keyword index: {values['passages']:,} passages in {values['blocks']:,} blocks, "
        f"{values['struck_out']:,} struck out, {values['pending']:,} to be sealed",
        markup=False,
    )


@contextmanager
def progress(quiet: bool) -> Iterator[None]:
    """On a terminal, a bar of the files that the newest run has dealt with, from the database."""
    if quiet or not console.is_terminal:
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(ended,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(ended: threading.Event) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tasks.database import connect
    from tasks.ingest.status import newest_run
    from tasks.settings import current

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("files"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("starting", total=None)
        try:
            with connect(current(), autocommit=True) as connection:
                total = 0
                while not ended.wait(_POLL_SECONDS):
                    pending = newest_run(connection)
                    if pending is not None:
                        total = max(total, pending)
                        bars.update(
                            bar, description="reading", total=total, completed=total - pending
                        )
        except OpenbookError:
            return  # the run itself tells what is wrong


def rejected_files(
    rejected: Sequence[dict[str, Any]], rest: str = "openbook status --json"
) -> None:
    """The files that could not be used and what to do, those of one reason together.

    `rest` is the command that lists all of them.
    """
    reasons: dict[str, list[str]] = {}
    for one in rejected:
        reason = f": {one['reason']}. {one['remedy'] or ''}{_tries(one)}"
        reasons.setdefault(reason, []).append(printable(one["path"]))
    shown = 0
    for reason, paths in list(reasons.items())[:FILES_SHOWN]:
        alone = len(paths) == 1
        line = Text("rejected ", style="red")
        line.append(paths[0] if alone else f"{len(paths):,} files", style="cyan")
        console.print(line.append(reason), soft_wrap=True)
        for path in () if alone else paths[:_ALIKE_SHOWN]:
            console.print(Text(f"    {path}", style="cyan"), soft_wrap=True)
        shown += min(len(paths), _ALIKE_SHOWN)
    if len(rejected) > shown:
        console.print(f"… and {len(rejected) - shown:,} more: {rest}", soft_wrap=True)


def _tries(one: dict[str, Any]) -> str:
    """How often a rejected file was tried, and when it is tried again."""
    if not one["attempts"]:
        return ""
    times = "once" if one["attempts"] == 1 else f"{one['attempts']} times"
    due = one["next_try_at"]
    if due is None:
        return f" (tried {times}; again when it changes)"
    if due <= datetime.now(due.tzinfo):
        return f" (tried {times}; again in the next run)"
    return f" (tried {times}; again from {due:%Y-%m-%d %H:%M %Z})"


def printable(name: str) -> str:
    """A file name without what a terminal would act on."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def place(hit: Hit) -> str:
    """Where a hit stands: its file, section and page."""
    page = None if hit.page is None else f"page {hit.page}"
    return " · ".join(part for part in (hit.path, hit.section, page) if part)


def _excerpt(text: str, limit: int = 400) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + " …"
