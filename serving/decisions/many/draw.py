"""What survives is worth, the distribution of the answer, and the answer, for every customer: `slots.fill` in arrays.

The same sums in the same order as for one customer, so that the numbers agree to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.kernel.jit import compiled
from serving.decisions import arbitration
from serving.decisions.arms import Arms
from serving.decisions.draw import doubtful
from serving.decisions.fate import Factors
from serving.decisions.many.board import Board
from serving.decisions.many.crowd import Crowd
from serving.decisions.many.guard import passes

#: What became of a candidate: `stage[i, j]`. RULE and more are refused by a rule, whoever asked the rules knows which.
CHOSEN, WITHHELD, GUARD, SCORE, HOLDOUT, EXPERIMENT, WORTH_LESS, TOO_NEW, NOT_DRAWN, RULE = range(10)
#: Those that nothing refused.
REMAINED = (HOLDOUT, EXPERIMENT, WORTH_LESS, TOO_NEW, NOT_DRAWN)
#: Why a slot is filled as it is: `reason[i]`.
PICKED, GHOST, NOTHING, HELD_OUT, IN_ARM, ALL_REFUSED, SILENCE_PAYS, EXPLORED = range(8)
#: How an arm of an experiment plays.
_PLAYS = {None: 0, "propensity_only": 1, "no_levers": 2, "random_eligible": 3}
_PROPENSITY_ONLY, _NO_LEVERS, _RANDOM = 1, 2, 3


class Cells(NamedTuple):
    """The distribution of n answers: `order` int64[n, m] are the treatments that may be drawn, best first, `number[i]`
    of them, with the probabilities `chance`, a share `board.withheld` of which is their ghost's; the rest is `silence`.
    """

    order: np.ndarray
    number: np.ndarray
    chance: np.ndarray
    silence: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """Row i is a customer, column j a treatment of the board.

    `pick` is the treatment drawn (-1: silence), `ghost` whether it is withheld. `p`, `u`, `harm` and `worth` (expected
    value) float64[n, m] are NaN where no model can score; `learned` and `harmed`, where U and harm are a model's and no
    prior (None: nowhere); `scored` where they are told, `positives` the responses that
    P was learned from (-1: nobody counted), `ramps` the share of draws that each takes part in. `passed` is the guard's
    word, `recent` the contacts in the policy's recent past. `cells` is the distribution drawn from; `meant` what it
    would have been, for the `silent`: customers in whose arm nothing is sold.
    """

    pick: np.ndarray
    ghost: np.ndarray
    p: np.ndarray
    u: np.ndarray
    learned: np.ndarray | None
    harm: np.ndarray
    harmed: np.ndarray | None
    worth: np.ndarray
    scored: np.ndarray
    positives: np.ndarray
    ramps: np.ndarray
    passed: np.ndarray
    recent: np.ndarray
    stage: np.ndarray
    reason: np.ndarray
    silent: np.ndarray
    cells: Cells
    meant: Cells | None


def decided(
    board: Board,
    crowd: Crowd,
    chances: np.ndarray | None,
    uniforms: np.ndarray,
    refused: np.ndarray | None = None,
    learned: np.ndarray | None = None,
    value_all: bool = False,
    harms: np.ndarray | None = None,
) -> Drawn:
    """One outbound decision for each customer, drawn by `uniforms` in [0, 1).

    `chances` is P float64[n, m] (NaN or None: no model can say), `learned` U and `harms` harm where they were learned
    (NaN or None: the policy's prior). `refused` int8[n, actions] is 0 where no rule refuses, else a number from RULE on
    which comes back in `stage`. `value_all`: those that were refused are valued as well, as for who only asks.
    """
    n, m = len(crowd), len(board)
    policy = board.playbook.policy
    if ((uniforms < 0.0) | (uniforms >= 1.0)).any():
        raise ValueError("a random number is not in [0, 1)")
    passed, recent = passes(board, crowd)
    held = np.zeros((n, m), np.int8) if refused is None else refused[:, board.action]
    p, positives = _known(board, chances, n)
    u, learned_at = _instead(p * board.share, learned)
    if harms is not None and not board.contact.all():  # see arbitration.charged
        harms = np.where(board.contact, harms, np.nan)
    harm, harmed_at = _instead(board.harm * (1.0 + policy.harm.rising * recent[:, np.newaxis]), harms)
    gain = board.c * board.v * u * board.lever
    worth = gain - board.cost - harm
    silent, play = _arms(crowd.arms, n)
    fixed = board.cost + harm
    if play.any():
        asked = play[:, np.newaxis]
        gain = np.where(asked == _PROPENSITY_ONLY, p, np.where(asked == _NO_LEVERS, board.c * board.v * u, gain))
        fixed = np.where(asked == _PROPENSITY_ONLY, 0.0, fixed)
    contends = passed & (held == 0) & ~np.isnan(p)
    may = contends & (~silent[:, np.newaxis] | ~board.sells)
    ramps = _ramps(positives, board)
    by = gain - fixed
    thompson = policy.exploration.method == "thompson" and bool((positives >= 0).any())

    def distribution(among: np.ndarray, playing: np.ndarray, arms: bool) -> Cells:
        to = Cells(np.empty((n, m), np.int64), np.zeros(n, np.int64), np.zeros((n, m)), np.ones(n))
        _rank(by, among, to.order, to.number)
        if thompson:
            _doubt(board, crowd, {"p": p, "u": u, "harm": harm, "positives": positives}, arms, to)
        else:
            _certain(by, ramps, *to)
        _explore(policy.exploration.epsilon, playing, *to[1:])
        return to

    cells = distribution(may, play, arms=True)
    meant = None
    if silent.any():
        meant = distribution(contends & silent[:, np.newaxis], np.zeros(n, np.int64), arms=False)
    pick, ghost = np.empty(n, np.int64), np.empty(n, np.bool_)
    _pick(*cells, board.withheld, uniforms, pick, ghost)
    scored = ~np.isnan(p) if value_all else contends
    stage = _stages(board, crowd.arms, passed, held, p, by, ramps, pick, ghost, silent)
    reason = _reasons(pick, ghost, stage, np.where(scored, worth, -np.inf))
    return Drawn(
        pick, ghost, p, u, learned_at, harm, harmed_at, worth, scored, positives, ramps, passed, recent, stage, reason,
        silent, cells, meant,
    )  # fmt: skip


def _instead(prior: np.ndarray, learned: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """What was learned, and the prior where nothing was; and where that is (None: nowhere)."""
    if learned is None:
        return prior, None
    known = ~np.isnan(learned)
    return np.where(known, learned, prior), known


def _known(board: Board, chances: np.ndarray | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """P float64[n, m] with the policy's fallback in it, and the positives [n, m] behind each (-1: nobody counted)."""
    p = np.full((n, len(board)), np.nan) if chances is None else chances
    positives = np.broadcast_to(board.positives, p.shape)
    unknown = np.isnan(p)
    if not unknown.any():
        return p, positives
    fallback = board.playbook.policy.fallback.propensity
    positives = np.where(unknown, -1, positives)
    return p if fallback is None else np.where(unknown, fallback, p), positives


def _arms(arms: Sequence[Arms], n: int) -> tuple[np.ndarray, np.ndarray]:
    """bool[n], who is in an arm that nothing is sold to; int64[n], how an experiment's arm plays."""
    if not arms:
        return np.zeros(n, np.bool_), np.zeros(n, np.int64)
    plays = [0 if each.experiment is None else _PLAYS.get(each.experiment.play, 0) for each in arms]
    return np.array([each.silent for each in arms], np.bool_), np.array(plays, np.int64)


def _ramps(positives: np.ndarray, board: Board) -> np.ndarray:
    """float64[n, m]: the share of draws that each takes part in."""
    policy = board.playbook.policy
    if policy.maturity is None:
        return np.ones(positives.shape)
    found = {count: arbitration.ramp(None if count < 0 else count, policy) for count in np.unique(positives).tolist()}
    counts = np.array(sorted(found), np.int64)
    return np.array([found[count] for count in counts.tolist()])[np.searchsorted(counts, positives)]


def _stages(
    board: Board, arms: Sequence[Arms], passed: np.ndarray, held: np.ndarray, p: np.ndarray, by: np.ndarray,
    ramps: np.ndarray, pick: np.ndarray, ghost: np.ndarray, silent: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int8[n, m], by the first that refuses."""
    stage = np.where(by <= 0.0, WORTH_LESS, np.where(ramps < 1.0, TOO_NEW, NOT_DRAWN)).astype(np.int8)
    if silent.any():
        kept = [HOLDOUT if each.holdout == "holdout" or each.experiment is None else EXPERIMENT for each in arms]
        from_ = np.broadcast_to(np.array(kept, np.int8)[:, np.newaxis], stage.shape)
        stage = np.where(silent[:, np.newaxis] & board.sells, from_, stage)
    drawn = np.flatnonzero(pick >= 0)
    stage[drawn, pick[drawn]] = np.where(ghost[drawn], WITHHELD, CHOSEN)
    stage[np.isnan(p)] = SCORE
    stage[~passed] = GUARD
    return np.where(held != 0, held, stage).astype(np.int8)


def _reasons(pick: np.ndarray, ghost: np.ndarray, stage: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """int8[n]."""
    if not stage.shape[1]:
        return np.full(len(pick), NOTHING, np.int8)

    def any_of(*codes: int) -> np.ndarray:
        return np.asarray(np.isin(stage, codes).any(axis=1))

    pays = np.where((worth > 0.0).any(axis=1), EXPLORED, SILENCE_PAYS)
    found = np.where(any_of(WORTH_LESS, TOO_NEW, NOT_DRAWN), pays, ALL_REFUSED)
    found = np.where(any_of(EXPERIMENT), IN_ARM, found)
    found = np.where(any_of(HOLDOUT), HELD_OUT, found)
    return np.where(pick < 0, found, np.where(ghost, GHOST, PICKED)).astype(np.int8)


def _doubt(board: Board, crowd: Crowd, found: Mapping[str, np.ndarray], arms: bool, to: Cells) -> None:
    """Thompson's probabilities, customer by customer: `serving.decisions.draw` sums them."""
    policy, candidates = board.playbook.policy, board.candidates
    for i in np.flatnonzero(to.number).tolist():
        among = to.order[i, : to.number[i]].tolist()
        arm = crowd.arms[i].experiment if arms and crowd.arms else None
        contenders = []
        for j in among:
            count = int(found["positives"][i, j])
            of = Factors(
                float(found["p"][i, j]), float(board.share[j]), float(found["u"][i, j]), False, float(board.c[j]),
                float(board.v[j]), float(board.lever[j]), float(board.cost[j]), float(found["harm"][i, j]), 0.0,
                None if count < 0 else count,
            )  # fmt: skip
            contenders.append(arbitration.contender(candidates[j], of, policy, arm, first=False))
        to.chance[i, : len(among)], to.silence[i] = doubtful(contenders)


@compiled
def _rank(by, among, order, number):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Best first, equals in the order of the file: an insertion, for there are few."""
    for i in range(by.shape[0]):
        k = 0
        for j in range(by.shape[1]):
            if among[i, j]:
                place = k
                while place > 0 and by[i, order[i, place - 1]] < by[i, j]:
                    order[i, place] = order[i, place - 1]
                    place -= 1
                order[i, place] = j
                k += 1
        number[i] = k


@compiled
def _certain(by, ramps, order, number, chance, silence):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Down the ranking: each takes the share of draws that it takes part in, of what those before it left."""
    for i in range(by.shape[0]):
        left = 1.0
        for k in range(number[i]):
            j = order[i, k]
            win = left * ramps[i, j] if by[i, j] > 0.0 else 0.0
            chance[i, k] = win
            left -= win
        silence[i] = left


@compiled
def _explore(epsilon, playing, number, chance, silence):  # type: ignore[no-untyped-def]  # pragma: no cover
    """With probability epsilon the answer is uniform among all and silence; in one arm always, silence left out."""
    for i in range(number.shape[0]):
        if number[i] == 0:
            silence[i] = 1.0
        elif playing[i] == _RANDOM:
            for k in range(number[i]):
                chance[i, k] = 1.0 / number[i]
            silence[i] = 0.0
        else:
            each = epsilon / (number[i] + 1)
            for k in range(number[i]):
                chance[i, k] = each + (1.0 - epsilon) * chance[i, k]
            silence[i] = each + (1.0 - epsilon) * silence[i]


@compiled
def _pick(order, number, chance, silence, withheld, uniforms, pick, ghost):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The cell of the distribution that each uniform falls into; the last one catches the last rounding error."""
    for i in range(uniforms.shape[0]):
        reached, found, last, last_ghost, cells = 0.0, False, -1, False, 0
        for k in range(number[i]):
            j = order[i, k]
            for which in range(2):
                share = chance[i, k] * (withheld[j] if which == 1 else 1.0 - withheld[j])
                if not found and share > 0.0:
                    reached += share
                    last, last_ghost, cells = j, which == 1, cells + 1
                    found = uniforms[i] < reached
        if not found and (silence[i] > 0.0 or cells == 0):
            last, last_ghost = -1, False
        pick[i], ghost[i] = last, last_ghost
