"""Models beside the champions: challengers decide for a share of customers, shadows say what they would and never do.

A challenger is the version with the alias `challenger`, a shadow the one with `shadow` (`tactful promote --as`). Who is
in the challenger's arm is drawn by the policy (`challenger` in contact_policy.yaml), whatever models there are; a kind
without a challenger is the champion's for them, too. How far new actions are ramped up goes by the responses that the
champion learned from in both arms, so that these differ by the models alone.
"""

from collections.abc import Mapping

from features.catalogue import Catalogue
from features.workspace import Workspace
from serving.champions import Champion, Champions


class Rivals:
    """Challengers and shadows in use, exchanged as a whole as champions are."""

    def __init__(self, workspace: Workspace, catalogue: Catalogue) -> None:
        self._challengers = Champions(workspace, catalogue, "challenger")
        self._shadows = Champions(workspace, catalogue, "shadow")

    @property
    def challengers(self) -> Mapping[str, Champion]:
        return self._challengers.current

    @property
    def shadows(self) -> Mapping[str, Champion]:
        return self._shadows.current

    def poll(self) -> bool:
        """Takes up what is new; True where anything is."""
        found = [each.poll() for each in (self._challengers, self._shadows)]
        return any(found)

    def problems(self) -> list[str]:
        """What is wrong with one that there is, a line each; champions decide meanwhile."""
        return [
            f"{alias} {text}"
            for alias, of in (("challenger", self._challengers), ("shadow", self._shadows))
            for text in of.problems.values()
        ]

    def playing(self, champions: Mapping[str, Champion], challenged: bool) -> Mapping[str, Champion]:
        """The models that decide about a customer, by whether they are in the challengers' arm."""
        return {**champions, **self.challengers} if challenged and self.challengers else champions
