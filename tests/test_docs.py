"""What README and docs say must run and exist."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import genwindow

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_examples_run(page):
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {})  # our own documentation


@pytest.mark.parametrize(
    "module",
    [
        ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        for file in sorted((ROOT / "src").rglob("*.py"))
        if ">>>" in file.read_text()
    ],
)
def test_examples_in_docstrings_are_right(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried and not failed


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_named_functions_exist():
    text = (ROOT / "docs" / "equations.md").read_text()
    for name in re.findall(r"`(genwindow(?:\.\w+)+)", text):
        module, _, attribute = name.rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute), name


def test_the_two_commands_are_on_the_first_screen():
    first = (ROOT / "README.md").read_text().splitlines()[:12]
    assert any("make demo" in line for line in first) and any("make test" in line for line in first)


def test_stable_public_names():
    from genwindow import analysis, data, metrics

    assert {"Curve", "Estimate"} <= set(dir(genwindow))
    for name in ("load_images", "named_set", "split", "GaussianMixture"):
        assert hasattr(data, name)
    for name in ("nearest_neighbours", "memorized_fraction", "frechet_distance", "denoising_loss"):
        assert hasattr(metrics, name)
    for name in ("tau_gen", "tau_mem", "fit_power_law", "collapse"):
        assert hasattr(analysis, name)


def test_versions_agree():
    assert f'version = "{genwindow.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {genwindow.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {genwindow.__version__}" in (ROOT / "CHANGELOG.md").read_text()
