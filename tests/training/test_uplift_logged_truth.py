"""Uplift from logged decisions against known truth: coverage with clusters, the test's size, the market. Slow."""

import logged_world
import numpy as np
import pytest
import scipy.stats

from features.history import History
from features.ingest import ingest_files
from features.ingest_attributes import ingest_attributes
from features.ingest_decisions import ingest_decisions
from features.scaffold import init_workspace, templates
from features.simulate.actions import TEMPLATE, TREATMENTS
from features.simulate.market import Market
from features.simulate.output import write
from features.simulate.policy import Choice, Uniform, drawn
from features.simulate.traits import PROFILE
from features.simulate.withholding import Withholding
from features.workspace import Workspace
from training.uplift.logged import choose, clusters, judge, learn, learners
from training.uplift.logged.train import learn as learn_from

pytestmark = pytest.mark.slow

REPLICATIONS = 500


def split(data):
    """Earlier and later halves of the decisions, persons in both."""
    return data.at < 0.5, data.at >= 0.5


def test_intervals_of_group_effects_cover_the_truth_in_500_replications():
    """Persons decided about 1 to 9 times, chances that depend on who they are, a wrong idea of what comes anyway.

    Groups known beforehand, and fifths by effects that earlier decisions taught, judged on later ones of the same
    persons; the truth is the mean effect of the decisions there, weighted alike.
    """
    names = ["all", "low", "high", *(f"fifth {k}" for k in range(1, 6))]
    covered = dict.fromkeys(names, 0)
    for seed in range(REPLICATIONS):
        data = logged_world.known(persons=400, seed=seed)
        of, high = data.pairs, data.inputs[:, 0] > 0
        found, truth = {}, {}
        for name, rows in (("all", np.ones(len(of), bool)), ("low", ~high), ("high", high)):
            own = of.rows(rows)
            found[name] = clusters.mean(own.score, own.weight, own.person).interval
            truth[name] = np.average(data.effect[rows], weights=own.weight)
        earlier, later = split(data)
        _, few = learners.lines(data.inputs, of.rows(earlier), learn.folds(of.person))
        own = of.rows(later)
        effect = few.effects.effect(data.inputs[later]) + 1e-9 * data.inputs[later, 0]  # no ties where nothing is found
        for each, told in (("found", own.score), ("truth", data.effect[later])):
            for k, group in enumerate(judge.groups(told, effect, own.weight, own.person), 1):
                (found if each == "found" else truth)[f"fifth {k}"] = (
                    group.effect if each == "found" else group.effect.value
                )
        for name in names:
            covered[name] += found[name].low < truth[name] < found[name].high
    print(covered)
    for name, count in covered.items():
        p = scipy.stats.binomtest(count, REPLICATIONS, 0.95).pvalue
        assert p > 0.01, f"{name}: {count} of {REPLICATIONS} intervals hold the truth (p = {p:.4f})"


def test_persons_who_repeat_would_spoil_intervals_that_ignore_it():
    """The same world, errors row by row: far from 95 %, so the clusters are needed, and the test above can fail."""
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        person = np.repeat(np.arange(100), 12)
        own = rng.normal(size=100)[person]  # an effect of the person's own, which groups of persons share
        score = 0.1 + own + rng.normal(size=len(person))
        found = clusters.mean(score, np.ones(len(score)), np.arange(len(score))).interval
        covered += found.low < 0.1 < found.high
    assert covered < 0.8 * 300


def test_where_nobody_differs_the_test_keeps_its_size():
    """Slopes of later scores on effects learned from earlier decisions: one in twenty below .05, no more."""
    rejected = 0
    for seed in range(REPLICATIONS):
        data = logged_world.known(persons=300, seed=10_000 + seed, differs=0.0)
        earlier, later = split(data)
        ridge, _ = learners.lines(data.inputs, data.pairs.rows(earlier), learn.folds(data.pairs.person))
        own = data.pairs.rows(later)
        slope = clusters.slope(own.score, ridge.effects.effect(data.inputs[later]), own.weight, own.person)
        rejected += slope.above_zero < 0.05
    print(rejected)
    assert scipy.stats.binomtest(rejected, REPLICATIONS, 0.05).pvalue > 0.01


def test_one_effect_for_all_is_seldom_left_where_nobody_differs():
    chosen = 0
    for seed in range(100):
        data = logged_world.known(persons=300, seed=20_000 + seed, differs=0.0)
        arm = choose.learn(data.inputs, data.pairs, learn.folds(data.pairs.person))
        chosen += arm.learner != choose.CONSTANT
    assert scipy.stats.binomtest(chosen, 100, 0.1, alternative="greater").pvalue > 0.01


class Few:
    """Half of the decisions are contacts, by these treatments alike: what is learned of each rests on many."""

    name = "few"

    def __init__(self, treatments, every, seed):
        self.which, self.every, self.seed = [TREATMENTS.index(each) for each in treatments], every, seed

    def decide(self, view) -> Choice:
        open_ = np.zeros((view.customers, len(TREATMENTS)), bool)
        open_[:, self.which] = view.reachable[:, self.which]
        number = open_.sum(1)
        asked = view.known & ((np.arange(view.customers) + view.day) % self.every == 0)
        rate = np.where(asked & (number > 0), 0.5, 0.0)
        distribution = np.zeros((view.customers, len(TREATMENTS) + 1), np.float32)
        np.divide(rate[:, None], number[:, None], out=distribution[:, :-1], where=open_)
        distribution[:, -1] = 1 - rate
        choice = drawn(distribution, np.random.default_rng((self.seed, view.day)).random(view.customers))
        return Choice(choice.treatment, choice.probability, distribution, asked)


PLAYED = [("voucher", "mobile_app"), ("service_recovery", "email")]
CUSTOMERS, SILENT, DAYS = 7_000, 120, 60


def shop(folder, customers, policy):
    """A workspace that took in what `tactful simulate` writes of a policy's days."""
    write(folder / "market", Market(customers, "usual", 0), SILENT + DAYS, policy, SILENT)
    workspace = init_workspace(folder / "shop", templates("features", "serving"))
    said = ", ".join(f"{name}: number" for name in PROFILE)
    settings = folder / "shop" / "tactful.yaml"
    settings.write_text(settings.read_text().replace("attributes: {}", f"attributes: {{{said}}}"))
    (folder / "shop" / "actions.yaml").write_bytes(TEMPLATE.read_bytes())
    workspace = Workspace.open(workspace.folder)
    ingest_files(workspace, sorted((folder / "market" / "interactions").glob("*.parquet")), None, None)
    ingest_attributes(workspace, [folder / "market" / "profiles.parquet"])
    ingest_decisions(workspace, [folder / "market" / "decisions.parquet"])
    return workspace


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """`tactful simulate`'s files, taken in by a workspace; and the truth at every decision, by playing it again."""
    policy = Withholding(Few(PLAYED, 10, 0), 0.1, 0)
    workspace = shop(tmp_path_factory.mktemp("market"), CUSTOMERS, policy)
    again, truth = Market(CUSTOMERS, "usual", 0), {}
    again.run(SILENT)
    for day in range(SILENT, SILENT + DAYS):
        truth[day] = again.truth().added
        again.run(1, policy)
    return workspace, truth, again.start


def test_in_the_market_the_truth_is_recovered(played):
    """From `tactful simulate`'s log alone: who gains by a voucher, and that a recovery adds no purchase."""
    workspace, truth, start = played
    assert workspace.settings.attributes
    assert History(workspace).decisions(columns=["ghost"])["ghost"].null_count > 0
    found = learn_from(workspace)
    log = found.world.decisions
    who = np.array([int(each[1:]) for each in log.customer])
    day = (log.at - start) // 86_400_000_000
    later = day > np.quantile(day, 0.75)
    correlation = {}
    for each in found.treatments:
        place = TREATMENTS.index((each.action, each.channel))
        true = np.array([truth[d][i, place] for d, i in zip(day[later], who[later], strict=True)])
        effect, judged = each.effects.effect(found.world.inputs[later]), found.judged[each.action, each.channel]
        open_, varies = np.isfinite(true), effect.std() > 0 and np.nanstd(true) > 0
        correlation[each.action] = np.corrcoef(true[open_], effect[open_])[0, 1] if varies else 0.0
        print(f"{each.action}: true {true[open_].mean():.4f}, served {each.level:.4f}, {each.arm.learner}, correlation")
        print(f"  {correlation[each.action]:.2f}, {each.treated:,} contacts, judged {judged.effect.interval:+.4f}")
    assert correlation["voucher"] > 0.4
    voucher, recovery = (found.judged[each].effect.interval for each in PLAYED)
    assert voucher.low > 0
    assert recovery.low < 0.004
    assert recovery.high < voucher.low


def test_in_the_market_estimated_effects_correlate_with_the_true_ones_by_action(tmp_path):
    """All treatments alike by chance: the eight actions' estimated mean effects against the market's equations."""
    customers, policy = 9_000, Uniform(0.6, every=10)
    found = learn_from(shop(tmp_path, customers, Withholding(policy, 0.1, 0)))
    market, days = Market(customers, "usual", 0), (SILENT, SILENT + DAYS // 2)
    market.run(days[0])
    added = [np.nanmean(market.truth().added, axis=0)]
    market.run(days[1] - days[0], Withholding(policy, 0.1, 0))
    added.append(np.nanmean(market.truth().added, axis=0))
    by_treatment = np.mean(added, axis=0)
    true, told, served = [], [], []
    for each in found.actions:
        own = [t for t, (action, _) in enumerate(TREATMENTS) if action == each.action]
        true.append(by_treatment[own].mean())
        told.append(found.judged[each.action, None].effect)
        served.append(each.level)
        print(f"{each.action}: true {true[-1]:.4f}, estimated {told[-1].interval:.4f}, served {each.level:.4f}")
    estimated = np.corrcoef(true, [each.value for each in told])[0, 1]
    print(f"correlation by action: estimated {estimated:.2f}, served {np.corrcoef(true, served)[0, 1]:.2f}")
    assert len(true) == 8
    assert estimated > 0.8
    assert np.corrcoef(true, served)[0, 1] > 0.7
