"""Commands that keep a copy of the whole book: backup, restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from flows.cli.group import as_json, main, print_json
from tasks.settings import current


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def backup(file: Path, as_json: bool) -> None:
    """Write the whole book, as it is now, into FILE, which must not exist.

    FILE is a zip that only you can read: the database as SQL (documents, vectors, history,
    conversations, datasets, who may read what), the key behind pseudonyms and the hashes of
    server tokens where OPENBOOK_HOME holds them, and a manifest. Whoever has it can read all
    that. Not in it: the folders themselves, exported datasets, trained models, settings,
    passwords of logins, and Prefect's history of runs. Searches and runs go on meanwhile.
    """
    from tasks.upkeep.backup import back_up

    manifest = back_up(current(), file)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size, **asdict(manifest)})
        return
    click.echo(
        f"{file}: {file.stat().st_size / 1e6:,.1f} MB · {manifest.documents:,} documents"
        f" · {manifest.embeddings:,} vectors · {manifest.conversations:,} conversations"
    )
    for name in manifest.files:
        click.echo(f"  holds {name}: keep this file as secret as that")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the book that is here.")
@as_json
def restore(file: Path, force: bool, as_json: bool) -> None:
    """Put the book that FILE holds in the place of the one here, which must be empty.

    Empty is a book that nothing was written into. What others built on it elsewhere in the
    database, such as a view, is named and never dropped: then nothing is restored. The file is
    read through before anything changes; then the database changes in one transaction and is
    brought up to date. Nothing is embedded again. A key or tokens that were here and are others are
    kept beside their successors. The next `ingest` of each folder compares it anew.
    """
    from tasks.upkeep.backup import restore as put_back

    restored = put_back(current(), file, force=force)
    if as_json:
        print_json(asdict(restored))
        return
    manifest = restored.manifest
    click.echo(
        f"as of {manifest.made_at}: {manifest.documents:,} documents"
        f" · {manifest.embeddings:,} vectors · {manifest.conversations:,} conversations"
    )
    for path in restored.set_aside:
        click.echo(f"  what was here is now {path}")
    for login in restored.logins_missing:
        click.echo(f"  the login {login} is missing, and this user may not make it")
