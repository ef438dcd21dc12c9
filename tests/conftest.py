"""Settings of every test run: no C compiler, no display, the same random examples each time."""

import os

# Before PyTensor is imported: the package has to work where there is no C++ compiler.
os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "cxx="]))
os.environ["MPLBACKEND"] = "Agg"

from hypothesis import HealthCheck, settings

settings.register_profile(
    "mixedlm_pt",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    # A first example may compile a graph; that is no sign of a slow strategy.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mixedlm_pt")
