"""The course of a fit while it runs: evaluations, log-likelihood, gain and elapsed time."""

from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mixedlm_pt.arguments import positive_integer
from mixedlm_pt.tasks import progress_console

if TYPE_CHECKING:
    from rich.progress import Progress

# A fit shows its course unasked once it has taken so many seconds, which most never do.
PATIENCE = 3.0


class EvaluationDisplay:
    """What `fit_model` calls after every evaluation, within a ``with`` block.

    Parameters
    ----------
    verbose : int or None
        1 prints a line for every evaluation. None shows one live line on a terminal or in a
        notebook, once the fit has taken ``PATIENCE`` seconds, and takes it away at the end.
        0 shows nothing.
    """

    def __init__(self, verbose: int | None) -> None:
        self.verbose = None if verbose is None else positive_integer("verbose", verbose, least=0)
        self.start = perf_counter()
        self.best = -np.inf
        self.live: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.live is not None:
            self.live.stop()

    def __call__(self, n_evaluations: int, loglik: float) -> None:
        elapsed = perf_counter() - self.start
        gain = loglik - self.best if np.isfinite(self.best) else 0.0
        self.best = np.fmax(self.best, loglik)
        if self.verbose:
            print(
                f"evaluation {n_evaluations:3d}: log-likelihood {loglik:.6f} ({gain:+.2g}) "
                f"after {elapsed:.2f} s"
            )
        elif self.verbose is None and elapsed > PATIENCE:
            self.update(elapsed, count=n_evaluations, best=self.best, gain=gain)

    def update(self, elapsed: float, **shown: Any) -> None:
        """The live line with other numbers; the first time it appears."""
        if self.live is None:
            self.live = live_line()
            row = self.live.add_task("glmer", total=None, **shown)
            # The clock has run since before the line was there.
            self.live.tasks[row].start_time = self.live.get_time() - elapsed
            self.live.start()
        self.live.update(self.live.task_ids[0], **shown)


def live_line() -> "Progress":
    """A line on standard error that is redrawn in place; none where that cannot be."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = progress_console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("evaluation {task.fields[count]}"),
        TextColumn("log-likelihood {task.fields[best]:.4f} ({task.fields[gain]:+.1e})"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (console.is_terminal or console.is_jupyter),
    )
