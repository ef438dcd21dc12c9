"""Engines: how each is started, and which problems it cannot express."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.problems import Problem

ROOT = Path(__file__).resolve().parents[1]
WORKERS = Path(__file__).with_name("workers")
OURS = "mixedlm_pt"


@dataclass(frozen=True)
class Engine:
    """A package that fits GLMMs.

    Attributes
    ----------
    name : str
        What it is imported as.
    home : {"checkout", "rivals", "R"}
    worker : str
        Script in ``workers/``, without its suffix.
    max_nodes : int
        Of adaptive quadrature; 1 is the Laplace approximation.
    has_slopes : bool
        Whether it fits correlated slopes.
    lacks : mapping
        Families and links that it does not have, and what to say of them.
    information : {"observed", "expected"}
        In its Laplace approximation: another criterion where the link is not canonical.
    """

    name: str
    home: str = "rivals"
    worker: str = "fit"
    max_nodes: int = 25
    has_slopes: bool = True
    lacks: Mapping[str | None, str] = field(default_factory=dict)
    information: str = "observed"

    def command(self, rivals: str | None) -> list[str] | None:
        """Interpreter and worker; None where there is no interpreter."""
        interpreter = {"checkout": sys.executable, "rivals": rivals, "R": "Rscript"}[self.home]
        path = interpreter and shutil.which(interpreter)
        if not path:
            return None
        script = WORKERS / self.worker
        worker = [f"{script}.R"] if self.home == "R" else ["-P", f"{script}.py"]
        return [str(Path(path).absolute()), *worker]

    def environment(self, caches: Path) -> Mapping[str, str]:
        """Environment of its processes; ours is the checkout, and keeps compiled code in caches."""
        if self.home != "checkout":
            return os.environ
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
            "NUMBA_CACHE_DIR": str(caches / "numba"),
            "XDG_CACHE_HOME": str(caches),
        }

    def obstacle(self, problem: Problem) -> str | None:
        """Why the engine cannot fit the model, None where it can."""
        if problem.nAGQ > self.max_nodes:
            return "no quadrature"
        if not self.has_slopes and re.search(r"\([^|)]*[a-z][^|)]*\|", problem.formula):
            return "no correlated slopes"
        return self.lacks.get(problem.family) or self.lacks.get(problem.link)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(OURS, "checkout"),
        Engine("lme4", "R", information="expected"),
        Engine("glmmTMB", "R", max_nodes=1),
        Engine("glmm"),
        Engine(
            "mixedlm",
            lacks={"negative binomial": "does not estimate theta"},
            information="expected",
        ),
        Engine("gpboost", max_nodes=1, has_slopes=False, lacks={"cloglog": "no cloglog link"}),
    )
}
