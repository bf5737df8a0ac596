"""The draw: exploration and withholding, from one uniform number, with the whole distribution stated.

Cells lie side by side in [0, 1) in a fixed order, so the same number gives the same answer for ever.
"""

from collections.abc import Sequence

from serving.decisions.decision import Candidate, Outcome
from serving.decisions.policy import ContactPolicy


def distribution(ranked: Sequence[tuple[Candidate, float]], policy: ContactPolicy) -> tuple[Outcome, ...]:
    """The probability of every answer, given survivors with their expected values, best first.

    The greedy answer is the best survivor where it is worth more than silence, else silence; with probability epsilon
    the answer is uniform among survivors and silence; a selling action is withheld (a ghost) with the stated share.
    """
    epsilon = policy.exploration.epsilon if ranked else 0.0
    each = epsilon / (len(ranked) + 1)
    greedy = 0 if ranked and ranked[0][1] > 0.0 else None
    cells: list[Outcome] = []
    for i, (candidate, _) in enumerate(ranked):
        probability = each + (1.0 - epsilon if i == greedy else 0.0)
        withheld = policy.withholding.share if policy.sells(candidate.action) else 0.0
        for ghost, share in ((False, 1.0 - withheld), (True, withheld)):
            if probability * share > 0.0:
                cells.append(Outcome(*candidate.key, ghost, probability * share))
    silence = each + (1.0 - epsilon if greedy is None else 0.0)
    if silence > 0.0:
        cells.append(Outcome(None, None, ghost=False, probability=silence if cells else 1.0))
    return tuple(cells)


def draw(cells: Sequence[Outcome], uniform: float) -> Outcome:
    """The cell that `uniform` in [0, 1) falls into."""
    if not 0.0 <= uniform < 1.0:
        raise ValueError(f"the random number {uniform!r} is not in [0, 1)")
    reached = 0.0
    for cell in cells:
        reached += cell.probability
        if uniform < reached:
            return cell
    return cells[-1]  # the probabilities' last rounding error
