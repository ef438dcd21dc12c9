"""Which nodes run together in one pass over the rows.

Every node has a *time*: a loop at time t runs after everything before t, and what it sums or hands
to other Ops is there at t + 1. The nodes of one space and time form one loop.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum

from mixedlm_pt.compile.loop_writer import Loop, LoopWriter
from mixedlm_pt.compile.row_nodes import Node, Spaces
from mixedlm_pt.linalg import Rows, SumRows

# A loop in the place of fewer calls costs more than it saves.
MIN_CALLS = 3


def with_loops(
    nodes: Sequence[Node], spaces: Spaces, outputs: Collection[int], min_calls: int = MIN_CALLS
) -> list[Node | Loop]:
    """The nodes in an order in which they can run, as loops where that pays.

    Parameters
    ----------
    nodes : sequence of Node
        In topological order.
    spaces : Spaces
    outputs : collection of int
        Registers that the caller gets.
    min_calls : int
        Calls of NumPy that a loop replaces at least.
    """
    over = {node: spaces.loop_space(node) for node in nodes}
    while True:
        schedule = Schedule(
            nodes, {node: s for node, s in over.items() if s is not None}, spaces, outputs
        )
        unfit = schedule.unfit(min_calls)
        if not unfit:
            return schedule.ordered()
        over |= dict.fromkeys(unfit)


class Schedule:
    """Times of nodes; ``over`` is the space of every node that runs in a loop."""

    def __init__(
        self,
        nodes: Sequence[Node],
        over: dict[Node, int],
        spaces: Spaces,
        outputs: Collection[int],
    ) -> None:
        self.nodes, self.over, self.spaces, self.outputs = nodes, over, spaces, outputs
        self.maker = {place: node for node in nodes for place in node.targets}
        self.users: dict[int, list[Node]] = defaultdict(list)
        for node in nodes:
            for place in dict.fromkeys(node.arguments):
                self.users[place].append(node)
        self.time: dict[Node, int] = {}
        for node in nodes:
            self.time[node] = max((self.ready(i, node) for i in node.arguments), default=0)
        for node in reversed(nodes):
            self.time[node] = max(self.time[node], self.latest(node))
        loops: dict[tuple[int, int], list[Node]] = defaultdict(list)
        for node in nodes:
            if node in over:
                loops[self.time[node], over[node]].append(node)
        self.kept = {place for place in self.maker if self.leaves_loops(place)}
        self.loops = {key: self.completed(loop) for key, loop in loops.items()}

    def shares_loop(self, place: int, user: Node) -> bool:
        """Whether the user reads components that a loop over its own rows computes."""
        maker = self.maker.get(place)
        if maker not in self.over or maker.is_reduction or place not in user.read:
            return False
        return self.over.get(user) == self.over[maker]

    def ready(self, place: int, user: Node) -> int:
        """The earliest time at which the user finds the register filled."""
        maker = self.maker.get(place)
        if maker is None:
            return 0
        return self.time[maker] + (maker in self.over and not self.shares_loop(place, user))

    def latest(self, node: Node) -> int:
        """The time at which loops need what a node computes from memory alone."""
        if node not in self.over or node.is_reduction or set(node.targets) & set(self.outputs):
            return 0
        if any(self.shares_loop(place, node) for place in node.arguments):
            return 0
        uses = [(place, user) for place in node.targets for user in self.users[place]]
        if not all(self.shares_loop(place, user) for place, user in uses):
            return 0
        return min((self.time[user] for _, user in uses), default=0)

    def leaves_loops(self, place: int) -> bool:
        """Whether anything but loops over the same rows reads a register."""
        used = any(not self.shares_loop(place, user) for user in self.users[place])
        return used or place in self.outputs

    def completed(self, loop: Sequence[Node]) -> list[Node]:
        """The loop's nodes and cheap ones of earlier loops, which it does again."""
        members, unseen = set(loop), list(loop)
        while unseen:
            node = unseen.pop()
            for place in node.read:
                maker = self.maker.get(place)
                if (
                    maker is not None
                    and maker not in members
                    and maker.is_cheap
                    and place not in self.kept
                    and self.shares_loop(place, node)
                ):
                    members.add(maker)
                    unseen.append(maker)
        return [node for node in self.nodes if node in members]

    def written(self, time: int, loop: Sequence[Node]) -> list[int]:
        """Registers that others read of what the loop is the first to compute."""
        others = [set(other) for other in self.loops.values() if other is not loop]
        return [
            place
            for node in loop
            if self.time[node] == time and not node.is_reduction
            for place in node.targets
            if place in self.kept
            or any(
                user in other and node not in other
                for other in others
                for user in self.users[place]
            )
        ]

    def unfit(self, min_calls: int) -> list[Node]:
        """Nodes that should not run in loops after all.

        Those of the smallest space or loop with too few calls, because others may gather in one
        loop once it is gone; or what yields truth values that leave a loop.
        """
        by_space: dict[int, list[Node]] = defaultdict(list)
        for (_, space), loop in self.loops.items():
            by_space[space] += loop
        for groups in (by_space.values(), self.loops.values()):
            smallest = min(groups, key=n_calls, default=[])
            if smallest and n_calls(smallest) < min_calls:
                return smallest
        return [
            self.maker[place]
            for (time, _), loop in self.loops.items()
            for place in self.written(time, loop)
            if self.spaces.variables[place].type.dtype != "float64"
        ]

    def ordered(self) -> list[Node | Loop]:
        """Everything by its time, other nodes before the loops."""
        steps: dict[int, list[Node | Loop]] = defaultdict(list)
        for node in self.nodes:
            if node not in self.over:
                steps[self.time[node]].append(node)
        for (time, space), loop in self.loops.items():
            writer = LoopWriter(self.spaces, space)
            steps[time].append(writer.loop(loop, self.written(time, loop)))
        return [step for time in sorted(steps) for step in steps[time]]


def n_calls(nodes: Sequence[Node]) -> int:
    """Calls of NumPy that a loop of these nodes replaces."""
    return sum(isinstance(node.op, Elemwise | Sum | Rows | SumRows) for node in nodes)
