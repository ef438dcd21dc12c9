import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(scope="module")
def fits():
    data = mlm.load_salamanders()
    return {
        "null": mlm.glmer("count ~ 1 + (1 | site)", data, "poisson"),
        "mined": mlm.glmer("count ~ mined + (1 | site)", data, "poisson"),
        "nb": mlm.glmer("count ~ mined + (1 | site)", data, "nbinom2"),
    }


def test_weights_and_evidence_are_those_of_the_definition(fits):
    table = mlm.model_selection(**fits, criterion="AIC").to_frame()
    assert table.columns.tolist() == ["npar", "logLik", "AIC", "delta", "weight", "evidence"]
    assert table.index.tolist() == ["nb", "mined", "null"]
    assert table["AIC"].to_dict() == pytest.approx({name: fit.AIC() for name, fit in fits.items()})
    assert table["delta"].iloc[0] == 0
    assert table["weight"].sum() == pytest.approx(1)
    ratio = table["weight"].iloc[0] / table["weight"].iloc[1]
    assert table["evidence"].iloc[1] == pytest.approx(ratio)
    difference = fits["mined"].AIC() - fits["nb"].AIC()
    assert table["evidence"].iloc[1] == pytest.approx(np.exp(difference / 2))


def test_the_criterion_is_chosen(fits):
    bic = mlm.model_selection(*fits.values(), criterion="BIC").to_frame()
    assert bic["BIC"].tolist() == pytest.approx(sorted(fit.BIC() for fit in fits.values()))
    assert mlm.model_selection(**fits).to_frame()["AICc"].iloc[0] == fits["nb"].AICc()
    with pytest.raises(ArgumentError, match="unknown criterion 'WAIC'; known: AIC, AICc, BIC"):
        mlm.model_selection(**fits, criterion="WAIC")


def test_models_are_listed_with_their_families_where_these_differ(fits):
    assert mlm.model_selection(**fits).heading == (
        "Model selection by AICc",
        " null: count ~ 1 + (1 | site), Poisson(link='log')",
        " mined: count ~ mined + (1 | site), Poisson(link='log')",
        " nb: count ~ mined + (1 | site), NegativeBinomial(link='log')",
    )
    same = mlm.model_selection(null=fits["null"], mined=fits["mined"])
    assert same.heading[1] == " null: count ~ 1 + (1 | site)"


def test_likelihoods_on_different_scales_are_refused(fits):
    data = mlm.load_salamanders()
    gaussian = mlm.glmer("count ~ mined + (1 | site)", data, "gaussian")
    with pytest.raises(
        ArgumentError, match=r"different kinds of distribution \(discrete and continuous\)"
    ):
        mlm.model_selection(fits["null"], gaussian)
    shorter = mlm.glmer("count ~ 1 + (1 | site)", data[:600], "poisson")
    with pytest.raises(ArgumentError, match=r"different numbers of rows \(600 and 644\)"):
        mlm.model_selection(shorter, fits["mined"])
    nodes = mlm.glmer("count ~ 1 + (1 | site)", data, "poisson", nAGQ=5)
    with pytest.raises(ArgumentError, match="different numbers of quadrature nodes"):
        mlm.model_selection(nodes, fits["mined"])
    quasi = mlm.glmer("count ~ 1", data, mlm.families.QuasiFamily("poisson"))
    with pytest.raises(ArgumentError, match=r"model_selection\(\) does not exist for the family"):
        mlm.model_selection(fits["null"], quasi)
    with pytest.raises(ArgumentError, match=r"Unpack it: model_selection\(\*\*fits\)"):
        mlm.model_selection(fits)
    with pytest.raises(ArgumentError, match="at least one fit"):
        mlm.model_selection()


def test_a_hopeless_model_has_infinite_evidence_against_it():
    data = mlm.load_owls()
    formula = "SiblingNegotiation ~ FoodTreatment"
    fits = {name: mlm.glmer(formula, data, name) for name in ("poisson", "nbinom2")}
    table = mlm.model_selection(**fits).to_frame()
    assert table.loc["poisson", "delta"] > 1420
    assert table.loc["poisson", ["weight", "evidence"]].tolist() == [0.0, np.inf]


def test_too_few_rows_for_the_correction_leave_nothing_to_choose():
    data = pd.DataFrame({"y": [1.0, 3, 2, 6, 5], "x": np.arange(5.0), "z": [0.0, 1, 0, 1, 1]})
    fit = mlm.glmer("y ~ x + z", data, "gaussian")
    assert fit.AICc() == np.inf
    with pytest.raises(ArgumentError, match="AICc is infinite for every model"):
        mlm.model_selection(fit)
    null = mlm.glmer("y ~ 1", data, "gaussian")
    table = mlm.model_selection(fit, null).to_frame()
    assert table["weight"].tolist() == [1.0, 0.0]
