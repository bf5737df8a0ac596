"""Records inside records: paths of keys, lists whose items become rows, lists of {key, value} that mean an object."""

from collections.abc import Iterator
from typing import Any


def find(record: Any, path: str) -> Any:
    """The value under a key, or under keys joined by dots (a number picks from a list); None where there is none.

    >>> find({"items": [{"sku": "a"}, {"sku": "b"}]}, "items.1.sku")
    'b'
    """
    if isinstance(record, list):
        head, dot, rest = path.partition(".")
        if not head.isdigit() or int(head) >= len(record):
            return None
        return find(record[int(head)], rest) if dot else record[int(head)]
    if not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    while dot:
        if isinstance(record.get(head), dict | list) and (value := find(record[head], rest)) is not None:
            return value
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def exploded(record: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    """The record once for each item of the list at `path`, with the item in the list's place; lists may nest.

    >>> [row["items"]["sku"] for row in exploded({"id": 7, "items": [{"sku": "a"}, {"sku": "b"}]}, "items")]
    ['a', 'b']
    """
    head, dot, rest = path.partition(".")
    if path in record:
        head, dot, rest = path, "", ""
    value = record.get(head)
    for item in value if isinstance(value, list) else [value] if dot else []:
        if not dot:
            yield {**record, head: item}
        elif isinstance(item, dict):
            for inner in exploded(item, rest):
                yield {**record, head: inner}


def as_object(pairs: Any) -> Any:
    """[{key, value}, ...] as an object; a value that is an object is the first of its values that is not null.

    BigQuery exports parameters so: {"key": "page", "value": {"string_value": "/", "int_value": null}}.

    >>> as_object([{"key": "page", "value": {"string_value": "/", "int_value": None}}, {"key": "n", "value": 2}])
    {'page': '/', 'n': 2}
    """
    if not isinstance(pairs, list):
        return pairs
    return {pair["key"]: _value(pair.get("value")) for pair in pairs if isinstance(pair, dict) and "key" in pair}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return next((part for name, part in value.items() if part is not None and name != "set_timestamp_micros"), None)
    return value
