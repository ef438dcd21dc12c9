"""Formulas set in the browser by the copy of KaTeX in ``_static/katex``: no network is needed."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

FILES = ("katex/katex.min.js", "katex/set_formulas.js")
STYLE = "katex/katex.min.css"


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line of text."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(f"{self.encode(node.astext())}</span>")
    raise nodes.SkipNode


def displayed(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on lines of its own; several lines are aligned."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    text = node.astext().strip()
    if r"\\" in text and r"\begin{" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    if node["number"]:
        text += rf"\tag{{{get_node_equation_number(self, node)}}}"
    self.body.append(f"{self.encode(text)}</div>\n")
    raise nodes.SkipNode


def add_files(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object
) -> None:
    """Pages without formulas do without the 300 kB."""
    if isinstance(doctree, nodes.document) and any(doctree.findall(is_formula)):
        app.add_css_file(STYLE)
        for name in FILES:
            app.add_js_file(name, loading_method="defer")


def is_formula(node: nodes.Node) -> bool:
    """Of either kind."""
    return isinstance(node, nodes.math | nodes.math_block)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("katex", (inline, None), (displayed, None))
    app.config.html_math_renderer = "katex"
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
