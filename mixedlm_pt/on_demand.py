"""Methods whose module is imported when they are first used."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

# Set in the environment it turns this off, as in all scientific Python packages (SPEC 1).
EAGER_IMPORT = bool(os.environ.get("EAGER_IMPORT"))


def on_demand(folder: str) -> Any:
    """What stands for the import of a folder: its functions become `OnDemand` in a class."""
    return _Folder(folder)


def function_on_demand(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported when it is first called."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call


class _Folder:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> "OnDemand":
        return OnDemand(self._name, name)


class OnDemand:
    """An attribute of a class that becomes a function of a folder at first use."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = folder, name

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._owner, self._attribute = owner, attribute

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        setattr(self._owner, self._attribute, getattr(import_module(self._folder), self._name))
        return getattr(self._owner if instance is None else instance, self._attribute)
