"""Whatever a customer is called, there is an address that browsers leave as it is and that leads back to the name."""

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.console import addresses, routes
from serving.console.blocks import href

NAMES = [
    ".",
    "..",
    "a/b",
    "a\\b",
    "..\\..",
    "table.csv",
    ".csv",
    "~",
    "~YS9i",
    "~bob",
    "a%2Fb",
    " ",
    "\n",
    "ü",
    "\u202e",
    "",
]


def leads_to(address):
    """Where a browser, or a proxy that unquotes slashes and dots, asks; which customer we take it for."""
    path = urlsplit(urljoin("http://x/console/", f"http://x/console{address}")).path
    assert not {".", ".."} & {unquote(part) for part in path.split("/")}
    assert "%2f" not in path.lower()
    place = routes.find(path.removeprefix("/console/"))
    assert place.view.path == "customers/{customer}"
    return place.names["customer"], place.table


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_is_found_again_at_its_address(name):
    assert leads_to(href("customers", name)) == (name, None)
    assert leads_to(f"{href('customers', name)}/left.csv") == (name, "left")


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_name_is_found_again_at_its_address(name):
    assert leads_to(href("customers", name)) == (name, None)


def test_plain_names_stand_in_addresses_as_they_are():
    assert href("customers", "C1042") == "/customers/C1042"
    assert addresses.name("~not base 64") == "~not base 64"
    assert addresses.name("~YWI") == "~YWI", "says `ab`, which needs no such address: somebody is called so"
    assert addresses.name("~7aCA") == "~7aCA", "half a letter is in nobody's name, and no store can be asked for it"
