"""Sphinx configuration; `make docs` builds the site, warnings are errors."""

import hashlib
import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS / "_extensions")]
# Cells run this checkout, in kernels that inherit the environment. Everything is bound at import,
# so that autodoc sees functions where a script would see what imports them at first use.
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["MATPLOTLIBRC"] = str(DOCS / "matplotlibrc")
os.environ["EAGER_IMPORT"] = "1"

import mixedlm_pt  # noqa: E402

project = "mixedlm_pt"
author = "the authors of mixedlm_pt"
version = release = mixedlm_pt.__version__
copyright = "MIT licence"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
    "katex",
    "api",
    "notebook_pages",
]
exclude_patterns = ["_build", "_static", "_templates", "README.md"]
nitpicky = True
# What single backticks in docstrings name may be a parameter: linked where it is ours, else code.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*")]

# Pages and the cells in them. Outputs are kept by what was run: the cells, and this package.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
SOURCES = sorted((ROOT / "mixedlm_pt").rglob("*.py"))
DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:16]
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / "cells" / DIGEST)
# A cell that fails is a warning, and these fail the build when all pages have been read.
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_merge_streams = True
# A page that shows a warning says so in its cell: `mystnb: output_stderr: show`.
nb_output_stderr = "warn"

# The reference: types are in the docstrings.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "mixedlm_pt"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_sidebars = {"**": ["all-pages"]}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "search_as_you_type": True,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
