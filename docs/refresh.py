"""Make the numbers and figures of README and docs anew (`make docs` and `make docs-all` call it).

    python docs/refresh.py runs/demo                              the README, from the runs of the demo
    python docs/refresh.py --pages NAME... [--only EXPERIMENT...]   pages of docs/

A page says `<!-- run: COMMAND -->` where the output of a command belongs; what stands between this and `<!-- end -->`
is replaced; with `--only` where the command is one of these experiments.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from genwindow.experiments.comparison import compare
from genwindow.experiments.demo import demo_jobs
from genwindow.report import scaling_sentence, text_table
from genwindow.runs import RunFolder

ROOT = Path(__file__).parents[1]


def main(demo: Path) -> None:
    """Rewrite what stands between the two markers in README.md, and copy the figure."""
    found = compare([RunFolder(job.folder).load() for job in demo_jobs(demo)])
    text = f"```text\n{text_table(found.runs)}\n```\n\n{scaling_sentence(found.scaling)}"
    readme = ROOT / "README.md"
    new = re.sub(
        r"(<!-- demo:begin -->\n).*?(\n<!-- demo:end -->)",
        lambda m: m.group(1) + text + m.group(2),
        readme.read_text(),
        flags=re.DOTALL,
    )
    readme.write_text(new)
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    shutil.copy(demo / "summary.png", ROOT / "docs" / "images" / "demo.png")


def rerun(page: Path, only: Collection[str] = ()) -> None:
    """Run every command a page names, or those of some experiments, and put its output below."""

    def answer(found: re.Match[str]) -> str:
        command = shlex.split(found.group(1))
        if only and not (command[1] == "reproduce" and command[2] in only):
            return found.group(0)
        print(f"{page.name}: {found.group(1)}", flush=True)
        executable = [str(Path(sys.executable).parent / command[0]), *command[1:]]
        out = subprocess.run(executable, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        if command[1] == "reproduce":
            made = ROOT / "runs" / "reproduce" / "cpu" / command[2] / "figure.png"
            shutil.copy(made, ROOT / "docs" / "images" / f"results-{command[2]}.png")
        text = re.sub(r"\n*Figure: .*|\n*Done in .*", "", out).strip()
        return f"<!-- run: {found.group(1)} -->\n\n    $ {found.group(1)}\n\n```text\n{text}\n```\n\n<!-- end -->"

    pattern = r"<!-- run: (.*?) -->\n.*?<!-- end -->"
    page.write_text(re.sub(pattern, answer, page.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    if sys.argv[1] == "--pages":
        names, _, only = " ".join(sys.argv[2:]).partition("--only")
        for name in names.split():
            rerun(ROOT / "docs" / name, only.split())
    else:
        main(Path(sys.argv[1]))
