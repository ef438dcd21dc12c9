"""Verbs of lower layers, which draw nothing, with results that can draw themselves."""

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any


def drawn[**P, Drawn](verb: Callable[P, Any], kind: type[Drawn]) -> Callable[P, Drawn]:
    """The verb with its result as ``kind``, the same dataclass with a method ``plot``."""

    @wraps(verb)
    def with_plot(*args: P.args, **kwargs: P.kwargs) -> Drawn:
        found = verb(*args, **kwargs)
        return kind(**{field.name: getattr(found, field.name) for field in fields(found)})

    return with_plot
