"""Long work in independent pieces: in parallel, with progress, interruptible."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedlm_pt.arguments import checked_seed
from mixedlm_pt.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console

type Seed = int | np.random.SeedSequence | None


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

    Raises
    ------
    ArgumentError
        If ``n_jobs`` is no number of processes.
    """
    run = partial(alone, work)
    return run_batches(run, tasks, 1, label=label, n_jobs=n_jobs, progress=progress)


def run_batches[Task, Outcome](
    work: Callable[[Sequence[Task]], Iterable[Outcome]],
    tasks: Sequence[Task],
    size: int,
    *,
    label: str,
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[Outcome]:
    """As `run_tasks`, for work that treats up to ``size`` tasks together.

    ``work`` makes the outcomes of a batch one after the other; what one is may not depend on the
    others. In one process those made before an interruption are kept.
    """
    from joblib import Parallel, delayed, effective_n_jobs
    from rich.progress import Progress

    is_integer = isinstance(n_jobs, int | np.integer) and not isinstance(n_jobs, bool)
    if n_jobs is not None and not (is_integer and n_jobs != 0):
        raise ArgumentError(
            f"n_jobs is {n_jobs!r}; it must be a number of processes, -1 for all cores, or None."
        )
    n_workers = effective_n_jobs(n_jobs)
    size = min(size, max(1, -(-len(tasks) // n_workers)))
    batches = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    outcomes: list[Outcome] = []
    with Progress(console=progress_console(), disable=not progress) as bar:
        row = bar.add_task(label, total=len(tasks))
        if n_workers == 1:
            stream = (outcome for batch in batches for outcome in work(batch))
        else:
            parallel = Parallel(n_jobs=n_jobs, return_as="generator")
            stream = chained(parallel(delayed(collected)(work, batch) for batch in batches))
        try:
            for outcome in stream:
                outcomes.append(outcome)
                bar.advance(row)
        except KeyboardInterrupt:
            stream.close()
            if not outcomes:
                raise
    return outcomes


def progress_console(*, stderr: bool = False) -> Console:
    """Where progress is shown; in a notebook that has no widgets as text.

    Rich redraws in notebooks by ipywidgets. Where that is missing it would leave a warning and
    empty outputs below the cell.
    """
    from rich.console import Console

    console = Console(stderr=stderr)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        # A kernel's streams say that they were terminals.
        return Console(stderr=stderr, force_jupyter=False, force_terminal=False)
    return console


def alone[Task, Outcome](
    work: Callable[[Task], Outcome], tasks: Sequence[Task]
) -> Iterator[Outcome]:
    """Outcomes of tasks that are done one by one."""
    return map(work, tasks)


def collected[Task, Outcome](
    work: Callable[[Sequence[Task]], Iterable[Outcome]], batch: Sequence[Task]
) -> list[Outcome]:
    """All outcomes of a batch: what a process sends back."""
    return list(work(batch))


def chained[Outcome](
    lists: Generator[list[Outcome], None, None],
) -> Generator[Outcome, None, None]:
    """The outcomes of all batches; closing it ends the processes."""
    with closing(lists):
        for outcomes in lists:
            yield from outcomes


def interruption(done: int, asked: int, what: str) -> tuple[str, ...]:
    """The note of a result that the user stopped; empty where everything was finished."""
    return (f"Interrupted after {done:,} of {asked:,} {what}.",) if done < asked else ()


def spawn_seeds(seed: Seed, n: int) -> list[np.random.SeedSequence]:
    """One independent seed a task, the same whichever process runs it."""
    if not isinstance(seed, np.random.SeedSequence):
        return np.random.SeedSequence(checked_seed(seed)).spawn(n)
    # A sequence counts its children; a copy begins with the first again.
    return np.random.SeedSequence(
        seed.entropy, spawn_key=seed.spawn_key, pool_size=seed.pool_size
    ).spawn(n)


def recorded_seed(seed: Any) -> Any:
    """The seed, or for None a new one that can be written down and given again."""
    return np.random.SeedSequence().entropy if seed is None else checked_seed(seed)
