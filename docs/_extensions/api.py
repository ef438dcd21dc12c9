"""``.. api::`` documents names one after the other; references find objects by any of their names.

A method of a result is the function of the same name, whose docstring stands in the reference once.
"""

import inspect
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

# Where a name without its module is looked for.
PLACES = (
    "mixedlm_pt",
    "mixedlm_pt.GlmerResult",
    "mixedlm_pt.bayes.PosteriorResult",
    "mixedlm_pt.bayes",
    "mixedlm_pt.families",
    "mixedlm_pt.errors",
    "mixedlm_pt.interpretation",
    "mixedlm_pt.inference",
    "mixedlm_pt.diagnostics",
)


class Api(SphinxDirective):
    """A table of names with their first lines, then the whole docstrings."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"members": lambda argument: argument}

    def run(self) -> list[nodes.Node]:
        """Docutils' entry."""
        names = [line.strip() for line in self.content if line.strip()]
        lines = [".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   ~{name}" for name in names] + [""]
        for name in names:
            kind = kind_of(name)
            lines.append(f".. auto{kind}:: {name}")
            if kind == "class" and "members" in self.options:
                lines.append("   :members:")
            lines.append("")
        where, _ = self.get_source_info()
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, where), self.content_offset, node)
        return node.children


def kind_of(name: str) -> str:
    """What autodoc calls it."""
    found, owner = lookup(name), lookup(name.rpartition(".")[0])
    if inspect.isclass(found):
        return "exception" if issubclass(found, BaseException) else "class"
    if inspect.isclass(owner):
        return "method" if callable(found) else "attribute"
    return "function" if callable(found) else "data"


@cache
def lookup(name: str) -> Any:
    """The object of a dotted name, or None.

    The shortest module first: the function ``mixedlm_pt.summary`` hides the folder of its name.
    """
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ImportError:
            return None
        for part in parts[end:]:
            found = attribute(found, part)
        if found is not None:
            return found
    return None


def attribute(owner: Any, name: str) -> Any:
    """Of a class what stands in it, or in those above; of anything else what it returns."""
    return (inspect.getattr_static if inspect.isclass(owner) else getattr)(owner, name, None)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """A link to where the object is documented under another of its names."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].removeprefix("mlm.")
    candidates = (lookup(name) for name in (target, *(f"{place}.{target}" for place in PLACES)))
    found = next((one for one in candidates if one is not None), None)
    name = documented(app).get(id(found))
    if found is None or name is None or app.builder is None:
        return None
    entry = env.domains.python_domain.objects[name]
    where = node.get("refdoc", env.docname)
    return make_refnode(app.builder, where, entry.docname, entry.node_id, content, name)


def documented(app: Sphinx) -> dict[int, str]:
    """Names in the reference by their objects."""
    if not hasattr(app, "documented_objects"):
        objects = app.env.domains.python_domain.objects
        app.documented_objects = {id(lookup(name)): name for name in objects}
    return app.documented_objects


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("api", Api)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
