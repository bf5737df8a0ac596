"""`tactful market compare`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from features.console import command, new_file, out

app = typer.Typer(help="The simulated market as a judge of policies.", no_args_is_help=True)

COMPARE_HELP = """Play learned policies, rivals and ceilings on markets whose truth is known, and print the table.

Example: tactful market compare --customers 20000 --seeds 2 --settings usual --decisions 0

Each market lives for a year uncontacted, then 60 days under contacts at random: all that is learned is learned from
these. Then every policy plays the same 90 days through the decision core, under the policy file of training/market.
Everybody is decided about once a week; policies with guard also decide about whom trouble befell the day before.
--decisions says how many randomised decisions on other markets the best on observables is learned from; 0 leaves it
out. "All that behaviour tells" knows every equation of the market, and of each customer only what their log says: what
it falls short of the oracle, nobody can learn. 100,000 customers take some five minutes a seed, ten million decisions
some ten minutes a setting."""


@app.callback()
def market() -> None:
    """The simulated market as a judge of policies."""


@app.command("compare", help=COMPARE_HELP)
@command
def compare(
    customers: Annotated[int, typer.Option(min=1_000, metavar="N", help="Of each market.")] = 100_000,
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="How many markets of each setting.")] = 3,
    settings: Annotated[str, typer.Option(help="Comma-separated: plain, usual, barely.")] = "plain,usual,barely",
    decisions: Annotated[int, typer.Option(min=0, help="For the best on observables.")] = 10_000_000,
    out_file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The rows as JSON, too.")] = None,
) -> None:
    from features.simulate.parameters import setting
    from training.market.compare import FIRST, Row, as_json, best_learner, compared, told

    names = [name.strip() for name in settings.split(",")]
    for name in names:
        setting(name)
    if out_file is not None:
        new_file("--out", out_file)
    rows = list[Row]()
    for name in names:
        best = best_learner(name, decisions, out.print) if decisions else None
        for seed in range(FIRST, FIRST + seeds):
            for row in compared(customers, name, seed, best):
                rows.append(row)
                out.print(f"{row.setting} {row.seed} {row.policy}: {row.above:.3f} above nothing", markup=False)
            if out_file is not None:
                out_file.write_text(json.dumps(as_json(rows), indent=1) + "\n", encoding="utf-8")
    out.print("\n" + told(rows), markup=False, highlight=False, soft_wrap=True)
