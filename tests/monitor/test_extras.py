"""Ready callables for other libraries, where the library is missing."""

import importlib
import sys

import pytest


@pytest.mark.parametrize("name", ["accelerate", "diffusers", "lightning"])
def test_a_library_that_is_missing_is_named_with_its_extra(name, monkeypatch):
    for module in [known for known in sys.modules if known.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # as Python marks what cannot be imported
    monkeypatch.delitem(sys.modules, f"genwindow.monitor.{name}", raising=False)
    with pytest.raises(
        ImportError, match=rf"genwindow\.monitor\.{name} needs {name} \(.*pip install 'genwindow\[{name}\]'"
    ):
        importlib.import_module(f"genwindow.monitor.{name}")
