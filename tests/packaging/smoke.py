"""What a new environment has to be able to do with the wheel; run there, outside the checkout."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import mixedlm_pt as mlm

FORMULA = "incidence / size ~ period + (1 | herd)"


def check_wheel() -> None:
    """Import, load, fit, plot, sample, and the command line."""
    place = Path(mlm.__file__).resolve()
    assert place.is_relative_to(Path(sys.prefix).resolve()), place
    assert files("mixedlm_pt").joinpath("py.typed").is_file()
    for name in mlm.names():
        assert len(mlm.datasets.load(name)) == mlm.describe(name).n_rows

    fit = mlm.glmer(FORMULA, mlm.load_cbpp(), family="binomial")
    # lme4 1.1-31.
    assert abs(fit.logLik() - -92.0262818647571) < 1e-6
    assert "period4" in str(fit.summary())

    fit.plot().savefig("fit.png")
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")

    posterior = fit.sample(draws=100, tune=100, chains=2, cores=1, random_seed=1, progressbar=False)
    assert posterior.n_draws == 100
    assert abs(float(posterior.fixef()["period4"]) + 1.6) < 0.5

    program = [sys.executable, "-I", "-m", "mixedlm_pt"]
    subprocess.run([*program, "data", "cbpp", "--out", "cbpp.csv"], check=True)
    command = ["fit", "cbpp.csv", FORMULA, "--categorical", "period", "--out", "fit.json"]
    for called in (program, [str(Path(sys.executable).with_name("mixedlm_pt"))]):
        done = subprocess.run([*called, *command], check=True, capture_output=True, text=True)
        assert "-92.0     184.1" in done.stdout
        assert Path("fit.json").stat().st_size > 1000


if __name__ == "__main__":
    check_wheel()
