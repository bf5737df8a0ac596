"""Hook: customer attributes as of the instant.

A fact is a line of int64: hash of the name, valid from, bits of the number, hash of the label, received at. Those of a
customer lie together, in order of the first four. See features/attributes.py.
"""

from typing import Any

import numpy as np

from features.kernel.jit import inlined

NAME, VALID, NUMBER, LABEL, RECEIVED = range(5)
NO_FACTS = np.zeros((0, 5), np.int64)
#: How many of the newest facts of a name are remembered.
KEPT = 16
# columns of `Tables.attributes`, which is in order of the name: where its labels begin and end in `Tables.labels`
FIRST_LABEL, END_LABEL = 1, 2


@inlined
def read_facts(acc: Any, facts: Any, tables: Any, lo: int, hi: int, t: int) -> None:
    """Fills acc.facts, one for each of tables.attributes, from facts lo..hi; NaN without.

    A number stands for itself, a label for its position among those asked for.
    """
    numbers = facts.view(np.float64)
    i = hi - 1
    for k in range(tables.attributes.shape[0] - 1, -1, -1):
        name = tables.attributes[k, NAME]
        while i >= lo and facts[i, NAME] > name:
            i -= 1
        newest = _newest(facts, name, lo, i, t)
        acc.facts[k] = np.nan
        if newest < 0:
            continue
        first, end = tables.attributes[k, FIRST_LABEL], tables.attributes[k, END_LABEL]
        if first == end:
            acc.facts[k] = numbers[newest, NUMBER]
        for position in range(first, end):
            if tables.labels[position] == facts[newest, LABEL]:
                acc.facts[k] = position - first


@inlined
def _newest(facts: Any, name: int, lo: int, last: int, t: int) -> int:
    """The fact about `name` that holds at t, -1 without; `last` is the last one that may be about it.

    Of what was received by then, the newest that is valid by then; of several from one instant what came last.
    """
    newest, known, i = -1, 0, last
    while i >= lo and facts[i, NAME] == name and known < KEPT:
        if facts[i, RECEIVED] <= t:
            known += 1
            if facts[i, VALID] <= t:
                if newest < 0:
                    newest = i
                elif facts[i, VALID] < facts[newest, VALID]:
                    break
                elif facts[i, RECEIVED] > facts[newest, RECEIVED]:
                    newest = i
        i -= 1
    return newest
