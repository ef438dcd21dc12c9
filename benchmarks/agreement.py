"""Our posteriors beside those of bambi and rstanarm under the same priors."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mixedlm_pt as mlm
from benchmarks.engines import ROOT
from benchmarks.results import Record, stamp
from benchmarks.samplers import PROBLEMS, SAMPLERS, Settings, process, summary
from benchmarks.table import markdown
from mixedlm_pt.bayes import PosteriorResult

# Long chains of the rivals, made once; the tests compare with them.
STORED = ROOT / "tests" / "bayes" / "data" / "rivals.json"
LONG = Settings(draws=4000, tune=1000, cores=1, limit=4 * 3600.0)


@dataclass(frozen=True)
class Pair:
    """A problem and the rival that has this very model; its priors are our preset of its name."""

    problem: str
    rival: str

    @property
    def engine(self) -> str:
        """The rival's engine that is faster to run."""
        return {"bambi": "bambi-nutpie"}.get(self.rival, self.rival)


PAIRS = (
    Pair("cbpp", "bambi"),
    Pair("cbpp", "rstanarm"),
    Pair("sleepstudy-independent", "bambi"),
    Pair("sleepstudy", "rstanarm"),
    Pair("VerbAgg", "bambi"),
    Pair("VerbAgg", "rstanarm"),
)


def agreement(remake: list[str], rivals: str | None, draws: int, document: Path) -> None:
    """Sample ours, compare with the rivals' stored summaries, and write the page.

    Parameters
    ----------
    remake : list of str
        Problems whose rivals are run again first.
    rivals : str, optional
        Python of the rivals.
    draws : int
        Ours a chain.
    document : Path
    """
    for pair in PAIRS:
        if pair.problem in remake:
            store(pair, rivals)
    stored, rows = json.loads(STORED.read_text()), []
    for pair in PAIRS:
        record = stored[pair.problem][pair.rival]
        posterior = own_posterior(pair, draws)
        for name, z in differences(posterior, record["parameters"]).items():
            rows.append([pair.problem, pair.rival, name.replace("|", "\\|"), *z])
        print(f"{pair.problem}, {pair.rival}: done", flush=True)
    write_page(stored, rows, draws, document)


def store(pair: Pair, rivals: str | None) -> None:
    """Run the rival and keep its summary.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    engine = SAMPLERS[pair.engine]
    command = engine.command(rivals)
    if command is None:
        raise RuntimeError(f"{pair.rival} is absent; name its python with --rivals.")
    with tempfile.TemporaryDirectory(prefix="agreement-") as folder:
        task = PROBLEMS[pair.problem].write(Path(folder))
        record = process(engine, command, task, LONG, Path(folder))
    if record["failure"]:
        raise RuntimeError(f"{pair.problem}, {pair.rival}: {record['failure']}")
    keep(pair, record | stamp())


def keep(pair: Pair, record: Record) -> None:
    """Merge a record into the stored ones."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    settings = {name: getattr(LONG, name) for name in ("draws", "tune", "chains", "seed")}
    how = {"formula": PROBLEMS[pair.problem].formula, "settings": settings}
    stored.setdefault(pair.problem, {})[pair.rival] = how | record
    STORED.parent.mkdir(parents=True, exist_ok=True)
    STORED.write_text(json.dumps(stored, indent=1) + "\n")


def own_posterior(pair: Pair, draws: int, target: str = "full") -> PosteriorResult:
    """Ours under the rival's priors."""
    problem = PROBLEMS[pair.problem]
    fit = mlm.glmer(problem.formula, problem.data(), problem.family, weights=problem.weights)
    settings = {"cores": LONG.cores, "random_seed": LONG.seed, "progressbar": False}
    return fit.sample(draws, priors=pair.rival, target=target, **settings)


def differences(
    posterior: PosteriorResult, theirs: dict[str, dict[str, float]]
) -> dict[str, tuple[float, ...]]:
    """By parameter: both means, z, both sds, z.

    Both chains' errors count: ``z = (a - b) / sqrt(mcse(a)^2 + mcse(b)^2)``.
    """
    ours = summary(posterior.draws)
    found = {}
    for name, other in theirs.items():
        own = ours[name]
        z = [
            (own[moment] - other[moment])
            / (own[f"mcse_{moment}"] ** 2 + other[f"mcse_{moment}"] ** 2) ** 0.5
            for moment in ("mean", "sd")
        ]
        means, sds = (own["mean"], other["mean"]), (own["sd"], other["sd"])
        found[name] = (*map(float, (*means, z[0], *sds, z[1])),)
    return found


def write_page(stored: Record, rows: list[list[object]], draws: int, document: Path) -> None:
    """Write the page."""
    largest = max(abs(float(str(z))) for row in rows for z in (row[5], row[8]))
    cells = [
        [str(c) for c in row[:3]]
        + [f"{row[3]:.4g}", f"{row[4]:.4g}", f"{row[5]:.1f}"]
        + [f"{row[6]:.4g}", f"{row[7]:.4g}", f"{row[8]:.1f}"]
        for row in rows
    ]
    header = ["problem", "rival", "parameter", "mean", "theirs", "z", "sd", "theirs", "z"]
    versions = {
        f"{name} {version}": None
        for by_rival in stored.values()
        for record in by_rival.values()
        for name, version in record["versions"].items()
    }
    models = {PROBLEMS[pair.problem].formula: pair.problem for pair in PAIRS}
    listed = "\n".join(f"- {name}: `{formula}`" for formula, name in models.items())
    text = HEAD.format(draws=draws, largest=largest, n=2 * len(rows))
    page = [text, listed, f"{', '.join(versions)}.", markdown(header, cells)]
    document.write_text("\n\n".join(page) + "\n")


HEAD = """\
# Agreement with bambi and rstanarm

Made by `python -m benchmarks agreement`. The same models under the same priors: bambi's defaults
are our preset `"bambi"`, rstanarm's our preset `"rstanarm"`. bambi has independent random effects
only; rstanarm's are correlated, and in its gaussian models their standard deviations have a prior
relative to sigma. Theirs are 4 chains of 4,000 draws, kept in `tests/bayes/data/rivals.json`,
ours 4 chains of {draws:,}. z is the difference in Monte Carlo standard errors, both sides'
combined: among {n} numbers, the largest is {largest:.1f}."""
