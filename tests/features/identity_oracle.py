"""Who is who, written so that a reader believes it at sight: one identifier after the other, no graph library."""

from collections.abc import Sequence
from typing import NamedTuple

KINDS = {
    "crm": "strong", "login": "strong", "email": "strong", "phone": "strong",
    "device": "weak", "cookie": "weak", "anonymous": "weak",
}  # fmt: skip


class Link(NamedTuple):
    """One row of the log; `customer` None where the identifier is erased."""

    identifier: str
    kind: str
    customer: str | None
    valid_from: int
    op: str = "link"
    received_at: int | None = None

    def __repr__(self) -> str:
        text = f"{self.identifier} ({self.kind}) {self.op} {self.customer} from {self.valid_from}"
        return f"<{text}>" if self.received_at is None else f"<{text} told {self.received_at}>"

    @property
    def counts_from(self) -> int:
        return max(self.valid_from, self.valid_from if self.received_at is None else self.received_at)


Node = tuple[str, str]


def erased(links: Sequence[Link]) -> set[str]:
    return {link.identifier for link in links if link.op == "erase"}


def person(raw: str, links: Sequence[Link], as_of: int) -> str:
    """The customer id that an id goes by as of an instant."""
    gone = erased(links)
    known = [
        link
        for link in links
        if link.op != "erase" and link.counts_from <= as_of and not gone & {link.identifier, link.customer}
    ]
    standing: dict[tuple[Node, Node], Link] = {}
    since: dict[str, int] = {}
    for link in known:
        assert link.customer is not None
        pair = ((link.kind, link.identifier), ("customer", link.customer))
        before = standing.get(pair)
        if before is None or (link.valid_from, link.op == "unlink") >= (before.valid_from, before.op == "unlink"):
            standing[pair] = link
        if link.op == "link":
            named = {link.customer} | ({link.identifier} if link.kind == "customer" else set())
            for customer in named:
                since[customer] = min(since.get(customer, link.valid_from), link.valid_from)
    edges = [pair for pair, link in standing.items() if link.op == "link"]

    def people(node: Node) -> str:
        """The oldest customer id that can be reached by strong identifiers."""
        reached, grew = {node}, True
        while grew:
            grew = False
            for one, other in edges:
                if strong(one[0]) and (one in reached) != (other in reached):
                    reached |= {one, other}
                    grew = True
        return min((since[text], text) for kind, text in reached if kind == "customer")[1]

    if raw in since:
        return people(("customer", raw))
    for kind, how in KINDS.items():
        mine = [other for one, other in edges if one == (kind, raw)]
        if mine and how == "strong":
            return people(mine[0])
        if mine:
            followed = {people(other) for other in mine}
            return followed.pop() if len(followed) == 1 else raw
    return raw


def strong(kind: str) -> bool:
    return kind == "customer" or KINDS[kind] == "strong"
