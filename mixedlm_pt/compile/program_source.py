"""What a program is written from, and what its table is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixedlm_pt.compile.loop_writer import Loop
from mixedlm_pt.compile.row_nodes import Node, Spaces
from mixedlm_pt.linalg.addresses import address

type Rule = Callable[[Any], None]
type Recipe = Callable[[Frame], int]


@dataclass(eq=False)
class Frame:
    """What an entry of the table may depend on.

    Attributes
    ----------
    values : list
        Of every register: an array where it is known, elsewhere one with the shape it will have.
    offsets : dict
        Where the memory of registers and work arrays begins.
    held : dict
        Arrays whose addresses are in the table.
    """

    values: list[Any]
    offsets: dict[Any, int] = field(default_factory=dict)
    held: dict[Any, Any] = field(default_factory=dict)

    def address(self, key: Any, array: Any, dtype: str) -> int:
        """Address of an array that is kept as long as the table."""
        if key not in self.held:
            self.held[key] = np.asarray(array, dtype, order="C")
        return address(self.held[key])


@dataclass(frozen=True, eq=False)
class Source:
    """What is to be written.

    Attributes
    ----------
    order : sequence of Node and Loop
        In the order in which they run.
    spaces : Spaces
    calls : mapping
        From a node to a function that computes it on the list of registers.
    given, known, outputs : collections of int
        Registers that a call fills, those filled before, and those that the caller gets.
    """

    order: Sequence[Node | Loop]
    spaces: Spaces
    calls: Mapping[Node, Rule]
    given: Sequence[int]
    known: Collection[int]
    outputs: Sequence[int]
