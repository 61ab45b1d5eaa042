"""The command that says which half an installation's problem needs."""

from __future__ import annotations

from dataclasses import asdict

import click

from flows.cli.group import as_json, main, on_prefect, print_json


@main.command()
@click.option("--task", default="answer", show_default=True, help="The task of the models.")
@click.option(
    "--collection", default="default", show_default=True, help="What the questions are about."
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Override an assumption or threshold, such as queries_per_day=2000; ? lists them.",
)
@click.option(
    "--experiment",
    metavar="SET",
    default="",
    help="First ask this golden set under every strategy, of the configured model and the trained.",
)
@click.option("--judge", is_flag=True, help="First let OPENBOOK_JUDGE_MODEL tell unclear failures.")
@as_json
def advise(
    *,
    task: str,
    collection: str,
    assume: tuple[str, ...],
    experiment: str,
    judge: bool,
    as_json: bool,
) -> None:
    """Say from the book's own figures which half the problem needs.

    Prompt, long context, retrieval, fine-tuning or both: with each criterion's figure, threshold
    and source, what each would cost, what is unknown and what measures it, the cheapest next
    actions, and what would change the recommendation. The same database gives the same advice.
    """
    if "?" in assume:
        _list_assumed(task, collection, [one for one in assume if one != "?"], as_json)
        return
    with on_prefect():
        from flows.advise import advise as advise_flow

        report = advise_flow(
            task=task,
            collection=collection,
            assume=list(assume),
            experiment=experiment,
            judge=judge,
        )
    if as_json:
        print_json(report)
        return
    from flows import show_advice

    show_advice.advice(report)


def _list_assumed(task: str, collection: str, assume: list[str], as_json: bool) -> None:
    """What `--assume` overrides, with the values that hold."""
    from flows import show_advice
    from flows.advise import advice_on
    from tasks.advise.assumptions import read_given
    from tasks.advise.thresholds import limits

    assumed = advice_on(task, collection, assume).assumed
    thresholds = limits(read_given(assume))
    if as_json:
        print_json(
            {
                "assumptions": {name: asdict(one) for name, one in assumed.items()},
                "thresholds": {name: one._asdict() for name, one in thresholds.items()},
            }
        )
    else:
        show_advice.assumed(assumed, thresholds)
