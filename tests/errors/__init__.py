"""The catalogue of bad input: one table, from which tests and the page docs/errors.md are made."""
