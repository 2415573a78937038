"""`genwindow watch`: a training as it goes, in the terminal or as a page."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from genwindow.cli.arguments import make_parser, parse
from genwindow.errors import check_number

CLEAR = "\x1b[2J\x1b[H"


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and watch until the training ends; Ctrl-C ends the watching, not the training."""
    parser = make_parser(
        "watch",
        "Watch a training: the verdict, copies, quality and losses, renewed until it ends. For run folders, and for "
        "folders that genwindow.runs.keep_watch writes from a training loop of your own.",
        positional="RUN",
    )
    parser.add_argument("run", type=str, help="run folder, or folder of a watched training")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two looks")
    parser.add_argument("--once", action="store_true", help="show it once and stop")
    parser.add_argument("--page", action="store_true", help="also keep RUN/watch.html up to date")
    options = parse(parser, arguments)
    check_number("--every", options.every, low=0.1)

    from genwindow.report import watch_page, watch_text, write_study
    from genwindow.runs import read_watched

    page = Path(options.run) / "watch.html"
    drawn = -1
    try:
        while True:
            watched = read_watched(options.run)
            screen = CLEAR if sys.stdout.isatty() and not options.once else ""
            print(screen + watch_text(watched, min(shutil.get_terminal_size().columns, 100)), flush=True)
            if options.page and len(watched.verdicts) != drawn:
                write_study(page, watch_page(watched))
                if drawn < 0:
                    print(f"\nOpen in a browser: {page.resolve().as_uri()}")
                drawn = len(watched.verdicts)
            if options.once or watched.finished:
                if options.page:
                    write_study(page, watch_page(watched))
                return 0
            print()
            time.sleep(options.every)
    except KeyboardInterrupt:
        return 0
