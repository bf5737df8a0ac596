"""From history into the live store: what was ingested becomes state that decisions are made on."""

from collections.abc import Callable

import pyarrow as pa

from features import attributes, decision_log
from features.daylog import Batch
from features.history import History
from features.identity import links
from features.workspace import Workspace
from serving.privacy import restricting
from serving.store.protocol import Receipt, Store

#: Told the batch that is being loaded, and again and again how many of its rows are done.
Progress = Callable[[Batch, int], None]


def absorb(workspace: Workspace, store: Store, progress: Progress | None = None) -> Receipt:
    """Loads the batches that the store has not seen, oldest first; interrupted, it can simply be run again.

    Batches that came from a store by sync count as seen once they are written (serving/sync.py). A store that was
    lost and made anew has seen none, and so gets them back; rows it knows already are duplicates.
    """
    history = History(workspace)
    absorb_people(history, store)
    total = Receipt(0, 0, 0)
    for batch in pending(history, store):
        done = None if progress is None else _told(progress, batch)
        receipt = store.bulk_load(batch.id, [history.interactions(batches=[batch.id])], done)
        total = Receipt(
            total.received + receipt.received,
            total.accepted + receipt.accepted,
            total.duplicates + receipt.duplicates,
        )
    return total


def absorb_people(history: History, store: Store) -> None:
    """What is known of people beside what they did."""
    absorb_links(history, store)  # first: what was erased is not to be loaded
    absorb_attributes(history, store)
    restricting.absorb(history, store)
    absorb_arms(history, store)


def absorb_arms(history: History, store: Store) -> None:
    """By which ids people were decided about first: their arms are drawn by them."""
    seen = store.absorbed()
    for batch in history.logs["decisions"].batches():
        if (mark := f"arms {batch.id}") not in seen:
            table = decision_log.read(history, ["arm_id", "decided_at"], batches=[batch.id])
            first = table.group_by("arm_id").aggregate([("decided_at", "min")])
            at = first["decided_at_min"].cast(pa.int64()).to_pylist()
            ids = first["arm_id"].to_pylist()
            store.load_arms(mark, [each for each in zip(ids, at, strict=True) if each[0] is not None])


def absorb_links(history: History, store: Store) -> None:
    """Links of identifiers that the store has not seen."""
    seen = store.absorbed()
    for batch in history.identifiers.batches():
        if (mark := f"identifiers {batch.id}") not in seen:
            store.load_links(mark, links.to_rows(history.links(batches=[batch.id])))


def absorb_attributes(history: History, store: Store) -> None:
    """Records of customer attributes that the states lack: new ones, and all where other attributes became features."""
    for batch_id in store.attributes_pending([batch.id for batch in history.records.batches()]):
        store.load_attributes(history.attributes(batches=[batch_id]), batch_id)
    position = store.synced("attributes")
    while rows := store.export("attributes", position):  # recorded live before the attribute was declared
        store.load_attributes(attributes.from_rows(rows))
        position = rows[-1]["position"]


def pending(history: History, store: Store) -> list[Batch]:
    """Batches of history that are not in the store's states yet."""
    seen = store.absorbed()
    return [batch for batch in history.batches() if batch.id not in seen]


def _told(progress: Progress, batch: Batch) -> Callable[[int], None]:
    return lambda rows: progress(batch, rows)
