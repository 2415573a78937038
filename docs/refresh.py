"""Put the figure and the numbers of a demo into the README: python docs/refresh.py runs/demo (`make docs` calls it)."""

from __future__ import annotations

import re
import shutil
import sys
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
