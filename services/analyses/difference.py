"""What differs between two versions of the same facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BESIDE = {"as_of", "schema_version"}  # differ without anything having changed
MOST = 200


@dataclass(frozen=True, slots=True)
class Change:
    """One fact: where it is told, and both values; None for one that was not there."""

    path: str
    before: object
    after: object


def difference(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[Change]:
    """Every fact that differs, in order of its place; the first of very many."""
    before, after = dict(_leaves(older, "")), dict(_leaves(newer, ""))
    paths = dict.fromkeys([*before, *after])
    return [Change(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)][:MOST]


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in BESIDE:
                yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value
