"""The verbs as functions of the package, which say so where they get something else than a fit."""

import inspect
from functools import wraps
from typing import Any

from mixedlm_pt.errors import ArgumentError, MixedlmError
from mixedlm_pt.fit import Fit

PACKAGE = __name__.partition(".")[0]


def as_function(verb: Any) -> Any:
    """A verb of fits as the package offers it; anything else as it is.

    ``mlm.fixef(result)`` is ``result.fixef()`` for a posterior, too. The methods themselves stay
    as they are: what they get first is what they belong to.
    """
    function = inspect.unwrap(verb) if inspect.isfunction(verb) else None
    takes_fits = function is not None and function.__code__.co_varnames[:1] == ("fit",)
    if function is None or not takes_fits or "|" in str(function.__annotations__["fit"]):
        return verb

    @wraps(verb)
    def of_a_result(*args: Any, **kwargs: Any) -> Any:
        subject = args[0] if args else kwargs.get("fit")
        if isinstance(subject, Fit) or not (args or "fit" in kwargs):
            return verb(*args, **kwargs)
        own = own_verb(subject, verb.__name__)
        others = {name: value for name, value in kwargs.items() if name != "fit"}
        return own(*args[1:], **others)

    # Pickled by the name under which it is found.
    of_a_result.__module__, of_a_result.__qualname__ = PACKAGE, verb.__name__
    return of_a_result


def own_verb(subject: object, name: str) -> Any:
    """The method of that name of another of our results.

    Raises
    ------
    ArgumentError
        If it is none of ours or has no such method.
    """
    kind = type(subject).__name__
    if type(subject).__module__.partition(".")[0] == PACKAGE:
        try:
            return getattr(subject, name)
        except MixedlmError:
            # A posterior says what to use instead.
            raise
        except AttributeError:
            hint = f" Call fit() of the {kind} first." if hasattr(subject, "fit") else ""
            raise ArgumentError(f"{name}() takes a fit, not a {kind}.{hint}") from None
    raise ArgumentError(f"{name}() takes a fit, as glmer() returns it, not {kind!r}.")
