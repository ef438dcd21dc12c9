"""One model, written or stored in several ways: every method says the same."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import MixedlmError
from tests.every_method import METHODS, OPTIONAL, PRINTS, SLOW, calls, cbpp_with_x
from tests.every_model.numbers import assert_same_numbers, numbers

# Formulas and figures hold no numbers to compare; the model frame shows the columns as written.
WITHOUT_NUMBERS = {
    "augment",
    "checkConv",
    "dotplot",
    "formula",
    "isSingular",
    "model_frame",
    "plot",
    "plot_diagnostics",
    "plot_effects",
    "prior_summary",
    "qqmath",
    "to_pymc",
    *PRINTS,
}
COMPARED = [name for name in METHODS if name not in SLOW | OPTIONAL | WITHOUT_NUMBERS]
BINOMIAL = {
    "s / n": ("incidence / size", None),
    "cbind": ("cbind(incidence, size - incidence)", None),
    "cbind of columns": ("cbind(incidence, healthy)", None),
    "proportion": ("share", "size"),
}


@pytest.fixture(scope="module")
def herds():
    data = cbpp_with_x()
    return data.assign(
        healthy=data["size"] - data["incidence"], share=data["incidence"] / data["size"]
    )


@pytest.fixture(scope="module")
def binomial_forms(herds):
    return {
        form: mlm.glmer(f"{y} ~ period + x + (1 | herd)", herds, weights=w)
        for form, (y, w) in BINOMIAL.items()
    }


@pytest.mark.parametrize("name", COMPARED)
def test_binomial_responses_of_all_forms_agree_in_every_method(binomial_forms, herds, name):
    results = {}
    for form, fit in binomial_forms.items():
        for k, arguments in enumerate(calls(name, fit)):
            if "large" in arguments:
                arguments["large"] = fit.update(". ~ . + log(size)")
            results[k, form] = getattr(fit, name)(**arguments)
    for (k, form), result in results.items():
        if form != "s / n":
            assert_same_numbers(result, results[k, "s / n"], 1e-6)


def test_successes_in_single_rows_give_the_estimates_of_counts(herds, binomial_forms):
    single = herds.loc[herds.index.repeat(herds["size"])]
    rank = single.groupby(level=0).cumcount()
    single = single.assign(ill=(rank < single["incidence"]).astype(int)).reset_index(drop=True)
    one = mlm.glmer("ill ~ period + x + (1 | herd)", single)
    counts = binomial_forms["s / n"]
    for name, arguments in [
        ("fixef", {}),
        ("vcov", {"full": True}),
        ("vcov", {"type": "rx"}),
        ("vcov", {"type": "sandwich"}),
        ("ranef", {"condVar": True}),
        ("confint", {}),
        ("confint", {"method": "profile", "parm": ["sd_(Intercept)|herd", "period2"]}),
        ("emmeans", {"specs": "period", "at": {"x": 0.5}}),
        ("drop1", {"test": "Chisq"}),
        ("anova", {"type": 3}),
        ("influence", {"groups": "herd"}),
    ]:
        a, b = (getattr(fit, name)(**arguments) for fit in (one, counts))
        if name == "drop1":
            # The likelihoods differ by the binomial coefficients.
            a, b = a.table["LRT"].iloc[1:], b.table["LRT"].iloc[1:]
        assert_same_numbers(a, b, 1e-5)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    n = 90
    data = pd.DataFrame(
        {
            "g": [f"g{k}" for k in np.repeat(np.arange(9), 10)],
            "x": rng.normal(size=n),
            "t": rng.choice(["a", "b", "c"], n),
            "w": rng.choice([1, 2], n),
        }
    )
    eta = 0.5 + 0.4 * data["x"] + 0.3 * (data["t"] == "b") + np.repeat(0.6 * rng.normal(size=9), 10)
    return data.assign(y=rng.poisson(np.exp(eta) * rng.gamma(3.0, 1 / 3.0, n)))


@pytest.fixture(scope="module")
def weighted(counts):
    return mlm.glmer("y ~ x + t + (1 | g)", counts, "poisson", weights="w")


# Averages over rows (covariates of emmeans, R2) count rows, not weights, as R's do.
BY_ROW = [
    ("predict", {}),
    ("predict", {"re_form": "~0"}),
    ("predict", {"re_form": "marginal"}),
    ("fitted", {}),
    ("residuals", {"type": "response"}),
    ("residuals", {"type": "working"}),
]
OF_THE_MODEL = [
    ("fixef", {}),
    ("vcov", {"full": True}),
    ("vcov", {"type": "sandwich"}),
    ("ranef", {"condVar": True}),
    ("confint", {"method": "profile"}),
    ("drop1", {}),
    ("anova", {"type": 3}),
    ("deviance", {}),
    ("logLik", {}),
    ("influence", {"groups": "g"}),
    ("influence", {"groups": "g", "exact": True}),
    ("emmeans", {"specs": "t", "at": {"x": 0.0}}),
    ("marginal_coefs", {}),
]


def test_weight_two_is_a_row_twice_in_every_method(counts, weighted):
    rows = np.repeat(np.arange(len(counts)), counts["w"])
    twice = mlm.glmer("y ~ x + t + (1 | g)", counts.iloc[rows].reset_index(drop=True), "poisson")
    for name, arguments in OF_THE_MODEL:
        a, b = (getattr(fit, name)(**arguments) for fit in (weighted, twice))
        assert_same_numbers(a, b, 1e-5)
    for name, arguments in BY_ROW:
        a, b = (getattr(fit, name)(**arguments) for fit in (weighted, twice))
        np.testing.assert_allclose(a[rows], b, rtol=1e-6, atol=1e-9)
    for kind in ("pearson", "deviance"):
        sums = [(fit.residuals(kind) ** 2).sum() for fit in (weighted, twice)]
        assert sums[0] == pytest.approx(sums[1], rel=1e-8)
    assert weighted.hatvalues().sum() == pytest.approx(twice.hatvalues().sum(), rel=1e-8)


@pytest.mark.parametrize("family", ["poisson", "nbinom2", "quasipoisson"])
def test_a_row_without_weight_counts_as_absent(counts, family):
    w = (np.arange(len(counts)) % 6 != 0).astype(float)
    zero = mlm.glmer("y ~ x + t + (1 | g)", counts, family, weights=w)
    absent = mlm.glmer("y ~ x + t + (1 | g)", counts[w > 0], family)
    assert zero.nobs() == absent.nobs() == (w > 0).sum()
    assert zero.phi == pytest.approx(absent.phi, rel=1e-6)
    names = ["fixef", "vcov", "confint", "df_residual", "ranef", "overdispersion"]
    if family != "quasipoisson":
        names += ["BIC", "AICc", "drop1"]
    for name in names:
        assert_same_numbers(getattr(zero, name)(), getattr(absent, name)(), 1e-5)
    np.testing.assert_allclose(zero.predict()[w > 0], absent.predict(), rtol=1e-6)


def test_the_order_of_the_rows_does_not_matter(counts, weighted):
    order = np.random.default_rng(1).permutation(len(counts))
    shuffled = mlm.glmer("y ~ x + t + (1 | g)", counts.iloc[order], "poisson", weights="w")
    for name, arguments in OF_THE_MODEL:
        a, b = (getattr(fit, name)(**arguments) for fit in (shuffled, weighted))
        assert_same_numbers(a, b, 1e-5)
    for name, arguments in [*BY_ROW, ("hatvalues", {}), ("cooks_distance", {}), ("weights", {})]:
        a, b = (getattr(fit, name)(**arguments) for fit in (shuffled, weighted))
        np.testing.assert_allclose(a, b[order], rtol=1e-6, atol=1e-9)


def test_names_of_levels_do_not_matter(counts, weighted):
    names = {f"g{k}": f"z{9 - k}" for k in range(9)}
    renamed = mlm.glmer(
        "y ~ x + t + (1 | g)", counts.assign(g=counts["g"].map(names)), "poisson", weights="w"
    )
    for name, arguments in OF_THE_MODEL:
        a, b = (getattr(fit, name)(**arguments) for fit in (renamed, weighted))
        if name == "influence":
            a, b = a.to_frame().loc[list(names.values())], b.to_frame()
        if name == "ranef":
            a, b = a["g"].loc[list(names.values())], b["g"]
        assert_same_numbers(a, b, 1e-5)


@pytest.mark.parametrize("container", ["polars", "dict"])
def test_every_container_of_the_data_gives_the_same(counts, weighted, container):
    import polars as pl

    data = pl.from_pandas(counts) if container == "polars" else counts.to_dict("list")
    other = mlm.glmer("y ~ x + t + (1 | g)", data, "poisson", weights="w")
    assert str(other.summary()) == str(weighted.summary())
    new = {"x": [0.0, 1.0], "t": ["a", "c"], "g": ["g1", "g2"]}
    new_other = pl.DataFrame(new) if container == "polars" else new
    for name in [*COMPARED, "augment", "model_frame"]:
        for a, b in zip(arguments_of(name, other), arguments_of(name, weighted), strict=True):
            results = [called(other, name, a, new_other), called(weighted, name, b, new)]
            if isinstance(results[0], str):
                assert results[0] == results[1]
            elif any(True for _ in numbers(results[1])):
                assert_same_numbers(*results, 1e-10)


def arguments_of(name, fit):
    """The calls of `every_method`, for the columns of these data."""
    for arguments in calls(name, fit) if name != "pb_lrt" else [{"nsim": 3, "seed": 2}]:
        if name == "allFit":
            arguments = {"optimizers": "BFGS"}
        renamed = {"specs": "t", "large": None, "groups": "g", "parm": "x", "which": "x"}
        given = {key: renamed.get(key, value) for key, value in arguments.items()}
        yield given | ({"large": None} if name == "pb_lrt" else {})


def called(fit, name, arguments, new):
    if name == "pb_lrt":
        arguments = {**arguments, "large": fit.update(". ~ . + I(x^2)")}
    if "newdata" in arguments:
        arguments = {**arguments, "newdata": new}
    try:
        return getattr(fit, name)(**arguments)
    except MixedlmError as error:
        return str(error)
