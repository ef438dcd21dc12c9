"""What is imported when: a script waits only for what it uses."""

import json
import os
import subprocess
import sys

import mixedlm_pt as mlm
from mixedlm_pt import bayes, interpretation, plotting

HEAVY = {
    "arviz",
    "formulaic",
    "jax",
    "joblib",
    "matplotlib",
    "mixedlm_pt.bayes",
    "mixedlm_pt.interpretation",
    "mixedlm_pt.plotting",
    "narwhals",
    "numba",
    "nutpie",
    "polars",
    "pymc",
    "rich",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.spatial",
    "scipy.stats",
    "xarray",
}
# Silent: a fit of three seconds shows its course, with rich.
FIT = "fit = mlm.glmer('incidence / size ~ period + (1 | herd)', mlm.load_cbpp(), verbose=0);"
# Where every public function and method comes from.
ORIGINS = """
def origins(owner, names):
    found = ((name, getattr(owner, name)) for name in names if not name.startswith("_"))
    return {name: [type(v).__name__, getattr(v, "__module__", "")] for name, v in found}
print(json.dumps([origins(mlm, dir(mlm)), origins(mlm.GlmerResult, dir(mlm.GlmerResult))]))
"""


def output_of(code, **environment):
    """What a new process prints, from JSON."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys; import mixedlm_pt as mlm; {code}"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return json.loads(done.stdout)


def test_importing_the_package_imports_nothing_that_a_fit_may_do_without():
    loaded = output_of("print(json.dumps([*sys.modules]))")
    assert "mixedlm_pt.api" in loaded
    assert HEAVY & set(loaded) == set()


def test_a_fit_with_its_summary_imports_nothing_that_other_verbs_need():
    loaded = output_of(FIT + "text = str(fit.summary()); print(json.dumps([*sys.modules]))")
    assert "mixedlm_pt.api" in loaded
    assert HEAVY & set(loaded) == set()


def test_names_and_methods_on_demand_are_those_of_an_import_of_everything():
    lazy, eager = output_of(ORIGINS), output_of(ORIGINS, EAGER_IMPORT="1")
    modules = {"bayes", "interpretation", "plotting"}
    assert set(lazy[0]) | modules == set(eager[0])
    assert {name: eager[0][name] for name in lazy[0]} == lazy[0]
    assert lazy[1] == eager[1]
    assert lazy[1]["emmeans"] == ["function", "mixedlm_pt.interpretation.estimated_means"]


def test_a_method_is_the_function_of_the_same_name():
    # A function that draws takes the place of the one of a lower folder that it draws.
    named = {
        name: getattr(folder, name)
        for folder in (bayes, interpretation, plotting)
        for name in folder.__all__
    }
    shared = set(named) & set(dir(mlm.GlmerResult))
    assert {"sample", "emmeans", "profile"} <= shared
    for name in shared:
        assert getattr(mlm.GlmerResult, name) is named[name]
