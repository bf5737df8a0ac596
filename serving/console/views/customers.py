"""Finding one customer, by an id or by any identifier that is linked to one."""

from collections.abc import Sequence

from serving.console.blocks import Block, Cell, Column, Empty, Field, Form, Link, Page, Table, Text, href
from serving.console.look import Look
from serving.console.policy_words import counted
from serving.console.views import Ask
from serving.store.protocol import Store

#: Ids that are listed because they begin with what was typed.
MOST = 20
#: Longer than any id that the contract takes.
LONGEST = 500


def search(typed: str = "") -> Form:
    """The question, also asked where somebody was not found."""
    hint = "The whole id or identifier as your systems write it, or how an id begins."
    field = Field("q", "Customer id or identifier", "search", typed, help=hint)
    return Form([field], "Search", href("customers"), label="Find a customer")


async def page(look: Look, ask: Ask) -> Page:
    typed = ask.query.get("q", "").strip()[:LONGEST]
    if not typed:
        text = "Search by a customer's id, or by any identifier that is linked to one: an e-mail address, a login."
        return _page("Find a customer by id or by any identifier.", [search(), Text(text, quiet=True)])
    found = await look.aside(_find, look.engine.store, typed)
    if not found:
        text = f"No customer has the id or identifier “{typed}”, and no id begins with it. Upper and lower case matter."
        return _page(f"Nobody is known as “{typed}”.", [search(typed), Empty("Nobody found", text)])
    names = [each for each, _ in found[:MOST]]
    rows: list[Sequence[Cell]] = [(Link(each, href("customers", each)), why) for each, why in found[:MOST]]
    table = Table("found", "Found", (Column("Customer"), Column("Because")), rows)
    if len(found) > MOST:
        lead = f"More than {MOST} customers found for “{typed}”: the first are listed."
        return _page(lead, [search(typed), table], names)
    return _page(f"{counted(len(found), 'customer')} found for “{typed}”.", [search(typed), table], names)


def _page(lead: str, blocks: Sequence[Block], names: Sequence[str] = ()) -> Page:
    note = "Every look at a customer is logged, in lists too: who, when, at whom."
    shown = [*blocks, Text(note, quiet=True)]
    return Page("Customers", lead, shown, source="the live store, this moment", names=names)


def _find(store: Store, typed: str) -> list[tuple[str, str]]:
    """(the id a person goes by, why): the one who is called so first, then those whose id begins so; MOST and one more,
    if there are as many."""
    found: dict[str, str] = {}
    read = store.read(typed)
    if read.version or read.state:
        name = read.customer.customer_id
        found[name] = "this is their id" if name == typed else f"“{typed}” is linked to them"
    for name in store.candidates_for_nudge(typed, MOST + 1):
        if not name.startswith(typed) or len(found) > MOST:
            break
        found.setdefault(name, f"their id begins with “{typed}”")
    return list(found.items())
