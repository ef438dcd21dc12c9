"""Long work in independent pieces: in parallel, with progress, interruptible."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from rich.progress import Progress

from mixedlm_pt.errors import ArgumentError


def run_tasks[Task, Outcome](
    work: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    *,
    label: str,
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[Outcome]:
    """Outcomes of the tasks, in their order; those finished so far if the user interrupts.

    Parameters
    ----------
    work : callable
        A function of one task that can be pickled: `functools.partial` of a module's function.
        What it returns depends on the task alone, so that results do not depend on ``n_jobs``.
    tasks : sequence
    label : str
        What the progress bar says.
    n_jobs : int, optional
        Processes, -1 for all cores. Default: one, or what ``joblib.parallel_config`` says, which
        also names the backend (loky, dask, ray).
    progress : bool
        Show a bar on the terminal or in the notebook.

    Returns
    -------
    list
        Shorter than ``tasks`` after a KeyboardInterrupt, which is raised again only if nothing is
        finished.
    """
    outcomes: list[Outcome] = []
    with Progress(disable=not progress) as bar:
        row = bar.add_task(label, total=len(tasks))
        stream = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(work)(task) for task in tasks
        )
        try:
            for outcome in stream:
                outcomes.append(outcome)
                bar.advance(row)
        except KeyboardInterrupt:
            stream.close()
            if not outcomes:
                raise
    return outcomes


def spawn_seeds(seed: int | np.random.SeedSequence | None, n: int) -> list[np.random.SeedSequence]:
    """One independent seed a task, the same whichever process runs it."""
    parent = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return parent.spawn(n)


def recorded_seed(seed: Any) -> Any:
    """The seed, or for None a new one that can be written down and given again."""
    return np.random.SeedSequence().entropy if seed is None else seed


def positive_integer(name: str, value: Any) -> int:
    """The value of an argument that counts something.

    Raises
    ------
    ArgumentError
    """
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (is_integer and value > 0):
        raise ArgumentError(f"{name} is {value!r}; it must be a positive integer.")
    return int(value)
