"""Checks of single arguments, so that every verb says the same of the same mistake."""

from collections.abc import Collection, Hashable, Iterable
from typing import Any

import numpy as np

from mixedlm_pt.errors import ArgumentError, unknown_name


def positive_integer(name: str, value: Any, least: int = 1) -> int:
    """The value of an argument that counts something.

    Raises
    ------
    ArgumentError
    """
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (is_integer and value >= least):
        what = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ArgumentError(f"{name} is {value!r}; it must be {what}.")
    return int(value)


def probability(name: str, value: float) -> float:
    """The value of an argument that is a probability, such as a confidence level.

    Raises
    ------
    ArgumentError
        If it is not between 0 and 1.
    """
    if not (isinstance(value, int | float | np.number) and 0.0 < value < 1.0):
        raise ArgumentError(f"{name} is {value!r}; it must lie between 0 and 1.")
    return float(value)


def finite_number(name: str, value: Any) -> float:
    """The value of an argument that is a number.

    Raises
    ------
    ArgumentError
    """
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (is_number and np.isfinite(value)):
        raise ArgumentError(f"{name} is {value!r}; it must be a finite number.")
    return float(value)


def one_of(kind: str, value: object, known: Collection[str]) -> None:
    """Refuse a value that is none of the known names.

    Raises
    ------
    ArgumentError
        With the names, and the nearest of them.
    """
    if not isinstance(value, Hashable) or value not in known:
        raise unknown_name(kind, value, known)


def names_of(name: str, value: Any) -> list[Any]:
    """The value of an argument that is one name or several.

    Raises
    ------
    ArgumentError
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable):
        raise ArgumentError(f"{name} is {value!r}; it must be a name or a list of names.")
    return list(value)


def true_or_false(name: str, value: Any) -> bool:
    """The value of an argument that is switched on or off.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(f"{name} is {value!r}; it must be True or False.")
    return bool(value)


def checked_random_seed(seed: Any) -> int | None:
    """A seed that samplers take: a non-negative integer, or None for a random one.

    Raises
    ------
    ArgumentError
    """
    is_integer = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if seed is not None and not (is_integer and seed >= 0):
        raise ArgumentError(
            f"random_seed is {seed!r}; it must be a non-negative integer, or None for a random one."
        )
    return None if seed is None else int(seed)


def checked_seed(seed: Any) -> Any:
    """A seed that NumPy takes.

    Raises
    ------
    ArgumentError
    """
    if isinstance(seed, np.random.SeedSequence):
        return seed
    try:
        np.random.SeedSequence(seed)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"seed is {seed!r}; it must be a non-negative integer, or None for a random one."
        ) from None
    return seed
