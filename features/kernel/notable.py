"""The few interactions of a state that a decision looks at one by one, found in one pass over its words."""

from typing import Any

import numpy as np

from features.kernel.jit import compiled
from features.kernel.packed import BITS, HEADER

#: What a code is to a decision: of another tool's contact, or nothing; else the number of the channel where the
#: customer spoke of a topic.
OUTBOUND, PLAIN = -2, -1
#: Columns of what is found: the last is the hash of interaction_id, as a signed number.
AT, CODE, ID = range(3)


@compiled
def notable(words: Any, sorts: Any) -> Any:
    """int64[1 + n + m, 3]: n in the first place, then the outbound interactions (oldest first), then the newest with a
    topic on each channel (newest first).

    `sorts` int64[codes] says what each code is. Raises ValueError where the state holds another code.
    """
    rows = words[1] & ((1 << BITS) - 1)
    key = words[words.shape[0] - (rows + 1) // 2 :].view(np.int32)[:rows]
    spoke = np.zeros(sorts.shape[0], np.bool_)  # channels are fewer than codes
    outbound, topics = 0, 0
    for i in range(rows - 1, -1, -1):
        code = key[i] >> 1
        if not 0 <= code < sorts.shape[0]:  # damaged: compiled code would read whatever lies there in memory
            raise ValueError("a packed state holds a code that is none of the vocabulary's")
        sort = sorts[code]
        outbound += sort == OUTBOUND
        if sort >= 0 and not spoke[sort]:
            spoke[sort] = True
            topics += 1
    found = np.empty((1 + outbound + topics, 3), np.int64)
    found[0] = outbound
    spoke[:] = False
    before, after = outbound, outbound + 1
    for i in range(rows - 1, -1, -1):
        sort = sorts[key[i] >> 1]
        if sort == OUTBOUND:
            place, before = before, before - 1
        elif sort >= 0 and not spoke[sort]:
            spoke[sort] = True
            place, after = after, after + 1
        else:
            continue
        found[place, AT] = words[HEADER + i]
        found[place, CODE] = key[i] >> 1
        found[place, ID] = words[HEADER + rows + i]
    return found
