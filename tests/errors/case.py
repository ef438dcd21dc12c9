"""A row of the catalogue."""

import re
from dataclasses import dataclass

# Stands in a message for text that differs from run to run, such as an address in memory.
ANYTHING = "..."


@dataclass(frozen=True)
class Case:
    """Bad input that is tried out.

    Attributes
    ----------
    what : str
        What is wrong, in a few words.
    typed : str
        What the user typed, after the lines of `setting.SETTING`.
    error : type
        The exception, or the warning, of mixedlm_pt.errors.
    message : str
        All of its text; ``...`` stands for anything.
    instead : str
        What does what was meant, where the message alone leaves that open.
    """

    what: str
    typed: str
    error: type[Exception]
    message: str
    instead: str = ""

    @property
    def pattern(self) -> str:
        """The message as a regular expression."""
        return re.escape(self.message).replace(re.escape(ANYTHING), ".*")


@dataclass(frozen=True)
class Fault:
    """A fault of the surroundings, which a test elsewhere brings about.

    Attributes
    ----------
    what : str
    seen : str
        What the user sees of it, in words; a message in backticks.
    test : str
        ``tests/folder/test_file.py::test_name``.
    """

    what: str
    seen: str
    test: str
