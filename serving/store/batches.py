"""Decisions of a batch are written together: one line of the log for hundreds, reservations in statements about all.

They are what as many decisions would be one by one (decisions.py). Runs inside the writer's transaction.
"""

from collections import defaultdict
from collections.abc import Sequence

from serving.decisions.many import blocks
from serving.store import contacts, decisions, identity, logged
from serving.store.protocol import Batched, Commit, Judged
from serving.store.tx import Tx

_LINE = (
    "INSERT INTO decisions (decision_id, fingerprint, customer_id, at, body, number) VALUES (?, '', '', ?, ?, ?) "
    "RETURNING position"
)
_PLACED = ("position", "place", "decision_id", "customer_id", "job", "action")
#: Who was judged as they are goes to the next version; who is in their arm by their own id keeps it from now on.
_BUMP = (
    "UPDATE customers SET version = version + 1, seen_to = greatest(seen_to, ?), "
    "assigned_at = CASE WHEN ? = 1 THEN coalesce(assigned_at, ?) ELSE assigned_at END "
    "WHERE customer_id IN (SELECT value FROM texts(?))"
)


def commit(tx: Tx, batched: Batched) -> list[Commit]:
    """One answer each, as `decisions.commit` gives them."""
    tx.alone(logged.matter(batched.job))  # whoever answers the same request_ids finds these answers, or they theirs
    asked = batched.decisions
    answers = _before(tx, asked)
    won = _won(tx, [each for each, answer in zip(asked, answers, strict=True) if answer is None and each.contacts])
    for i, each in enumerate(asked):
        if answers[i] is None and each.contacts and each.decision_id not in won:
            answers[i] = Commit("lost")
    open_ = [each for each, answer in zip(asked, answers, strict=True) if answer is None]
    arms = {each.arm_id: each.at for each in reversed(open_)}
    strangers, gone = decisions.strangers(tx, arms.keys() | {each.request.customer_id for each in open_})
    for i, each in enumerate(asked):
        if answers[i] is None and each.request.customer_id in gone:  # silence, of which nothing is kept
            answers[i] = Commit("lost") if each.contacts else Commit("committed")
    places = [i for i, answer in enumerate(answers) if answer is None]
    if places:
        if fresh := [contact for i in places for contact in asked[i].contacts]:
            contacts.insert(tx, fresh)
        decisions.assign(tx, strangers, arms)
        _log(tx, batched.job, [asked[i] for i in places], batched.pack(places))
    return [Commit("committed") if answer is None else answer for answer in answers]


def _before(tx: Tx, asked: Sequence[Judged]) -> list[Commit | None]:
    """Of those that were answered before, what with."""
    found = logged.first_answers(tx, [each.request.request_id for each in asked if each.request.request_id])
    answers: list[Commit | None] = []
    for each in asked:
        first = found.get(each.request.request_id or "")
        same = first is not None and first[0] == each.request.fingerprint
        answers.append(None if first is None else Commit("repeated" if same else "conflict", first[1]))
    return answers


def _won(tx: Tx, asked: Sequence[Judged]) -> set[str]:
    """Whose customers are at the version they were judged at: they go to the next. Of two about one, the first.

    Customers are locked since the transaction began; SQLite has one writer.
    """
    first: dict[str, Judged] = {}
    for each in asked:
        first.setdefault(each.judged_customer, each)
    if not first:
        return set()
    versions = "SELECT customer_id, version FROM customers WHERE customer_id IN (SELECT value FROM texts(?))"
    at = dict(tx.execute(versions, (list(first),)).fetchall())
    unseen = [customer for customer in first if not at.get(customer)]  # or erased since
    erased = identity.locked(tx, unseen) if unseen else set()
    groups: dict[tuple[int, bool], list[str]] = defaultdict(list)
    fresh, won = list[tuple[str, int]](), set[str]()
    for customer, each in first.items():
        if at.get(customer, 0) != each.judged_version or customer in erased:
            continue
        won.add(each.decision_id)
        if each.judged_version:
            groups[each.at, each.arm_id == customer].append(customer)
        else:
            fresh.append((customer, each.at))
    for (now, own), customers in groups.items():
        tx.execute(_BUMP, (now, int(own), now, sorted(customers)))
    if fresh:
        tx.executemany(contacts.FIRST, sorted(fresh))
    return won


def _log(tx: Tx, job: str, made: Sequence[Judged], body: bytes) -> None:
    """The line, as old as the oldest of them, and where in it each is."""
    line = (f"b-{made[0].decision_id}", min(each.at for each in made), body, len(made))
    (position,) = tx.execute(_LINE, line).fetchone()
    rows = [
        (position, place, each.decision_id, each.request.customer_id, job, each.chosen and each.chosen.action.name)
        for place, each in enumerate(made)
    ]
    tx.load("placed", _PLACED, rows)


def erase(tx: Tx, customer_ids: Sequence[str]) -> int:
    """Takes decisions about some ids out of their lines; how many."""
    theirs = "FROM placed WHERE customer_id IN (SELECT value FROM texts(?))"
    places: dict[int, list[int]] = defaultdict(list)
    for position, place in tx.execute(f"SELECT position, place {theirs}", (customer_ids,)).fetchall():
        places[position].append(place)
    tx.execute(f"DELETE {theirs}", (customer_ids,))
    for position, gone in sorted(places.items()):
        tx.alone(f"line {position}")
        line = tx.execute("SELECT body, number FROM decisions WHERE position = ?", (position,)).fetchone()
        if line is None:  # it expired since
            continue
        body, number = line
        if number == len(gone):
            tx.execute("DELETE FROM decisions WHERE position = ?", (position,))
        else:
            tx.execute(
                "UPDATE decisions SET body = ?, number = ? WHERE position = ?",
                (blocks.Packed(body).without(gone), number - len(gone), position),
            )
    return sum(map(len, places.values()))


def expire(tx: Tx, before: int, upto: int) -> int:
    """Forgets where the decisions are whose lines are deleted next: older than an instant, up to a position.

    How many more there are than lines.
    """
    lines = "FROM decisions WHERE at < ? AND position <= ? AND customer_id = ''"
    (number,) = tx.execute(f"SELECT count(*) {lines}", (before, upto)).fetchone()
    done = tx.execute(f"DELETE FROM placed WHERE position IN (SELECT position {lines})", (before, upto))
    return int(done.rowcount - number)
