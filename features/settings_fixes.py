"""What to write instead of a value that a settings file cannot hold: pydantic says what is wrong, in its own words."""

import re
from collections.abc import Mapping
from typing import Any

_UNIT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*[^\s0-9.,].*", re.DOTALL)
_PARTS = " or instance of "


def fix(problem: Mapping[str, Any]) -> str:
    """What to do about one of pydantic's problems, begun with a semicolon; "" where its message says enough."""
    kind, found = problem["type"], problem["input"]
    said = ""
    if kind in ("float_parsing", "int_parsing", "decimal_parsing"):
        said = _number(str(found).strip(), whole=kind == "int_parsing")
    elif kind == "string_type" and isinstance(found, bool):
        said = 'without quotes yes, no, on and off are true and false: put it in quotes, as "NO"'
    elif kind == "string_type" and isinstance(found, (int, float)):
        said = f'put it in quotes ("{found}"), or say its unit where it is a duration ({found}d)'
    elif kind == "string_pattern_mismatch" and "A-Za-z0-9" in str(problem.get("ctx", {}).get("pattern")):
        said = "write letters a to z, digits and _ . : - only, without blanks, at most 64"
    elif kind == "string_pattern_mismatch" and "A-Z]{2}" in str(problem.get("ctx", {}).get("pattern")):
        said = "write the two letters of the country: DE"
    elif kind == "too_short":
        said = "name at least one"
    elif kind == "list_type":
        said = f"write a list: [{found}]" if isinstance(found, str) else "write a list: [one, another]"
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        said = "write its keys in braces: {key: value}, or indented below it"
    elif kind == "bool_parsing":
        said = "write true or false"
    elif kind == "invalid_key":
        said = "a number with a comma reads as two: write 0.5 with a point, and names in quotes"
    elif kind == "literal_error" and isinstance(found, bool):
        said = "without quotes yes, no, on and off are true and false"
    return f"; {said}" if said else ""


def plain(message: str) -> str:
    """A message of pydantic's without the names of our classes."""
    return message.removeprefix("Value error, ").partition(_PARTS)[0].replace("dictionary", "group of keys")


def _number(text: str, whole: bool) -> str:
    """What to write instead of this text, which is no number; 1,000 is a thousand where it is to be `whole`."""
    if whole and re.fullmatch(r"[+-]?[0-9]{1,3}([,.' ][0-9]{3})+", text):
        return f"write it in digits alone: {re.sub('[^0-9+-]', '', text)}"
    pointed = text.replace(",", ".", 1)
    if re.fullmatch(r"[+-]?[0-9]+\.[0-9]+", pointed):
        return f"write it with a point: {pointed}"
    share = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*%", pointed)
    if share is not None:
        return f"write a share as a number from 0 to 1: {float(share[1]) / 100:g}"
    unit = _UNIT.fullmatch(pointed)
    return f"write the number alone: {unit[1]}" if unit is not None else "write it in digits"
