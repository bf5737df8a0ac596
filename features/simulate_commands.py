"""`tactful simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from features.console import command, out, progress


@command
def simulate(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is not there yet.")],
    customers: Annotated[int, typer.Option("--customers", metavar="N", help="How many customers.")] = 10_000,
    days: Annotated[int, typer.Option("--days", metavar="D", help="How many days, from 1 January 2025 on.")] = 365,
    setting: Annotated[
        str, typer.Option("--setting", help="How far behaviour shows what customers are like: plain, usual, barely.")
    ] = "usual",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed gives the same market.")] = 0,
    policy: Annotated[
        str, typer.Option("--policy", help="Who contacts customers: none, random, capped, oracle, best.")
    ] = "none",
    rate: Annotated[
        float, typer.Option("--rate", help="random, capped: the share of decisions that are contacts.")
    ] = 0.02,
    every: Annotated[int, typer.Option("--every", metavar="DAYS", help="random, capped: days between decisions.")] = 1,
    withhold: Annotated[
        float, typer.Option("--withhold", metavar="SHARE", help="The share of contacts drawn and not made: ghosts.")
    ] = 0.0,
    holdout: Annotated[
        float, typer.Option("--holdout", metavar="SHARE", help="The share of customers that nobody sells to, by hash.")
    ] = 0.0,
    experiment: Annotated[
        float, typer.Option("--experiment", metavar="SHARE", help="best: the share of customers in each of five arms.")
    ] = 0.0,
    silent: Annotated[int, typer.Option("--silent", metavar="DAYS", help="The first days without contacts.")] = 0,
) -> None:
    """Simulate a market whose causal effects are known, and write its log.

    Example: tactful simulate market --customers 10000 --days 240 --policy random --every 7 --rate 0.2 --silent 180

    The policy `capped` contacts at random under caps of 1, 2, 4 or 8 in two weeks, drawn by customer, from which
    `tactful train fatigue` learns. With --withhold 0.1, every tenth contact is drawn and not made, as the service does
    to tell effects apart. With --holdout 0.05, the customers whom a contact policy with that share and the salt
    `tactful` holds out are sold nothing, so that the total can be told. The policy `best` makes the contact that is
    truly worth most, at most 2 in two weeks; with --experiment 0.1, as many customers each live under random contacts,
    the likeliest click, no levers (the market has none), looser caps, or nothing, and OUT/experiment.yaml is what to
    put into contact_policy.yaml in place of `experiment: null`.

    OUT gets interactions/ (the contract's columns), profiles.parquet (customer attributes), actions.yaml,
    decisions.parquet where a policy decided, with its distributions, truth.parquet (what no company knows) and
    summary.json. To use it:

    \b
    tactful init shop
    cp market/actions.yaml shop/
    tactful ingest market/interactions/*.parquet --workspace shop
    tactful ingest --attributes market/profiles.parquet --workspace shop
    tactful ingest --decisions market/decisions.parquet --workspace shop
    """
    from features.simulate.experiment import Experiment, block, plays
    from features.simulate.holding import Holding
    from features.simulate.market import Market
    from features.simulate.output import policy_named, write
    from features.simulate.withholding import Withholding
    from features.workspace import WorkspaceError

    market = Market(customers, setting, seed)
    if experiment and policy != "best":
        raise WorkspaceError(f"--experiment compares with the policy `best`, not with {policy!r}: add --policy best")
    if policy == "best":
        playing, others = plays(market, every, withhold, seed)
    else:
        playing = policy_named(policy, market, rate, every, seed)
        if withhold:
            playing = Withholding(playing, withhold, seed)
    if holdout:
        playing = Holding(playing, holdout)
    if experiment:
        playing = Experiment(playing, others, experiment)
    with progress() as bar:
        task = bar.add_task("living", total=days)
        told = write(
            target,
            market,
            days,
            playing,
            silent,
            lambda rows: bar.update(task, advance=1, description=f"{rows:,} rows"),
        )
    if experiment:
        (target / "experiment.yaml").write_text(block(experiment), encoding="utf-8")
    out.print(
        f"{told['customers']:,} customers, {days} days: {told['interactions']:,} interactions, {told['decisions']:,}"
        f" decisions, {told['contacts']:,} contacts, {told['opted_out']:,} opt-outs, {told['complained']:,} complaints,"
        f" {told['left']:,} left. In {target}.",
        markup=False,
    )
