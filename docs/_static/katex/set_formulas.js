// As scripts at the end of a page: all formulas that Sphinx wrote, by KaTeX.
for (const formula of document.querySelectorAll(".math")) {
  katex.render(formula.textContent, formula, {
    displayMode: formula.tagName === "DIV",
    throwOnError: false,
  });
}
