"""The command that makes a better model: retrain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json
from tasks.settings import current


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--backend", type=click.Choice(["local", "openai"]), help="In place of the spec's backend."
)
@click.option("--base", help="In place of the spec's: the model to start from.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="The most that training may cost.")
@click.option("--plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--approve", is_flag=True, help="Ask a person before a candidate comes to serve.")
@click.option("--if-due", is_flag=True, help="Begin only when the policy says so, and say why.")
@click.option("--wait", type=click.FloatRange(min=0), metavar="MINUTES", help="For the training.")
@click.option("--abandon", is_flag=True, help="Give up the cycle that is under way.")
@as_json
def retrain(
    spec: Path,
    *,
    backend: str | None,
    base: str | None,
    max_usd: float | None,
    plan: bool,
    approve: bool,
    if_due: bool,
    wait: float | None,
    abandon: bool,
    as_json: bool,
) -> None:
    """Make a better model from what was said: curate, train, examine, judge, and promote it.

    SPEC is a YAML or JSON file; deployments/retrain has one that explains every part. A training
    under way is not waited for, unless with --wait: call it again, and the cycle goes on where it
    stands, whatever died meanwhile. The model that serves stays unless the candidate is better.

    Exit code 1 when a training failed, a budget or a person refused, or the cycle cannot go on.
    """
    if abandon:
        report = _abandon()
    elif plan:
        from flows.retrain_plan import plan_cycle

        changes = {"backend": backend, "base": base, "max_usd": max_usd}
        report = plan_cycle(spec, **changes)
    else:
        with on_prefect():
            from flows.retrain import retrain as flow

            report = flow(
                spec=str(spec),
                backend=backend,
                base=base,
                max_usd=max_usd,
                approve=approve or None,
                if_due=if_due,
                wait_seconds=60 * (wait or 0),
            )
    if as_json:
        print_json(report)
    else:
        _show(report)
    if report["outcome"] in {"failed", "refused"} and not abandon:
        sys.exit(FAILED)


def _abandon() -> dict[str, Any]:
    from flows.retrain import abandon, report_of
    from tasks.database import connect

    with connect(current(), autocommit=True) as connection:
        cycle = abandon(connection)
    if cycle is None:
        return {"outcome": None, "reasons": ["no cycle was under way"]}
    return report_of(cycle)


def _show(report: dict[str, Any]) -> None:
    head = f"cycle {report['cycle']} · " if report.get("cycle") else ""
    at = f", at {report['step']}" if report["outcome"] == "waiting" else ""
    click.echo(f"{head}{report['outcome'] or 'nothing to do'}{at}")
    for reason in report["reasons"]:
        click.echo(f"  {reason}")
