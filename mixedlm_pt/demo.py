"""One model, two ways: ``python -m mixedlm_pt.demo`` fits cbpp by ML and samples its posterior."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from mixedlm_pt.api import glmer
from mixedlm_pt.bayes import compare, prior_summary, sample
from mixedlm_pt.datasets import load_cbpp
from mixedlm_pt.summary import summary

FORMULA = "incidence / size ~ period + (1 | herd)"
SEED = 20


def main(draws: int = 1000, console: Console | None = None) -> None:
    """Print the fits, the posterior and the comparison.

    Parameters
    ----------
    draws : int
        Draws, and steps of adaptation, of each of four chains.
    console : rich.console.Console, optional
    """
    console = Console(highlight=False) if console is None else console
    data = load_cbpp()
    console.print(
        "Contagious bovine pleuropneumonia in 15 herds of zebu cattle, Ethiopia: new cases among "
        f"the animals of each herd in four periods ({len(data)} rows).\n"
        f"Model: {FORMULA}, binomial, logit.\n"
    )
    fit = step(console, "Maximum likelihood, Laplace approximation", lambda: glmer(FORMULA, data))
    show(console, summary(fit))

    better = step(
        console,
        "Maximum likelihood, adaptive Gauss-Hermite quadrature with 10 nodes",
        lambda: glmer(FORMULA, data, nAGQ=10),
    )
    show(console, better)

    heading(console, "The posterior of the same model")
    show(console, prior_summary(fit))
    console.print(
        "\nThe definition that ML maximised becomes a density of parameters and random effects, in "
        "machine code and in coordinates that the fit has whitened; fit.to_pymc() is the same "
        "model in PyMC."
    )
    with console.status("Compiling and sampling 4 chains ..."):
        began = time.perf_counter()
        posterior = sample(fit, draws=draws, tune=draws, random_seed=SEED, progressbar=False)
        seconds = time.perf_counter() - began
    console.print(done(seconds))
    show(console, posterior)

    comparison = step(console, "ML beside the posterior", lambda: compare(better, posterior))
    show(console, comparison)


def step[Result](console: Console, title: str, run: Callable[[], Result]) -> Result:
    """Run something under a heading, and say how long it took."""
    heading(console, title)
    with console.status(f"{title} ..."):
        began = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - began
    console.print(done(seconds))
    return result


def heading(console: Console, title: str) -> None:
    """A rule with a title."""
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", characters="─"))


def show(console: Console, table: Any) -> None:
    """Print as it is: our tables are aligned already."""
    console.print(Text(str(table)), soft_wrap=True)


def done(seconds: float) -> Text:
    """How long a step took."""
    return Text(f"done in {seconds:.2f} s\n", style="dim")


if __name__ == "__main__":
    main()
