import pytest

from genwindow import Curve, GenwindowError
from genwindow.report import Line, Panel, StudyPage, Tile, panels_figure, render_study


def page(**changed):
    figure = panels_figure([Panel("a", "x", "y", [Line("", Curve("c", [1.0, 2.0], [1.0, 3.0]), "#0069a8")])])
    given = {
        "title": "Title <b>", "answer": "tau_gen is 3 psi_n & more.", "figures": ((figure, "What to see."),),
        "tiles": (Tile("n^2", "5", "note"),), "rows": ({"n": "1", "tau_mem": "7"},), "found": ("Found.",),
        "limits": ("Limit.",), "settings": {"d": "3"},
    }  # fmt: skip
    return StudyPage(**{**given, **changed})


def test_roundtrip_the_same_content_gives_the_same_bytes():
    text = render_study(page())
    assert text == render_study(page())
    assert "Title &lt;b&gt;" in text and "<i>τ</i><sub>gen</sub> is 3 <i>ψ</i><sub>n</sub> &amp; more." in text
    assert 'data-label="τ_mem"' in text and "<script" not in text and "data:image/svg+xml" in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"rows": ()}, "rows must hold at least one row"), ({"rows": ({"a": "1"}, {"b": "2"})}, "the same columns")],
)
def test_rejects(changed, message):
    with pytest.raises(GenwindowError, match=message):
        page(**changed)
