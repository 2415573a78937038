from types import SimpleNamespace

from genwindow import Estimate
from genwindow.experiments.stop_rule import BEYOND, Outcome, _caption


def test_the_caption_speaks_of_the_panels_that_are_drawn():
    three = _caption(["where the rule stops", BEYOND, "one run"])
    assert three.index("Left: the stop") < three.index("Middle: copies beyond") < three.index("Right: why")
    two = _caption(["where the rule stops", "one run"])
    assert "Middle" not in two and "copies beyond" not in two and "Right: why" in two
    assert _caption(["where the rule stops"]).startswith("Here: the stop")


def test_a_run_that_surely_copies_at_its_stop_is_no_run_without_copies():
    def kind(copies, excess):
        run = SimpleNamespace(
            estimates={
                "tau_gen": Estimate(300.0, 250.0, 400.0, "found", "t"),
                "tau_mem": Estimate(None, 0.0, None, "not_reached", "t"),
            }
        )
        return Outcome(run, 3200, excess, copies, False, None, None).kind

    assert kind(Estimate(0.0136, 0.0114, 0.016, "found", "t"), 0.0136) == "open"
    assert kind(Estimate(0.002, 0.0014, 0.003, "found", "t"), -0.001) == "no copies"
    assert kind(None, None) == "no copies"
