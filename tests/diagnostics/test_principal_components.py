from dataclasses import replace

import numpy as np
import pytest

import mixedlm_pt as mlm


def test_components_are_those_of_lme4():
    # lme4 1.1-31: rePCA(glmer(use ~ urban + age + (urban | district), Contraception, binomial))
    fit = mlm.glmer("use ~ urban + age + (urban | district)", mlm.load_contraception())
    found = fit.rePCA()["district"]
    np.testing.assert_allclose(found.sdev, [0.9695387117, 0.2936302401], rtol=2e-3)
    expected = [[0.5613953548, 0.8275477362], [0.8275477362, 0.5613953548]]
    np.testing.assert_allclose(np.abs(found.rotation), expected, rtol=2e-3)
    np.testing.assert_allclose(found.proportion, [0.9159800, 0.0840200], rtol=3e-3)
    assert list(found.rotation.index) == ["(Intercept)", "urbanY"]


def test_components_rebuild_the_covariance_and_terms_of_a_group_are_together():
    fit = mlm.glmer("Reaction ~ Days + (Days || Subject)", mlm.load_sleepstudy(), "gaussian")
    found = fit.rePCA()["Subject"]
    covariance = found.rotation.to_numpy() @ np.diag(found.sdev**2) @ found.rotation.to_numpy().T
    sd = [float(fit.theta[0]), float(fit.theta[1])]
    np.testing.assert_allclose(covariance, np.diag(np.square(sd)), atol=1e-9)


def test_a_direction_without_variance_has_a_zero():
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy(), "gaussian")
    theta = np.array([20.0, -5.0, 0.0])
    singular = fit.replace(estimate=replace(fit.estimate, theta=theta))
    found = singular.rePCA()["Subject"]
    assert found.sdev.iloc[1] == pytest.approx(0.0, abs=1e-12)
    assert found.to_frame().loc["Cumulative Proportion", "PC1"] == pytest.approx(1.0)


def test_text_and_html_name_the_groups():
    fit = mlm.glmer("TICKS ~ 1 + (1 | BROOD) + (1 | LOCATION)", mlm.load_grouseticks(), "poisson")
    found = fit.rePCA()
    assert list(found) == ["BROOD", "LOCATION"]
    assert "Principal components of LOCATION" in str(found)
    assert found._repr_html_().count("<table") == 2
    assert str(mlm.glmer("TICKS ~ 1", mlm.load_grouseticks(), "poisson").rePCA()) == (
        "No random effects."
    )
