"""``python -m mixedlm_pt``: the command line."""

import sys

from mixedlm_pt.cli import main

if __name__ == "__main__":
    sys.exit(main(program="python -m mixedlm_pt"))
