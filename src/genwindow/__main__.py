"""`python -m genwindow` is the same as the `genwindow` command."""

import sys

from genwindow.cli.main import entry

if __name__ == "__main__":
    sys.exit(entry())
