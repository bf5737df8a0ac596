"""Columns that say whose a row is: no inputs, and where customers have several rows, what holds these together."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from training.reports import table

_WHO = "customer|client|consumer|subscriber|user|person|member|household|account|kunden?|haushalts?|mitglieds?|konto"
_NUMBER = "id|key|number|num|nr|no|nummer"
#: customer_id, CustomerID, "Client No.", crm_user_key; then customer, household; then id, key.
_NUMBERED = re.compile(rf"(.*_)?(({_WHO})_?({_NUMBER})|contact_?(id|key))_?")
_WHOSE, _BARE = re.compile(_WHO), re.compile(rf"({_NUMBER})_?")
#: Fewer different values are kinds or counts (of members, of contacts), whatever the name says.
FEWEST = 30
NO_INPUT = "looks like an identifier"


def naming(frame: pd.DataFrame) -> Iterator[str]:
    """Columns of whole numbers or texts that name customers, as far as their own names and repetitions tell."""
    for name in frame.columns:
        said = _words(str(name))
        numbered, whose, bare = (bool(pattern.fullmatch(said)) for pattern in (_NUMBERED, _WHOSE, _BARE))
        if not (numbered or whose or bare):
            continue
        known = _known(frame[name])
        if known is None:
            continue
        different = known.nunique()
        often = FEWEST if not bare else max(FEWEST, len(known) / 10)
        if different >= often and (numbered or different < len(known)):
            yield str(name)


def repeated(frame: pd.DataFrame) -> dict[str, str]:
    """Of these, whose values are there more than once, and a note of each; the fewest customers first."""
    found = {name: _told(frame[name]).dropna() for name in naming(frame)}
    found = {name: known for name, known in found.items() if known.duplicated().any()}
    return {name: _said(name, found[name]) for name in sorted(found, key=lambda name: found[name].nunique())}


def numbered(customers: pd.Series) -> np.ndarray:
    """int[n]: which customer a row is of; rows of nobody are each of a customer of their own."""
    code, known = pd.factorize(_told(customers))
    nobody = code < 0
    code[nobody] = len(known) + np.arange(nobody.sum())
    return code


def among(customer: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Of some rows, a mask or places; None stays: each row is a customer's only one."""
    return None if customer is None else customer[rows]


def apart(customer: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int[n]: folds that no customer is in two of, lest a model be judged on whom it has learned from."""
    known, place = np.unique(customer, return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(known)) % folds)[place])


def _words(name: str) -> str:
    """CustomerID, customer-id and "Customer Id" as customer_id."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", split).lower()


def _told(values: pd.Series) -> pd.Series:
    """Without what stands for no value: one blank is not the next one's customer."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    said = values.astype("string").str.strip().str.lower()
    return values.mask(said.isna() | said.isin(table.NO_VALUE))


def _known(values: pd.Series) -> pd.Series | None:
    """The values that are there, of a column of whole numbers or of texts; None of any other."""
    known = values.dropna()
    if pd.api.types.is_bool_dtype(values):
        return None
    if pd.api.types.is_numeric_dtype(values):
        return known if bool((known == known.round()).all()) else None
    texts = known.map(lambda one: isinstance(one, str))
    return known[known.str.strip() != ""] if len(known) and bool(texts.all()) else None


def _said(name: str, known: pd.Series) -> str:
    return (
        f"{name} has {known.nunique():,} different values in {len(known):,} rows: rows of one value were taken for one "
        "customer's in intervals and tests; counts, shares and mean effects are still those of rows."
    )
