"""What the kernel reads of a catalogue, compiled for a workspace (see compiled.py)."""

from typing import Any, NamedTuple


class Tables(NamedTuple):
    """What the kernel reads. Codes come from the vocabulary, the other positions from the catalogue."""

    selector_start: Any  # int64[2 * codes + 1]: where a key's selectors begin in `selectors`
    selectors: Any  # int64[...]: a selector, and above it what it wants
    lasting_start: Any  # int64[2 * codes + 1]: where its selectors that want totals of a lifetime begin in `lasting`
    lasting: Any  # int64[...]
    traits: Any  # int64[codes, 7]: see accumulators
    load: Any  # float64[codes]: what a contact of this code weighs, see roles.pressure
    band_of_day: Any  # int64[HORIZON_DAYS]: the youngest window that contains an age in whole days
    window_days: Any  # int64[windows]: ascending; the last is the horizon
    weights: Any  # float64[half-lives, HORIZON_DAYS]
    wants: Any  # int64[selectors]: bits of what is added up, see accumulators
    sizes: Any  # int64[2]: how many keys one interaction may add to the set of things met, columns of `steps`
    transitions: Any  # int64[channels + 1, channels + 1]: from, to: the column of `steps`, 0 where nobody asks
    parameters: Any  # float64[...]: numbers that features bring along
    hooks: Any  # int64[2]: which of accumulators.HOOKS some feature asks for
    attributes: Any  # int64[attributes asked for, 3]: see facts.py
    labels: Any  # int64[...]: hashes of the labels that attributes may have
    operations: Any  # int64[features, 4]: kind, selector, a, b
