"""The command line's front door: it only assembles the packages' commands."""

import typer

from features import commands as features_commands
from features import faults, simulate_commands
from features.engine.command import build_features
from serving import backup_commands, policy_commands, policy_try
from serving import commands as serving_commands
from serving.console import standalone
from serving.demo import commands as demo_commands
from serving.nudges import commands as nudge_commands
from serving.privacy import commands as privacy_commands
from serving.store.protocol import Unavailable
from training import commands as training_commands
from training.fatigue import commands as fatigue_commands
from training.market import commands as market_commands
from training.monitor import commands as monitor_commands
from training.offpolicy import commands as offpolicy_commands
from training.reports import commands as report_commands
from training.reports.conformance import commands as journeys_commands
from training.retrain import commands as retrain_commands
from training.tuning import commands as tuning_commands
from training.uplift import commands as uplift_commands

app = typer.Typer(
    name="tactful",
    help="Next best action, with tact: from interactions to one guarded decision per customer.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The live store learns what was ingested at once: features may not import serving, so the two meet here.
features_commands.after_ingest.append(serving_commands.absorb_new)
features_commands.after_init.append(policy_commands.write_schemas)
# What happened live is history before anything is learned from it: training may not import the store.
retrain_commands.before.append(serving_commands.bring_home)
# A live store that cannot write is told in a line, by every command.
faults.more.append(Unavailable)
# Reports as files are drawn as the console draws them.
report_commands.render = standalone.html

app.command()(features_commands.init)
app.command()(features_commands.ingest)
features = typer.Typer(help="What we know of customers: the catalogue, and tables built from it.", no_args_is_help=True)
features.command("list")(features_commands.list_features)
features.command("build")(build_features)
features.command("fit")(features_commands.fit_features)
app.add_typer(features, name="features")
app.command()(simulate_commands.simulate)
app.add_typer(training_commands.app)
app.command(help=tuning_commands.HELP)(tuning_commands.tune)
app.command(help=fatigue_commands.FATIGUE_HELP)(fatigue_commands.fatigue)
app.command(help=monitor_commands.HELP)(monitor_commands.monitor)
app.command(help=retrain_commands.HELP)(retrain_commands.retrain)
app.add_typer(serving_commands.app)
policy_commands.app.command("try", help=policy_try.HELP)(policy_try.try_)
policy_commands.app.command("simulate", help=offpolicy_commands.SIMULATE_HELP)(offpolicy_commands.simulate)
app.add_typer(policy_commands.app, name="policy")
app.add_typer(backup_commands.app)
app.add_typer(report_commands.app, name="report")
app.add_typer(journeys_commands.app, name="journeys")
app.add_typer(uplift_commands.app, name="uplift")
app.add_typer(market_commands.app, name="market")
app.add_typer(nudge_commands.app)
app.add_typer(privacy_commands.app, name="privacy")
app.add_typer(demo_commands.app)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
