"""The page on calibration: a table, and a figure of every study and target."""

from pathlib import Path

import numpy as np

from benchmarks.ranks import draw_ranks, p_value
from benchmarks.results import Record
from benchmarks.table import markdown


def write_page(found: Record, document: Path) -> None:
    """Write the page and, in the folder beside it, its figures."""
    figures = document.parent / "figures" / "bayes"
    figures.mkdir(parents=True, exist_ok=True)
    rows, parts = [], []
    for title, run in found["runs"].items():
        records = list(run["replicates"].values())
        named = ranks_by_name(records)
        path = figures / f"calibration-{title.replace(', ', '-').replace(' ', '-')}.png"
        draw_ranks(named, run["ranks"], f"{title}: {len(records)} data sets").savefig(path, dpi=110)
        parts.append(f"![{title}]({path.relative_to(document.parent)})")
        rows.append(row(title, run, records))
    header = [
        "model, target", "data sets", "quantities", "smallest p", "its quantity",
        "p x quantities", "ESS, lowest", "divergences", "all equal",
    ]  # fmt: skip
    seconds = sum(
        r["seconds"] for run in found["runs"].values() for r in run["replicates"].values()
    )
    made = f"{found['machine']['processor']}; {seconds / 60:.0f} minutes of sampling."
    studies = {run["study"]["formula"]: run["study"] for run in found["runs"].values()}
    designs = "\n".join(f"- {design(study)}" for study in studies.values())
    page = [HEAD, designs, HOW, markdown(header, rows), made, *parts]
    document.write_text("\n\n".join(page) + "\n")


def ranks_by_name(records: list[Record]) -> dict[str, np.ndarray]:
    """The ranks of every quantity, one a data set."""
    return {name: np.array([r["ranks"][name] for r in records]) for name in records[0]["ranks"]}


def row(title: str, run: Record, records: list[Record]) -> list[str]:
    """One line of the table."""
    named = ranks_by_name(records)
    p_values = {name: p_value(ranks, run["ranks"]) for name, ranks in named.items()}
    least = min(p_values, key=lambda name: p_values[name])
    return [
        title,
        str(len(records)),
        str(len(named)),
        f"{p_values[least]:.2g}",
        least,
        f"{min(1.0, len(named) * p_values[least]):.2g}",
        f"{min(record['ess'] for record in records):.0f}",
        str(sum(record["divergences"] for record in records)),
        str(sum(record["constant"] for record in records)),
    ]


def design(study: Record) -> str:
    """The study in one line."""
    parts = [
        f"`{study['formula']}`, {study['family'].replace('_', ' ')}",
        f"{study['groups']} groups of {study['rows']} rows"
        + (f" of {study['trials']} trials" if study["trials"] > 1 else ""),
        f"intercept at the mean of x normal({study['location']:g}, {study['scale']:g})",
        f"slope normal(0, {study['slope']:g})",
        f"standard deviations exponential({study['rate']:g})",
    ]
    if "(x | g)" in study["formula"]:
        parts.append(f"correlation lkj({study['eta']:g})")
    if study["family"] == "negative_binomial":
        parts.append(f"theta exponential({study['theta']:g})")
    return "; ".join(parts) + "."


HEAD = """\
# Calibration of the posteriors

Made by `python -m benchmarks calibration`. Parameters are drawn from the prior, data from the
model given them, and the posterior of these data is sampled; over many data sets the rank of the
true value among independent draws is uniform if the posterior is right (simulation-based
calibration: Talts et al. 2018, arXiv:1804.06788). The simulator is NumPy and SciPy alone and
shares no code with the package."""
HOW = """\
`full` is NUTS on all parameters and random effects, `laplace` NUTS on the parameters alone with
the random effects drawn afterwards. Ranked are all parameters, a random effect of each of two
groups and the log-likelihood given the random effects, which finds errors that single parameters
do not (Modrák et al. 2025). Ranks are among 99 draws, thinned evenly from two chains, which are
lengthened up to nine times until there are as many effective draws. Every data set is kept:
singular fits and separated responses are sampled as they are; where all responses are equal (last
column), which `glmer` refuses to fit, the sampler starts at the fit of other data.

Shaded in the figures: where the difference between the ranks' ECDF and the uniform one stays, all
along, with probability 95 % (Säilynoja, Bürkner and Vehtari 2022, Statistics and Computing
32:32). p is the probability that uniform ranks leave a narrower band than these; times the number
of quantities it bounds the probability of the smallest."""
