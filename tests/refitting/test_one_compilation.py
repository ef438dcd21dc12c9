"""One compilation serves all models of a structure."""

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import CompiledModel


@pytest.fixture
def compilations(monkeypatch):
    """Calls of the compiler."""
    calls = []
    compile_one = CompiledModel.function

    def counted(self, inputs, outputs, **options):
        calls.append(outputs)
        return compile_one(self, inputs, outputs, **options)

    monkeypatch.setattr(CompiledModel, "function", counted)
    return calls


def test_refits_compile_nothing(compilations):
    data = mlm.load_cbpp()
    data["z"] = np.linspace(-1.0, 1.0, len(data))
    # A family of our own makes a signature that no other test has compiled.
    family = mlm.families.CustomFamily(
        name="bernoulli",
        logp=lambda y, mean, phi: y * mean.log_mu + (1 - y) * mean.log1m_mu,
        link="logit",
        random=lambda rng, mu, phi, w: rng.binomial(1, mu).astype(float),
    )
    data["ill"] = (data["incidence"] > 1).astype(float)
    quiet = mlm.GlmerControl(check_singular=False)
    fit = mlm.glmer("ill ~ z + (1 | herd)", data, family, control=quiet)
    fit.refit(fit.simulate(2, seed=1))
    n_first = len(compilations)
    assert n_first > 0
    fit.refit(fit.simulate(3, seed=2))
    fit.bootMer(nsim=3, seed=2)
    fit.update(". ~ . + size")
    fit.update(". ~ period + (1 | herd)")
    fit.update(data=data.iloc[:40])
    fit.allFit(optimizers=["BFGS", "Nelder-Mead"])
    fit.power("z", {"z": 1.0}, nsim=2, extend={"herd": 20}, seed=3)
    fit.power("z", nsim=2, method="LRT", seed=3)
    assert len(compilations) == n_first


def test_cross_validation_compiles_nothing_after_the_first_fold(compilations):
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    fit.cross_validate(folds=2, groups="herd", seed=1)
    fit.cross_validate(folds=2, seed=1)
    compilations.clear()
    fit.cross_validate(folds=5, groups="herd", seed=2)
    fit.cross_validate(folds=5, seed=2)
    assert not compilations
