"""The trusted fits beside ours: differences of every one, as results and as a page."""

import json
import platform
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import mixedlm_pt as mlm
from benchmarks.results import RESULTS, Record, stamp
from benchmarks.table import markdown
from mixedlm_pt.estimation import Objective
from tests.reference import trusted

OUT = RESULTS / "accuracy.json"
# Differences below this are the rounding of the numbers in the files.
LEAST = 1e-9


def accuracy(out: Path, document: Path) -> None:
    """Fit every model of the reference again, keep the differences, and write the page."""
    versions = {"mixedlm_pt": mlm.__version__, "Python": platform.python_version()}
    fits = {name: differences(name) for name in trusted.names()}
    out.write_text(json.dumps({"versions": versions, **stamp(), "fits": fits}, indent=1) + "\n")
    document.write_text(page(json.loads(out.read_text())))


def differences(name: str) -> Record:
    """One fit: what it is, and how far ours lies from it."""
    theirs, model, ours = trusted.record(name), trusted.model(name), trusted.estimate(name)
    at_theirs = Objective(model, trusted.approximation(name))(trusted.parameters(name)).loglik
    se = np.sqrt(np.diag(ours.covariance))[: model.p]
    columns = model.design.coef_names
    beta, their_se = (np.array([theirs[part][c] for c in columns]) for part in ("fixef", "se"))
    return {
        "data": theirs["dataset"],
        "formula": theirs["formula_py"],
        "family": f"{theirs['family']}({theirs['link']})",
        "engine": f"{theirs['engine']['name']} {theirs['engine']['version']}",
        "likelihood": likelihood(name),
        "is_likelihood": name not in trusted.NOT_A_LIKELIHOOD,
        "singular": theirs.get("singular") is True,
        "loglik": ours.loglik,
        "at_theirs": abs(at_theirs / theirs["logLik"] - 1.0),
        "gain": ours.loglik - at_theirs,
        "beta": float(np.abs((ours.beta - beta) / se).max()),
        "se": float(np.abs(se / their_se - 1.0).max()),
        "evaluations": ours.outcome.n_evaluations,
    }


def likelihood(name: str) -> str:
    """How the integral was approximated, in a word."""
    approximation = trusted.approximation(name)
    if approximation.nAGQ == trusted.EXACT_NODES:
        return "exact"
    if approximation.nAGQ > 1:
        return f"{approximation.nAGQ} nodes"
    return f"Laplace, {approximation.laplace_weights}"


def page(found: Record) -> str:
    """The page in markdown."""
    fits: dict[str, Record] = found["fits"]
    fair = [record for record in fits.values() if record["is_likelihood"]]
    regular = [record for record in fair if not record["singular"]]
    others = [record for record in fits.values() if not record["is_likelihood"]]
    head = HEAD.format(
        fits=len(fits), fair=len(fair), sets=len({record["data"] for record in fits.values()}),
        singular=len(fair) - len(regular), others=len(others), date=found["date"][:10],
        versions=", ".join(f"{name} {version}" for name, version in found["versions"].items()),
    )  # fmt: skip
    parts = [head, markdown(SUMMARY_HEADER, summary_rows(fair, regular)), FIT_BY_FIT]
    for data in dict.fromkeys(record["data"] for record in fair):
        parts.append(f"### {data}")
        for title in dict.fromkeys(model(record) for record in fair if record["data"] == data):
            parts += [title, markdown(ROW_HEADER, [row(r) for r in fair if model(r) == title])]
    rows = [[cell(model(r)), f"{r['gain']:.2f}", f"{r['beta']:.2g}"] for r in others]
    return "\n\n".join([*parts, LME4, markdown(LME4_HEADER, rows)]) + "\n"


def summary_rows(fair: Iterable[Record], regular: Iterable[Record]) -> list[list[str]]:
    """The largest of each difference."""
    fair, regular = list(fair), list(regular)
    return [
        ["log-likelihood at their estimates, relative", largest(fair, "at_theirs"), "1e-7"],
        ["our optimum below theirs", size(max(0.0, *(-r["gain"] for r in fair))), "1e-4"],
        ["our optimum above theirs", size(max(r["gain"] for r in fair)), ""],
        ["coefficients, in standard errors", largest(fair, "beta"), "1e-3"],
        ["standard errors, relative", largest(regular, "se"), "1e-3"],
        ["evaluations of likelihood and gradient", str(max(r["evaluations"] for r in fair)), "15"],
    ]


def largest(records: Iterable[Record], part: str) -> str:
    """The largest difference, with its model."""
    record = max(records, key=lambda record: record[part])
    return f"{size(record[part])} ({record['data']}, {record['engine'].split()[0]})"


def row(record: Record) -> list[str]:
    """One fit."""
    return [
        record["engine"].removesuffix(" R script, no mixed-model engine"),
        record["likelihood"],
        f"{record['loglik']:.4f}",
        size(record["at_theirs"]),
        size(record["gain"]),
        size(record["beta"]),
        "singular" if record["singular"] else size(record["se"]),
    ]


def model(record: Record) -> str:
    """Formula and family."""
    return f"`{record['formula']}`, {record['family']}"


def cell(text: str) -> str:
    """The text in a cell of a table."""
    return text.replace("|", "\\|")


def size(difference: float) -> str:
    """One digit of a difference."""
    text = f"{difference:.0e}".replace("e-0", "e-")
    return text if abs(difference) >= LEAST else "< 1e-9"


HEAD = """\
# Accuracy

Made by `python -m benchmarks accuracy`, which fits all models again and compares: {date},
{versions}. `tests/reference` holds {fits} fits of {sets} data sets by lme4, glmmTMB
and by R code written for the purpose (`direct`: the stated likelihood, summed or integrated by
brute force, and general optimisers, in which no mixed-model package takes part), with the scripts
that made them. `make test` compares all of them, and more of each than stands here.

Two questions are asked of every fit. Is the formula the same? Our log-likelihood, with all its
constants, is evaluated at *their* estimates. Is the optimum found? Our own fit is compared with
theirs, coefficients in units of their standard errors.

For {fair} of the fits the criterion is a likelihood. The largest differences of them all (standard
errors without the {singular} singular fits, where a parameter on its bound makes theirs depend on
how they were computed):"""
SUMMARY_HEADER = ["difference", "largest", "the tests allow"]
FIT_BY_FIT = """\
## Fit by fit

*At theirs*: our log-likelihood at their estimates against the one they report, relative. *Gain*:
how much higher the log-likelihood is at our optimum than at their estimates. *beta*: the largest
difference of a coefficient, in standard errors. *SE*: the largest relative difference of a standard
error. Laplace's approximation has two forms, with the observed and with the expected information;
glmmTMB has the first, lme4 the second, here both (`GlmerControl(laplace_weights=...)`)."""
ROW_HEADER = ["by", "likelihood", "log-likelihood", "at theirs", "gain", "beta", "SE"]
LME4 = """\
## Where lme4 has another criterion

For families with a dispersion (Gamma, inverse Gaussian, gaussian with a link other than the
identity) lme4 maximises a criterion in which the random effects are not scaled by the dispersion
that it reports. It is not the likelihood of the model it describes, and at its estimates
that likelihood is lower than at ours, by so much; the fits of the same models by glmmTMB and
by direct integration stand above and agree with ours. `tests/reference/SOURCE.md` has the
details."""
LME4_HEADER = ["model", "log-likelihood lost", "beta, in standard errors"]
