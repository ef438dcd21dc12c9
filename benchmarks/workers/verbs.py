"""``python verbs.py TASK.json REPORT.jsonl``: seconds of the bootstrap in the Python rivals.

glmm has no bootstrap: it fits as many responses, drawn beforehand, in a loop.
"""

import json
import sys
import warnings
from pathlib import Path
from time import perf_counter

import glmm
import mixedlm
import numpy as np
import pandas as pd

task = json.loads(Path(sys.argv[1]).read_text())
data = pd.read_csv(task["data"])
for name, levels in task["factors"].items():
    data[name] = pd.Categorical(data[name].astype(str), levels)
formula, weights, n_boot = task["formula"], task["weights"], task["n_boot"]
response = formula.split("~")[0].strip()
if data[response].dtype.kind not in "if":
    data[response] = (
        data[response].astype(str) == sorted(data[response].astype(str).unique())[1]
    ) * 1
trials = np.ones(len(data)) if weights is None else data[weights].to_numpy(float)
warnings.simplefilter("ignore")


def report(engine, start):
    """Append the seconds since ``start``."""
    found = {
        "engine": engine,
        "verb": f"{n_boot} bootstrap refits",
        "seconds": perf_counter() - start,
    }
    with Path(sys.argv[2]).open("a") as file:
        file.write(json.dumps(found) + "\n")


first = glmm.fit(data, formula, "binomial", weights=trials, anova_test="Wald")
rng = np.random.default_rng(1)
draws = [
    data.assign(**{response: rng.binomial(trials.astype(int), first.fitted) / trials})
    for _ in range(n_boot)
]
start = perf_counter()
for drawn in draws:
    glmm.fit(drawn, formula, "binomial", weights=trials, anova_test="Wald")
report("glmm", start)

model = mixedlm.glmer(formula, data, family=mixedlm.families.Binomial(), weights=trials)
start = perf_counter()
mixedlm.bootMer(model, nsim=n_boot, seed=1)
report("mixedlm", start)
