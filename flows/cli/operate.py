"""Commands that keep the book without a person: up, deploy."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from flows.cli.group import as_json, main, on_prefect, print_json
from tasks.settings import current


@main.command()
@as_json
def deploy(as_json: bool) -> None:
    """Register every flow with its schedule on Prefect's server, and what follows from which event.

    The server is the configured one (PREFECT_API_URL or a profile), else the one that other
    commands use. Run it again whenever you like: what is registered is brought in step, a pause
    stays, and what left the file is removed. The file is Openbook's own deployments/prefect.yaml,
    or the one that OPENBOOK_DEPLOYMENTS names, for `up` as well. Every source gets a deployment of
    its own, as does every golden set, every spec of a dataset in OPENBOOK_HOME/specs or of a
    retraining in OPENBOOK_HOME/retrain, and the folder OPENBOOK_HOME/conversations.
    """
    from flows.deployments import deployments
    from tasks.database import connect

    with connect(current(), autocommit=True) as connection:
        wanted = deployments(connection, current())
    with on_prefect():
        from dataclasses import asdict

        from prefect.settings import PREFECT_API_URL

        from flows.register import register

        done = register(wanted)
        server = PREFECT_API_URL.value()
    if as_json:
        print_json({"server": server, **asdict(done)})
        return
    for name in done.deployments:
        click.echo(name)
    for name in done.removed:
        click.echo(f"{name}: removed")
    click.echo(f"{len(done.deployments)} deployments, {len(done.automations)} automations")


@main.command()
@click.option(
    "--watch",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Look at this folder all the time, so that a new file is searchable within seconds; "
    "repeat it for more. Other sources are read by their schedules.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where search listens.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="The port that search listens on.",
)
@as_json
def up(folders: tuple[Path, ...], host: str, port: int, as_json: bool) -> None:
    """Start everything, and keep it alive until Ctrl-C, SIGTERM or a hang-up.

    The embedded Postgres, Prefect's server and its pages, a worker, every flow with its schedule,
    and the search page; a part that dies is started again. A configured database
    (OPENBOOK_DATABASE_URL) or Prefect server (PREFECT_API_URL) is used and not started. Prints the
    addresses, then ready.
    """
    import signal
    import time
    from dataclasses import asdict
    from threading import Event

    from flows.up import Addresses
    from flows.up import up as keep_up

    started, ended = time.monotonic(), Event()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if ending != signal.SIGHUP or signal.getsignal(ending) != signal.SIG_IGN:  # as by nohup
            signal.signal(ending, lambda *_: ended.set())

    def ready(addresses: Addresses) -> None:
        seconds = time.monotonic() - started
        if as_json:
            print_json({**asdict(addresses), "seconds": seconds})
        else:
            click.echo(f"database  {addresses.database}")
            click.echo(f"Prefect   {addresses.prefect}")
            click.echo(f"search    {addresses.search}")
            for folder in addresses.watched:
                click.echo(f"watched   {folder}")
            click.echo(f"ready after {seconds:.1f} s; Ctrl-C ends it")
        sys.stdout.flush()

    keep_up(
        current(),
        folders,
        host=host,
        port=port,
        ended=ended,
        ready=ready,
        tell=lambda sentence: click.echo(f"openbook: {sentence}", err=True),
    )
