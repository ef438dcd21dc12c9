"""Simulation-based calibration of the posteriors: ranks of true values among their draws.

Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788. Parameters are drawn from
the prior and data from the model; over many such data sets the rank of the truth among independent
posterior draws is uniform if, and for enough quantities only if, the posterior is right. Priors and
data are drawn here, with NumPy and SciPy alone.
"""

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from benchmarks.calibration_page import write_page
from benchmarks.results import RESULTS, Record, machine
from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes import LKJ, Exponential, Normal, PosteriorResult
from mixedlm_pt.design import replace_response
from mixedlm_pt.errors import DataError, MixedlmWarning
from mixedlm_pt.tasks import run_tasks, spawn_seeds

OUT = RESULTS / "bayes-calibration.json"
TARGETS = ("full", "laplace")
# Written to the file together; as many are lost when a run is stopped.
BATCH = 10
# Chains become this many times longer, as often, where there are fewer effective draws than ranks.
LONGER, EXTENSIONS = 3, 2


@dataclass(frozen=True)
class Study:
    """A model, its priors, and its own simulator.

    ``eta = beta_0 + beta_1 x + b`` with x from 0 to 1 in every group, so that centring, and with it
    the meaning of the intercept's prior, matters.

    Attributes
    ----------
    formula, family : str
    groups, rows : int
        Rows are those of each group.
    trials : int
        Of a binomial row.
    location, scale : float
        Normal prior of the intercept at the mean of x.
    slope : float
        Scale of the normal prior of beta_1.
    rate : float
        Exponential prior of standard deviations.
    eta : float
        LKJ prior of the correlation, where the slope varies by group, too.
    theta : float
        Rate of the exponential prior of a negative binomial's shape.
    """

    formula: str
    family: str
    groups: int = 12
    rows: int = 6
    trials: int = 1
    location: float = 0.0
    scale: float = 1.0
    slope: float = 1.0
    rate: float = 1.5
    eta: float = 2.0
    theta: float = 0.5

    @property
    def has_slopes(self) -> bool:
        """Whether the slope varies by group."""
        return "(x | g)" in self.formula

    @property
    def frame(self) -> pd.DataFrame:
        """The design."""
        g = np.repeat(np.arange(self.groups), self.rows)
        x = np.tile(np.linspace(0.0, 1.0, self.rows), self.groups)
        return pd.DataFrame({"trials": self.trials, "x": x, "g": pd.Categorical(g)})

    @property
    def priors(self) -> dict[str, Any]:
        """As `sample` takes them."""
        priors: dict[str, Any] = {
            "(Intercept)": Normal(self.location, self.scale),
            "x": Normal(0.0, self.slope),
            "sd": Exponential(self.rate),
        }
        if self.has_slopes:
            priors["corr"] = LKJ(self.eta)
        if self.family == "negative_binomial":
            priors["theta"] = Exponential(self.theta)
        return priors

    def truth(self, rng: np.random.Generator) -> dict[str, FloatArray]:
        """A draw from the prior: beta, sd, correlation, theta and b, with a first axis of one."""
        k = 1 + self.has_slopes
        centred, slope = rng.normal(self.location, self.scale), rng.normal(0.0, self.slope)
        sd = rng.exponential(1.0 / self.rate, k)
        # With two effects the LKJ distribution is a symmetric beta distribution on (-1, 1).
        rho = 2.0 * rng.beta(self.eta, self.eta) - 1.0
        b = rng.normal(size=(self.groups, 2)) @ np.array([[1.0, rho], [0.0, np.sqrt(1 - rho**2)]])
        beta = [centred - self.frame["x"].mean() * slope, slope]
        theta = rng.exponential(1.0 / self.theta)
        found = {"beta": np.array(beta), "sd": sd, "b": b[:, :k] * sd, "theta": np.array(theta)}
        return {name: value[None] for name, value in (found | {"rho": np.array(rho)}).items()}

    def distribution(self, values: dict[str, FloatArray]) -> Any:
        """SciPy's distribution of the response, (S, n), for S values of beta, b and theta."""
        import scipy.stats as st

        table = self.frame
        x, g = table["x"].to_numpy(), table["g"].cat.codes.to_numpy()
        b = values["b"][:, g]
        eta = values["beta"][:, :1] + values["beta"][:, 1:] * x + b[..., 0]
        if self.has_slopes:
            eta = eta + b[..., 1] * x
        if self.family == "binomial":
            return st.binom(self.trials, 1.0 / (1.0 + np.exp(-eta)))
        mu = np.exp(eta)
        if self.family == "poisson":
            return st.poisson(mu)
        theta = values["theta"][:, None]
        return st.nbinom(theta, theta / (theta + mu))

    def response(self, rng: np.random.Generator, truth: dict[str, FloatArray]) -> FloatArray:
        """A draw from the model, (n,): counts, also where they are of trials."""
        size = (1, self.groups * self.rows)
        return np.asarray(self.distribution(truth).rvs(size, rng)[0], dtype=float)

    def values(self, posterior: PosteriorResult) -> dict[str, FloatArray]:
        """The same quantities of the posterior, (S, ...)."""
        draws = posterior.data["posterior"].dataset.stack(s=("chain", "draw"), create_index=False)
        names = {"beta": "beta", "sd": "sd_g", "b": "b_g"}
        if self.has_slopes:
            names["corr"] = "corr_g"
        if self.family == "negative_binomial":
            names["theta"] = "theta"
        found = {own: draws[name].transpose("s", ...).to_numpy() for own, name in names.items()}
        if self.has_slopes:
            found["rho"] = found.pop("corr")[:, 1, 0]
        return found

    def quantities(self, values: dict[str, FloatArray], y: FloatArray) -> dict[str, FloatArray]:
        """What is ranked: parameters, two random effects and the log-likelihood, each (S,).

        Functions of data and parameters find errors that parameters alone cannot: Modrák et al.
        (2025), Bayesian Analysis 20, 461-488.
        """
        found = {"beta_0": values["beta"][:, 0], "beta_1": values["beta"][:, 1]}
        found["sd_0"] = values["sd"][:, 0]
        if self.has_slopes:
            found |= {"sd_1": values["sd"][:, 1], "rho": values["rho"]}
        if self.family == "negative_binomial":
            found["theta"] = values["theta"]
        found |= {"b_1": values["b"][:, 0, 0], "b_2": values["b"][:, 1, -1]}
        pmf = self.distribution(values)
        return found | {"log-likelihood": pmf.logpmf(y).sum(axis=1)}


STUDIES = {
    "binomial": Study("y / trials ~ x + (1 | g)", "binomial", trials=5),
    "poisson": Study("y ~ x + (x | g)", "poisson", location=0.5, scale=0.7, slope=0.5, rate=2.0),
    "negative binomial": Study("y ~ x + (1 | g)", "negative_binomial", location=1.0, slope=0.5),
}


@dataclass(frozen=True)
class Settings:
    """Of each posterior; ranks are among ``ranks`` draws, thinned evenly from all chains."""

    draws: int = 500
    tune: int = 500
    chains: int = 2
    ranks: int = 99


def calibration(
    studies: Sequence[str],
    targets: Sequence[str],
    replicates: int,
    jobs: int,
    seed: int,
    out: Path,
    document: Path,
) -> None:
    """Run the replicates that ``out`` does not have yet, and write the page of all.

    Parameters
    ----------
    studies, targets : sequence of str
    replicates : int
    jobs : int
        Processes; the results do not depend on them.
    seed : int
    out : Path
        Written after every few replicates; an interrupted run goes on from there.
    document : Path
        The page; its figures are in a folder beside it.
    """
    settings = Settings()
    found: Record = json.loads(out.read_text()) if out.exists() else {"runs": {}}
    found["machine"] = machine()
    for name in studies:
        for target in targets:
            header = {"seed": seed, **asdict(settings), "study": asdict(STUDIES[name])}
            run = found["runs"].setdefault(f"{name}, {target}", header | {"replicates": {}})
            if any(run[key] != value for key, value in header.items()):
                raise SystemExit(
                    f"{out} has other settings of {name}, {target}; give another --out."
                )
            seeds = dict(enumerate(spawn_seeds(seed, replicates)))
            left = [(i, child) for i, child in seeds.items() if str(i) not in run["replicates"]]
            work = partial(replicate, study=STUDIES[name], target=target, settings=settings)
            for batch in batched(left, BATCH * jobs):
                began = time.perf_counter()
                done = run_tasks(work, batch, label=f"{name}, {target}", n_jobs=jobs)
                run["replicates"] |= {str(record.pop("replicate")): record for record in done}
                out.write_text(json.dumps(found) + "\n")
                seconds = time.perf_counter() - began
                print(f"{name}, {target}: {len(done)} replicates in {seconds:.0f} s", flush=True)
                if len(done) < len(batch):
                    return
    write_page(found, document)


def replicate(
    task: tuple[int, np.random.SeedSequence], *, study: Study, target: str, settings: Settings
) -> Record:
    """Ranks of one simulated data set."""
    number, seed = task
    rng = np.random.default_rng(seed)
    truth = study.truth(rng)
    y = study.response(rng, truth)
    fit, is_constant = starting_fit(study, y)
    began, draws = time.perf_counter(), settings.draws
    for extension in range(EXTENSIONS + 1):
        posterior = fit.sample(
            draws,
            settings.tune,
            settings.chains,
            cores=1,
            random_seed=int(rng.integers(2**31)),
            priors=study.priors,
            target=target,
            progressbar=False,
        )
        quantities = study.quantities(study.values(posterior), y)
        ess = smallest_ess(quantities, settings.chains)
        if ess >= settings.ranks or extension == EXTENSIONS:
            break
        draws *= LONGER
    true = study.quantities(truth, y)
    kept = np.linspace(0, draws * settings.chains - 1, settings.ranks).astype(int)
    return {
        "replicate": number,
        "ranks": {name: int((q[kept] < true[name]).sum()) for name, q in quantities.items()},
        "ess": round(ess, 1),
        "draws": draws,
        "divergences": posterior.n_divergences,
        "constant": is_constant,
        "seconds": round(time.perf_counter() - began, 2),
    }


def starting_fit(study: Study, y: FloatArray) -> tuple[Any, bool]:
    """The ML fit of the response, and whether it is constant.

    No data set is left out, which would make the ranks wrong: singular fits and separation are
    fitted as they are, and where all responses are equal, which `glmer` refuses, the sampler starts
    at the fit of other data.
    """
    table = study.frame
    other = np.random.default_rng(0).poisson(2.0, len(table)) % (1 + max(study.trials, 3))
    response = y / study.trials
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedlmWarning)
        template = mlm.glmer(study.formula, table.assign(y=other), study.family)
        try:
            return template.refit(response), False
        except DataError:
            design = replace_response(template.design, pd.Series(response))
            return template.replace(model=template.model.with_design(design)), True


def smallest_ess(quantities: dict[str, FloatArray], chains: int) -> float:
    """The smallest effective sample size of all quantities."""
    import arviz as az

    data = {name: values.reshape(chains, -1) for name, values in quantities.items()}
    found = az.ess(az.from_dict({"posterior": data}))
    return float(min(found[name].item() for name in data))
