"""Which changes of our own contacts say that somebody was contacted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: States that a contact may have which tell of it one way or the other.
TOLD = ("claimed", "sent", "failed")


def made(contacts: pa.Table) -> np.ndarray:
    """bool[n]: of changes (`contact_id`, `status`) one for each contact that was made: sent, or claimed and never
    reported, which keeps counting as it does against caps: a channel that asks just before it sends mostly does."""
    sent = pc.equal(contacts["status"], "sent")
    closed = contacts["contact_id"].filter(pc.or_(sent, pc.equal(contacts["status"], "failed"))).combine_chunks()
    open_ = pc.invert(pc.is_in(contacts["contact_id"], closed))
    found = pc.or_(sent, pc.and_(pc.equal(contacts["status"], "claimed"), open_))
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)
