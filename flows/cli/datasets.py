"""Commands about datasets: curate, datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.cli.group import as_json, main, on_prefect, print_json
from tasks.settings import current

_MADE_OF = {
    "preference": "A preference pair is made of an answer that was corrected, that replaced "
    "another,\nor that was liked where another to the same question was disliked.",
    "raft": "A RAFT example is made of an answer that was logged with the passages it was\nmade "
    "from, as `openbook answer` logs them.",
}
"""What each kind of dataset needs of conversations, said where they have none of it."""


@main.command()
@click.argument("spec", metavar="SPEC|why")
@click.argument("what", required=False)
@click.option("--plan", is_flag=True, help="Show the funnel and the price, and write nothing.")
@click.option("--if-due", is_flag=True, help="Only when the spec's trigger says so, and say why.")
@as_json
def curate(spec: str, what: str | None, plan: bool, if_due: bool, as_json: bool) -> None:
    """Make a version of the dataset that SPEC, a YAML or JSON file, describes.

    The version holds examples made of the logged conversations: redacted, without duplicates and
    without what tests the model, in splits that never change sides. The same conversations and
    spec give the same bytes; nothing new is made where the newest version is that already.

    openbook curate why WHAT says what became of a conversation (its id, or the id that its source
    gives it) or of an example (the beginning of its sha256), version by version.
    """
    if (spec == "why") != (what is not None):
        raise click.UsageError("Write openbook curate SPEC, or openbook curate why WHAT.")
    if what is not None:
        _explain(what, as_json)
        return
    from tasks.datasets.read_spec import read_spec

    described = read_spec(Path(spec))  # what is wrong is said before a Prefect server is started
    if plan:
        from tasks.database import connect
        from tasks.datasets.curate import curate as make_version

        settings = current()
        with connect(settings) as connection:
            report = make_version(connection, described, settings, plan=True).as_json()
    else:
        with on_prefect():
            from flows.curate import curate as flow

            report = flow(spec=str(Path(spec).absolute()), if_due=if_due)
    if as_json:
        print_json(report)
    else:
        _show_report(report)


def _explain(what: str, as_json: bool) -> None:
    from tasks.database import connect
    from tasks.datasets.versions import explain

    with connect(current()) as connection:
        found = explain(connection, what)
    if as_json:
        print_json(found)
        return
    for one in found:
        fate = f"in {one['split']}" if one["split"] else f"out at {one['step']}: {one['reason']}"
        instead = f" (conversation {one['because_of']} was kept)" if one["because_of"] else ""
        click.echo(
            f"{one['dataset']}@{one['version']} · {(one['sha256'] or '')[:12]} {fate}{instead}"
        )


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def datasets(ctx: click.Context, as_json: bool) -> None:
    """List the versions of all datasets."""
    if ctx.invoked_subcommand:
        return
    from tasks.database import connect
    from tasks.datasets.versions import versions

    with connect(current()) as connection:
        found = versions(connection)
    if as_json:
        print_json([_brief(row) for row in found])
        return
    if not found:
        click.echo("There is no dataset yet; see openbook curate --help.")
    for row in found:
        tainted = f" · tainted: {row['forgotten_examples']} forgotten" if row["tainted_at"] else ""
        click.echo(
            f"{row['dataset']}@{row['version']} · {row['kind']} · {_splits(row['splits'])} · "
            f"{row['content_sha256'][:12]} · {row['created_at']:%Y-%m-%d %H:%M}{tainted}"
        )


@datasets.command("show")
@click.argument("name")
@as_json
def show_version(name: str, as_json: bool) -> None:
    """Show a version NAME or NAME@NUMBER: its funnel, splits, price, spec and exports."""
    from tasks.database import connect
    from tasks.datasets.versions import describe

    with connect(current()) as connection:
        row = describe(connection, name)
    if as_json:
        print_json({key: value for key, value in row.items() if key != "version_id"})
        return
    beside = ("source", "kept", "golden")
    _show_report(
        {
            **row,
            "created": True,
            "golden": row["splits"].get("golden", 0),
            "sources": [one for one in row["funnel"] if one["step"] == "source"],
            "funnel": [one for one in row["funnel"] if one["step"] not in beside],
        }
    )
    if row["tainted_at"]:
        click.echo(f"tainted {row['tainted_at']:%Y-%m-%d}: {row['forgotten_examples']} forgotten")
    for one in row["exports"]:
        click.echo(f"exported to {one['folder']} on {one['host']}")


@datasets.command()
@click.argument("one")
@click.argument("other")
@as_json
def diff(one: str, other: str, as_json: bool) -> None:
    """Say what version OTHER has more and less of than version ONE."""
    from tasks.database import connect
    from tasks.datasets.versions import compare

    with connect(current()) as connection:
        found = compare(connection, one, other)
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{found['from']} -> {found['to']}: {found['added']:,} added · {found['removed']:,} removed"
        f" · {found['kept']:,} kept · {found['moved']:,} in another split"
        f" · {found['tokens']:+,} tokens"
    )
    for change in found["spec"]:
        click.echo(f"  {change['field']}: {change['from']} -> {change['to']}")


@datasets.command()
@click.argument("name")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="JSONL as providers take it, or Parquet with hashes and lineage.",
)
@as_json
def export(name: str, folder: Path | None, file_format: Any, as_json: bool) -> None:
    """Write the files of a version NAME or NAME@NUMBER, and a manifest last.

    Without --to, into datasets/NAME/NUMBER under OPENBOOK_HOME.
    """
    from tasks.database import connect
    from tasks.datasets.export import export as write
    from tasks.datasets.versions import find_version

    settings = current()
    with connect(settings) as connection:
        row = find_version(connection, name)
        target = folder or settings.home / "datasets" / row["dataset"] / str(row["version"])
        chosen = f"{row['dataset']}@{row['version']}"
        manifest = write(connection, settings, chosen, target.absolute(), file_format)
    if as_json:
        print_json({"folder": str(target.absolute()), **manifest})
    else:
        for one in manifest["files"]:
            click.echo(
                f"{target / one['file']} · {one['examples']:,} examples · {one['sha256'][:12]}"
            )
        for problem in manifest["problems"]:
            click.echo(f"not for a provider yet: {problem}", err=True)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    left_out = ("version_id", "spec", "statistics")
    return {key: value for key, value in row.items() if key not in left_out}


def _splits(splits: dict[str, int]) -> str:
    return " · ".join(f"{splits.get(name, 0):,} {name}" for name in ("train", "validation", "test"))


def _show_report(report: dict[str, Any]) -> None:
    for reason in report.get("trigger", {}).get("reasons", ()):
        click.echo(reason)
    if "splits" not in report:
        return
    number = report["version"]
    state = "plan" if number is None else f"version {number}"
    same = "" if report["created"] or number is None else " (as before)"
    click.echo(f"{report['dataset']} · {report['kind']} · {state}{same}")
    for one in report["sources"]:
        click.echo(f"{one['examples']:>9,} {one['reason']}")
    for one in report["funnel"]:
        click.echo(f"{-one['examples']:>9,} {one['step']}: {one['reason']}")
    click.echo(f"{report['examples']:>9,} examples: {_splits(report['splits'])}")
    if report["golden"]:
        click.echo(f"{report['golden']:>9,} golden questions, which never train")
    if not report["examples"] and (made_of := _MADE_OF.get(report["kind"])):
        click.echo(made_of)
    if report.get("answers_to_write"):
        click.echo(
            f"{report['answers_to_write']:>9,} answers to be written by OPENBOOK_ANSWER_MODEL, "
            "which has a price of its own"
        )
    click.echo(_price(report))
    click.echo(f"sha256 {report['content_sha256']}")


def _price(report: dict[str, Any]) -> str:
    """What the training split costs, and of which day the price is."""
    if not report["tokens"]:
        return "nothing to train on"
    about = "" if report["tokens_exact"] else "about "
    tokens = f"{about}{report['tokens']:,} training tokens"
    if report["usd"] is None:
        return f"{tokens} · no known price"
    of_day = f", at prices of {report['price_as_of']}" if report["price_as_of"] else ""
    return f"{tokens} · ${report['usd']:,.2f} for {report['epochs']} epochs{of_day}"
