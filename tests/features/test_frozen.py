"""A frozen dataclass that is made quickly is the same dataclass."""

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from functools import cached_property

import pytest

from features.frozen import quickly_made


@dataclass(frozen=True)
class Plain:
    name: str
    number: int = 3
    words: list[str] = field(default_factory=list)
    alias: str = ""

    def __post_init__(self) -> None:
        if not self.alias:
            object.__setattr__(self, "alias", self.name.upper())

    @cached_property
    def length(self) -> int:
        return len(self.name)


@quickly_made
@dataclass(frozen=True)
class Quick(Plain):
    """The same fields."""


@pytest.mark.parametrize("given", [{}, {"number": 5}, {"words": ["a"], "alias": "b"}, {"words": None}])
def test_the_same_fields_however_it_is_made(given):
    plain, quick = Plain("ann", **given), Quick("ann", **given)
    assert vars(quick) == vars(plain)
    assert [each.name for each in fields(quick)] == [each.name for each in fields(plain)]
    assert quick == Quick("ann", **given) != Quick("bob", **given)
    assert replace(quick, number=9).number == 9
    assert quick.length == 3
    assert repr(quick) == repr(plain).replace("Plain", "Quick")


def test_what_is_frozen_stays_so_and_no_two_share_a_default():
    one, other = Quick("ann"), Quick("ann")
    one.words.append("x")
    assert other.words == []
    with pytest.raises(FrozenInstanceError):
        one.name = "bob"


@pytest.mark.parametrize("given", [(), ("ann", 1, [], "", "more")])
def test_what_is_missing_or_too_much_is_said(given):
    with pytest.raises(TypeError, match="__init__"):
        Quick(*given)


def test_a_field_that_is_not_given_is_not_for_it():
    @dataclass(frozen=True)
    class Kept:
        memo: dict[str, int] = field(default_factory=dict, init=False)

    with pytest.raises(TypeError, match="taken by __init__"):
        quickly_made(Kept)
