"""`genwindow report`: one page from one or several runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genwindow.cli.arguments import make_parser, parse, run_folders
from genwindow.errors import check


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and write the page."""
    parser = make_parser(
        "report", "Draw one self-contained page from run folders. Runs still going are drawn so far.", "RUNS..."
    )
    parser.add_argument("runs", nargs="+", type=str, help="run folders, or folders that hold run folders")
    parser.add_argument("--out", type=str | None, default=None, help="the page; default: report.html beside the runs")
    parser.add_argument("--title", type=str | None, default=None, help="heading of the page")
    options = parse(parser, arguments)
    named = options.out is None or Path(options.out).suffix.lower() == ".html"
    check(named, f"--out {options.out} must be a file that ends in .html")

    from genwindow.experiments.comparison import compare
    from genwindow.report import scaling_sentence, text_table, write_page
    from genwindow.runs import RunFolder

    folders = [folder for given in options.runs for folder in run_folders(Path(given))]
    found = compare([RunFolder(folder).load() for folder in folders])
    first = folders[0]
    out = Path(options.out) if options.out else (first if len(folders) == 1 else first.parent) / "report.html"
    write_page(out, found.page(options.title or ("One run" if len(folders) == 1 else f"{len(folders)} runs")))
    print(text_table(found.runs))
    if found.scaling is not None:
        print(f"\n{scaling_sentence(found.scaling)}")
    print(f"\nOpen in a browser: {out.resolve().as_uri()}")
    return 0
