"""Long work in independent pieces: in parallel, with progress, interruptible."""

from collections.abc import Callable, Sequence

import numpy as np
from joblib import Parallel, delayed
from rich.progress import Progress


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
        Shorter than ``tasks`` after a KeyboardInterrupt, which is not raised again.
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
    return outcomes


def spawn_seeds(seed: int | np.random.SeedSequence | None, n: int) -> list[np.random.SeedSequence]:
    """One independent seed a task, the same whichever process runs it."""
    parent = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return parent.spawn(n)
