"""The command line: read a table, fit, print, write results."""

from mixedlm_pt.cli.command import main

__all__ = ["main"]
