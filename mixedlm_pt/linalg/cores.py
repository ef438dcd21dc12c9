"""Parts of a work on several cores.

What the parts are follows from the data alone, and what they add up is added in their order, so
results are the same to the last bit on any number of cores.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from mixedlm_pt.errors import ArgumentError

# The number of threads: ours first, then the one that clusters and joblib set for all software.
VARIABLES = ("MIXEDLM_THREADS", "OMP_NUM_THREADS")

type Part = Callable[[], object]


def n_threads() -> int:
    """Threads of a work: what `VARIABLES` say, else the cores of the process.

    A process that Python's multiprocessing started has one: its siblings use the other cores.
    """
    own, shared = (os.environ.get(name, "") for name in VARIABLES)
    if own:
        if not own.isdecimal() or not int(own):
            raise ArgumentError(
                f"{VARIABLES[0]} is {own!r} in the environment; it must be a number of threads, "
                "1 or more."
            )
        return int(own)
    if shared.isdecimal():
        return max(int(shared), 1)
    processes = sys.modules.get("multiprocessing.process")
    is_child = processes is not None and processes.parent_process() is not None
    return 1 if is_child else n_cores()


@cache
def n_cores() -> int:
    """Cores that the process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Work:
    """Parts, each done by whichever thread comes first."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._waiting = deque(enumerate(parts))
        self._n_left, self._context = len(self._waiting), copy_context()
        self._outcomes: list[Any] = [None] * self._n_left
        self._counting, self._running = Lock(), Lock()
        self._errors: list[BaseException] = []
        self._running.acquire()

    def join(self) -> None:
        """Do parts until none is waiting, under the settings of who made the work."""
        self._context.copy().run(self._join)

    def _join(self) -> None:
        while self._waiting:
            try:
                number, part = self._waiting.popleft()
            except IndexError:
                return
            try:
                self._outcomes[number] = part()
            except BaseException as error:  # noqa: BLE001 (raised by `finish`)
                self._errors.append(error)
            with self._counting:
                self._n_left -= 1
                if not self._n_left:
                    self._running.release()

    def finish(self) -> list[Any]:
        """Do parts, then wait for those that others do; what the parts return."""
        self._join()
        self._running.acquire()
        if self._errors:
            raise self._errors[0]
        return self._outcomes


class Team:
    """Threads that help whoever has a work; they are started by the first one.

    Whoever has a work does all parts that no thread has begun, so none waits for a thread that
    waits, in nested works either.
    """

    def __init__(self) -> None:
        self._works: SimpleQueue[Work | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._changing = Lock()

    def run(self, parts: Iterable[Part]) -> list[Any]:
        """What the parts return; an error of one is raised when none runs any more."""
        parts = list(parts)
        n_helpers = min(len(parts), n_threads()) - 1
        if n_helpers < 1:
            return [part() for part in parts]
        work = Work(parts)
        with self._changing:
            while len(self._threads) < n_helpers:
                thread = Thread(target=help_with, args=(self._works,), daemon=True)
                thread.start()
                self._threads.append(thread)
            for _ in range(n_helpers):
                self._works.put(work)
        return work.finish()

    def leave(self) -> None:
        """End the threads before a fork, which would copy none of them but all their locks."""
        self._changing.acquire()
        for _ in self._threads:
            self._works.put(None)
        for thread in self._threads:
            thread.join()
        self._works, self._threads = SimpleQueue(), []

    def come_back(self) -> None:
        """Let threads be started again, after a fork."""
        self._changing.release()


def help_with(works: Any) -> None:
    """What a thread does."""
    while (work := works.get()) is not None:
        work.join()
        # Its arrays would be held as long as the thread has nothing to do.
        del work


team = Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=team.leave, after_in_parent=team.come_back, after_in_child=team.come_back
    )
