"""The tutorial that users of mixedlm know runs block by block, and means what it says.

``tutorial.md`` is a verbatim copy. Two things are written differently when its code is run: the
package's name, and the elision ``mlm.glmer(..., control=control)``, which is filled in.
"""

import ast
import contextlib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm

TEXT = Path(__file__).with_name("tutorial.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^( *)```python\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
ELISION = "mlm.glmer(..., control=control)"
FILLED_IN = 'mlm.glmer("y ~ x + (1 | g)", data, control=control)'

MIXED_MODELS = ("Random Slopes", "Uncorrelated Random Effects")


@dataclass(frozen=True)
class Block:
    """One block of code under its headings."""

    section: str
    heading: str
    code: str

    @property
    def name(self):
        return self.heading or self.section


@dataclass
class Run:
    """What a block left behind."""

    value: object = None
    printed: str = ""
    names: dict = field(default_factory=dict)
    error: Exception | None = None


def blocks():
    """All blocks of code in the order of the text."""
    found = []
    for match in FENCE.finditer(TEXT):
        before = TEXT[: match.start()]
        section = re.findall(r"^## (.*)$", before, re.MULTILINE)[-1]
        inside = before.rsplit(f"## {section}\n", 1)[1]
        headings = re.findall(r"^### (.*)$", inside, re.MULTILINE)
        indent = len(match.group(1))
        code = "".join(line[indent:] for line in match.group(2).splitlines(keepends=True))
        found.append(Block(section, headings[-1] if headings else "", code))
    return found


BLOCKS = blocks()


def simulated_data():
    """Rows with every column that the blocks name: counts and 0/1 responses with known effects."""
    rng = np.random.default_rng(7)
    n_subjects, n_times = 60, 20
    n = n_subjects * n_times
    subject = np.repeat(np.arange(n_subjects), n_times)
    data = pd.DataFrame(
        {
            "subject": subject,
            "time": np.tile(np.linspace(-1.0, 1.0, n_times), n_subjects),
            "g": rng.integers(0, 30, n),
            "group": rng.integers(0, 25, n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "treatment": np.where(subject % 2 == 0, "control", "drug"),
        }
    )
    slopes = rng.multivariate_normal([0.0, 0.0], [[0.8, 0.3], [0.3, 1.0]], n_subjects)[subject]
    eta = 0.3 + 0.8 * data["x"] + 0.5 * data["z"] + 0.6 * data["time"]
    eta += slopes[:, 0] + slopes[:, 1] * data["time"]
    eta += rng.normal(0.0, 0.7, 30)[data["g"]] + rng.normal(0.0, 0.7, 25)[data["group"]]
    data["y"] = rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))
    log_mu = 0.5 + 0.7 * (data["treatment"] == "drug") + 0.2 * data["x"]
    mu = np.exp(log_mu + rng.normal(0.0, 0.5, n_subjects)[subject])
    # Overdispersed: variance mu + mu^2 / 2.
    data["count"] = rng.negative_binomial(2.0, 2.0 / (2.0 + mu))
    return data


def run_block(code, namespace):
    """Run a block; its value is that of a last line that is an expression."""
    code = code.replace("import mixedlm as mlm", "import mixedlm_pt as mlm")
    code = code.replace("from mixedlm", "from mixedlm_pt").replace(ELISION, FILLED_IN)
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    run, output = Run(), io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(tree, "tutorial.md", "exec"), namespace)  # noqa: S102
        if last is not None:
            expression = compile(ast.Expression(last.value), "tutorial.md", "eval")
            run.value = eval(expression, namespace)  # noqa: S307
    run.printed, run.names = output.getvalue(), dict(namespace)
    return run


@pytest.fixture(scope="module")
def runs():
    """All blocks run as one session on cbpp and on the simulated data."""
    namespace = {"data": simulated_data()}
    finished = []
    for block in BLOCKS:
        try:
            finished.append(run_block(block.code, namespace))
        except Exception as error:  # noqa: BLE001 -- test_block reports it
            finished.append(Run(error=error, names=dict(namespace)))
    return finished


@pytest.fixture(scope="module")
def runs_of(runs):
    """The runs of the blocks under a heading."""
    by_name = {}
    for block, run in zip(BLOCKS, runs, strict=True):
        by_name.setdefault(block.name, []).append(run)
    return MappingProxyType(by_name)


def test_every_block_of_the_tutorial_was_found():
    assert TEXT.count("```python") == len(BLOCKS) == 23
    assert ELISION in TEXT


@pytest.mark.parametrize("i", range(len(BLOCKS)), ids=lambda i: f"{i}-{BLOCKS[i].name}")
def test_block_runs(runs, i):
    if runs[i].error is not None:
        raise runs[i].error


def test_the_data_are_cbpp(runs_of):
    run = runs_of["Example: CBPP Data"][0]
    assert list(run.names["cbpp"]) == ["herd", "incidence", "size", "period"]
    assert run.names["cbpp"].shape == (56, 4)
    assert "incidence" in run.printed


def test_the_first_model_is_lme4s(runs_of):
    run = runs_of["Fitting a Binomial GLMM"][0]
    # lme4 1.1-31 with tight tolerances: -1.39853, -0.99233, -1.12867, -1.58031, sd 0.64226.
    expected = [-1.39853, -0.99233, -1.12867, -1.58031]
    assert run.names["model"].fixef().tolist() == pytest.approx(expected, abs=2e-5)
    for block in ("Family: binomial ( logit )", "Random effects:", "Fixed effects:", "herd, 15"):
        assert block in run.printed


def test_the_links_are_those_named(runs_of):
    run = runs_of["Link Functions"][0]
    assert run.value.link.name == "cloglog"
    assert mlm.families.Binomial().link.name == "logit"
    assert mlm.families.Binomial(link="probit").link.name == "probit"


def test_odds_ratios_are_exponentiated_coefficients(runs_of):
    run = runs_of["Interpreting Coefficients"][0]
    ratios = run.names["odds_ratios"]
    assert list(ratios) == ["(Intercept)", "period2", "period3", "period4"]
    assert ratios["period2"] == pytest.approx(np.exp(-0.99233), abs=1e-4)


def test_rate_ratios_recover_the_treatment(runs_of):
    run = runs_of["Poisson GLMM"][1]
    assert list(run.names["rate_ratios"]) == ["(Intercept)", "treatmentdrug"]
    assert np.log(run.names["rate_ratios"]["treatmentdrug"]) == pytest.approx(0.7, abs=0.4)


def test_glmer_nb_estimates_the_shape(runs_of):
    model = runs_of["Negative Binomial GLMM"][0].names["model"]
    assert model.family.name == "negative_binomial"
    # The data have theta = 2, less the variation by x that the model leaves out.
    assert model.phi == pytest.approx(2.0, abs=0.4)
    assert model.logLik().df == 4
    fixed = mlm.glmer(
        "count ~ treatment + (1 | subject)",
        simulated_data(),
        family=mlm.families.NegativeBinomial(theta=2.0),
    )
    assert fixed.logLik().df == 3
    assert fixed.logLik() < model.logLik()


def test_the_poisson_model_shows_its_overdispersion(runs_of):
    model = runs_of["Checking for Overdispersion"][0].names["pois_model"]
    # "If ratio >> 1, consider negative binomial".
    assert model.deviance() / model.df_residual() > 1.5
    assert model.overdispersion().ratio > 1.5


def test_quadrature_and_laplace_are_close_on_one_scale(runs_of):
    laplace = runs_of["Laplace Approximation"][0].names["model"]
    quadrature = runs_of["Adaptive Gauss-Hermite Quadrature"][0].names["model"]
    assert (laplace.approximation.nAGQ, quadrature.approximation.nAGQ) == (1, 10)
    assert quadrature.logLik() == pytest.approx(laplace.logLik(), abs=1.0)
    assert quadrature.logLik() != laplace.logLik()
    with pytest.raises(mlm.errors.ArgumentError, match="exactly one random-effects term"):
        mlm.glmer("y ~ time + (time | subject)", simulated_data(), nAGQ=10)


def test_the_families_have_their_names(runs_of):
    run = runs_of["Available Families"][0]
    assert run.value.name == "inverse_gaussian"
    assert run.names["families"].NegativeBinomial(theta=2.0).fixed_phi == 2.0


def test_the_quasi_family_is_quasibinomial(runs_of):
    family = runs_of["Custom Families"][0].names["quasi_binom"]
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp(), family=family)
    plain = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    np.testing.assert_allclose(fit.fixef(), plain.fixef(), atol=1e-6)
    errors = np.sqrt(np.diag(fit.vcov())) / np.sqrt(np.diag(plain.vcov()))
    np.testing.assert_allclose(errors, np.sqrt(fit.phi), rtol=1e-4)


def test_random_slopes_have_a_correlation_only_with_one_bar(runs_of):
    one, two = (runs_of[name][0].names["model"] for name in MIXED_MODELS)
    assert one.logLik().df == two.logLik().df + 1
    assert list(one.VarCorr()) == ["subject"]
    assert list(two.VarCorr()) == ["subject", "subject.1"]
    assert one.logLik() >= two.logLik() - 1e-8


def test_the_likelihood_ratio_test_is_that_of_z(runs_of):
    run = runs_of["Likelihood Ratio Tests"][0]
    small, large = run.names["m1"], run.names["m2"]
    table = run.value.to_frame()
    assert table["Chisq"].iloc[1] == pytest.approx(2.0 * (large.logLik() - small.logLik()))
    assert table["Df"].iloc[1] == 1
    assert table["Pr(>Chisq)"].iloc[1] < 1e-6


def test_single_term_deletions_are_refits(runs_of):
    run = runs_of["Single Term Deletions"][0]
    table, model = run.value.to_frame(), run.names["model"]
    assert list(table.index) == ["<none>", "time"]
    without = mlm.glmer("y ~ 1 + (time || subject)", simulated_data())
    assert table.loc["time", "AIC"] == pytest.approx(without.AIC(), abs=1e-6)
    assert table.loc["time", "LRT"] == pytest.approx(
        2.0 * (model.logLik() - without.logLik()), abs=1e-6
    )


def test_predictions_are_on_the_scales_named(runs_of):
    eta, mu = runs_of["On the Link Scale"][0].value, runs_of["On the Response Scale"][0].value
    assert eta.shape == mu.shape == (1200,)
    np.testing.assert_allclose(mu, 1.0 / (1.0 + np.exp(-eta)))


def test_the_last_predictions_leave_the_random_effects_out(runs_of):
    run = runs_of["Marginal vs Conditional"][0]
    model, data = run.names["model"], run.names["data"]
    beta = model.fixef()
    eta = beta["(Intercept)"] + beta["time"] * data["time"]
    np.testing.assert_allclose(run.value, 1.0 / (1.0 + np.exp(-eta)))
    np.testing.assert_allclose(model.predict(newdata=data), model.fitted())


def test_the_control_is_used(runs_of):
    model = runs_of["Strategies"][0].names["model"]
    assert model.control.maxfun == 50000
    assert model.checkConv().ok


def test_all_optimisers_agree(runs_of):
    run = runs_of["Strategies"][1]
    logliks = run.value.to_frame()["logLik"]
    assert len(logliks) >= 5
    np.testing.assert_allclose(logliks, run.names["model"].logLik(), atol=1e-4)


def test_the_complete_example_prints_its_results(runs_of):
    run = runs_of["Complete Example"][0]
    model = run.names["model"]
    assert "nAGQ = 10" in run.printed
    assert f"  period2: {np.exp(model.fixef()['period2']):.3f}\n" in run.printed
    assert "(Intercept):" not in run.printed
    assert run.printed.endswith("Converged: True\n")
    assert run.names["probs"].shape == (56,)
    limits = run.names["ci"]
    assert list(limits.columns) == ["2.5 %", "97.5 %"]
    assert "sd_(Intercept)|herd" in limits.index
    estimates = model.fixef()
    assert (limits.loc[estimates.index, "2.5 %"] < estimates).all()
    assert (estimates < limits.loc[estimates.index, "97.5 %"]).all()
    # lme4 1.1-31, glmer(..., nAGQ = 10): -1.399224, -0.991409, -1.127810, -1.579481.
    assert estimates.tolist() == pytest.approx(
        [-1.399224, -0.991409, -1.127810, -1.579481], abs=2e-4
    )
