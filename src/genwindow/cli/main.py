"""The `genwindow` command: finds the verb, turns errors into one line and exit codes.

Exit codes: 0 done, 2 bad input (one line on stderr says what), 130 interrupted (runs can be resumed),
141 when the reader of its output has left.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence

from genwindow import __version__
from genwindow.errors import GenwindowError

VERBS = {
    "demo": "train on digits at four sizes, see the window, write a report (about two minutes)",
    "train": "train one diffusion model on your images, measured along the way; resumable",
    "watch": "a training as it goes: verdict, copies, quality, losses, in the terminal or as a page",
    "sweep": "many runs over any settings, on this machine or a cluster; status and retry",
    "reproduce": "an experiment of the paper, from its runs to its page, at three scales",
    "report": "draw one page from one or several runs",
    "sample": "new images from the weights that a run has kept",
    "audit": "do generated images copy training images? Numbers, pairs to look at, a verdict",
    "forecast": "when copying will begin on the full data set, from small pilot runs",
    "theory": "spectrum, learning curves and timescales of the random-features model, exactly",
}

RESUMED = ("demo", "train", "sweep", "reproduce", "forecast")
"""The verbs whose work is kept when they are interrupted."""

HELP = f"""genwindow {__version__}: train a diffusion model long enough to generate, stop before it copies.

usage: genwindow VERB [options]

{{verbs}}

`genwindow VERB --help` explains a verb. New here? Run `genwindow demo`.
"""


def _help() -> str:
    width = max(map(len, VERBS))
    return HELP.format(verbs="\n".join(f"  {verb:{width}}  {what}" for verb, what in VERBS.items()))


def main(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` (without the program name); returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb in ("-V", "--version"):
        print(f"genwindow {__version__}")
        return 0
    if verb not in VERBS:
        print(f"genwindow: no verb {verb!r}; there are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        return int(importlib.import_module(f"genwindow.cli.{verb}").run(rest))
    except GenwindowError as error:
        print(f"genwindow {verb}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        how = "; give the same command again to go on" if verb in RESUMED else ""
        print(f"\ngenwindow {verb}: interrupted{how}", file=sys.stderr)
        return 130


def entry() -> int:
    """Entry point of the installed command; where the reader of a pipe has left, as `head` does, it ends quietly."""
    try:
        try:
            return main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere at exit
        return 141
