from genwindow.experiments.stop_rule import BEYOND, _caption


def test_the_caption_speaks_of_the_panels_that_are_drawn():
    three = _caption(["where the rule stops", BEYOND, "one run"])
    assert three.index("Left: the stop") < three.index("Middle: copies beyond") < three.index("Right: why")
    two = _caption(["where the rule stops", "one run"])
    assert "Middle" not in two and "copies beyond" not in two and "Right: why" in two
    assert _caption(["where the rule stops"]).startswith("Here: the stop")
