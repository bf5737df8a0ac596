"""What share of customers each decision's policy meant to hold out, and which impact experiment it ran.

Decisions carry the version of the policy that made them; the workspace keeps each version that was ever in use
(state/policies). So a share that a marketer changed is expected, and only a broken assignment is a mismatch. A version
that was not kept (decisions of another system) is taken for the present policy.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import MINUTE
from features.workspace import Workspace, WorkspaceError, read_yaml
from serving.decisions.policy import ContactPolicy
from serving.decisions.policy.load import content

#: For so long decisions by the policy before and by the one after may come in turns.
MIXED = 10 * MINUTE


def of_rows(
    workspace: Workspace, versions: pa.ChunkedArray, now: ContactPolicy
) -> tuple[list[ContactPolicy], np.ndarray]:
    """(the policies of some decisions' versions, int64[n]: which of them made each); `now` where one was not kept."""
    codes = pc.dictionary_encode(versions, null_encoding="encode").combine_chunks()
    home = workspace.folder / "state" / "policies"
    kept = {folder.name for folder in home.iterdir()} if home.is_dir() else set()
    stated = [_kept(workspace, name, now) if name in kept else now for name in codes.dictionary.to_pylist()]
    return stated, codes.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _kept(workspace: Workspace, version: str, now: ContactPolicy) -> ContactPolicy:
    """`now` where it is no longer understood."""
    written = content(workspace.folder / "state" / "policies" / version / workspace.policy_file.name)
    try:
        return now if written is None else read_yaml(workspace.policy_file, ContactPolicy, written)
    except WorkspaceError:
        return now


def let_go(share: np.ndarray, salt: np.ndarray, at: np.ndarray) -> int | None:
    """When a policy last let customers go whom the one before held out: a smaller share, or another salt; None: never.

    Of decisions, [n] each. From then on they are contacted, so that the comparison has to begin anew.
    """
    share, salt, at = _taken_up(share, salt, at)
    changed = np.flatnonzero((np.diff(share) < 0) | (salt[1:] != salt[:-1]))
    return int(at[changed[-1] + 1]) if len(changed) else None


def moved(share: np.ndarray, salt: np.ndarray, at: np.ndarray) -> int | None:
    """When a policy last put customers elsewhere than the one before: another share or another salt; None: never.

    Of decisions, [n] each.
    """
    _, _, at = _taken_up(share, salt, at)
    return int(at[-1]) if len(at) > 1 else None


def _taken_up(share: np.ndarray, salt: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of decisions, [n] each, each share and salt in order, and when it was taken up, one after another that differs.

    Several processes take a policy up one after the other: what holds for less than MIXED is neither's.
    """
    order = np.argsort(at, kind="stable")
    share, salt, at = share[order], salt[order], at[order]
    first = _others(share, salt)
    first = first[np.diff(at[first], append=np.iinfo(np.int64).max) >= MIXED]
    first = first[_others(share[first], salt[first])]
    return share[first], salt[first], at[first]


def _others(share: np.ndarray, salt: np.ndarray) -> np.ndarray:
    """int64[k]: the first of all, and those that differ from the one before."""
    other = (np.diff(share) != 0) | (salt[1:] != salt[:-1])
    return np.concatenate([[0], np.flatnonzero(other) + 1])[: len(share)]


def arms(policy: ContactPolicy) -> np.ndarray:
    """float64[1 + arms]: the shares of customers, next best action first, who are in no other arm of the experiment.

    Cap levels and challengers take theirs from who is in none.
    """
    assert policy.experiment is not None
    shares = [one.share for one in policy.experiment.arms]
    rest = 1.0 - sum(shares)
    if policy.cap_levels is not None:
        rest *= 1.0 - sum(level.share for level in policy.cap_levels.levels)
    if policy.challenger is not None:
        rest *= 1.0 - policy.challenger.share
    return np.array([max(rest, 0.0), *shares])
