"""What is made of an answer, made once: answers are shared by all who look at the same, and so are the figures drawn of them.

What comes from here is shared: it is read and never changed.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

MOST = 256
LARGEST = 20_000  # cells of a frame: a figure of more is drawn for whoever asks, and not kept
Source = TypeVar("Source")
Made = TypeVar("Made")
Rest = ParamSpec("Rest")
_LOCK = Lock()
# The source is kept beside what was made of it, so that no other object can come to have its identity.
_MADE: OrderedDict[Hashable, tuple[object, Any]] = OrderedDict()


def once(make: Callable[Concatenate[Source, Rest], Made], source: Source, *rest: Rest.args, **named: Rest.kwargs) -> Made:
    """`make(source, …)`, or what it made before of the same object, not an equal one, and of equal other arguments."""
    if int(getattr(source, "size", 0)) > LARGEST:
        return make(source, *rest, **named)
    key = (make.__module__, make.__qualname__, id(source), _frozen(rest), _frozen(named))
    with _LOCK:
        if key in _MADE:
            _MADE.move_to_end(key)
            kept: Made = _MADE[key][1]
            return kept
    made = make(source, *rest, **named)
    with _LOCK:
        _MADE[key] = (source, made)
        while len(_MADE) > MOST:
            _MADE.popitem(last=False)
    return made


def _frozen(told: object) -> Hashable:
    """Arguments as a part of a key."""
    if isinstance(told, Mapping):
        return tuple(sorted((name, _frozen(value)) for name, value in told.items()))
    return tuple(map(_frozen, told)) if isinstance(told, list | tuple) else told
