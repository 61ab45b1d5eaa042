"""Commands that keep the book without a person: deploy."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.group import as_json, main, on_prefect, print_json
from tasks.settings import current


@main.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="A file of deployments in place of Openbook's own deployments/prefect.yaml.",
)
@as_json
def deploy(file: Path | None, as_json: bool) -> None:
    """Register every flow with its schedule on Prefect's server, and what follows from which event.

    The server is the configured one (PREFECT_API_URL or a profile), else the one that other
    commands use. Run it again whenever you like: what is registered is brought in step, a pause
    stays, and what left the file is removed. Every source gets a deployment of its own, as does
    every golden set, every spec in OPENBOOK_HOME/specs, and the folder OPENBOOK_HOME/conversations.
    """
    from flows.deployments import FILE, deployments
    from tasks.database import connect

    with connect(current(), autocommit=True) as connection:
        wanted = deployments(connection, current(), file or FILE)
    with on_prefect():
        from dataclasses import asdict

        from flows.register import register

        done = register(wanted)
    if as_json:
        print_json(asdict(done))
        return
    for name in done.deployments:
        click.echo(name)
    for name in done.removed:
        click.echo(f"{name}: removed")
    click.echo(f"{len(done.deployments)} deployments, {len(done.automations)} automations")
