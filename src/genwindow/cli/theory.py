"""`genwindow theory`: the random-features model answers: its spectrum, learning curves, timescales, phase plane."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from genwindow.cli.arguments import make_parser, parse
from genwindow.cli.progress import ProgressBar
from genwindow.errors import GenwindowError, check

if TYPE_CHECKING:
    from genwindow.experiments.theory import Answer
    from genwindow.theory import RandomFeatures

QUESTIONS = {
    "spectrum": "the bulks of eigenvalues, with edges, masses and the times on which they are learned",
    "bulks": "what each bulk does to training and test loss, from one draw of finite size",
    "curves": "training loss, test loss and score error along training, for several psi_n",
    "timescales": "tau_gen, tau_mem and the best time to stop, for several psi_n",
    "phase": "where in the (psi_n, psi_p) plane the model memorizes, at one training time or at the end",
    "train": "the model trained for real, beside the closed form and the limit theory",
}
SEVERAL = "2,4,8,16,32,64"
GRID_N = "0.5,1,2,4,8,16,32,64,128,256"
GRID_P = "0.5,1,2,4,8,16,32,64,128"


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and answer."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, QUESTIONS))
        print("usage: genwindow theory QUESTION [options]\n")
        print("The random-features score model in the limit of many dimensions, exactly.\n")
        print("\n".join(f"  {name:{width}}  {what}" for name, what in QUESTIONS.items()))
        print("\n`genwindow theory QUESTION --help` lists the options. Example:")
        print("  genwindow theory timescales --psi-p 64 --psi-n 2,4,8,16,32,64 --plot times.png")
        return 0 if arguments else 2
    question, *rest = arguments
    if question not in QUESTIONS:
        raise GenwindowError(f"no question {question!r}; there are {', '.join(QUESTIONS)}")
    parser = make_parser(f"theory {question}", f"Prints {QUESTIONS[question]}.")
    _add_options(parser, question)
    options = parse(parser, rest)
    check(not (options.json and options.csv), "give --json or --csv, not both")
    plot = None if options.plot is None else _plot_path(options.plot)
    answer = _ask(question, options)
    if options.json:
        print(json.dumps(_finite(answer.data), indent=2))
    elif options.csv:
        print(answer.csv(), end="")
    else:
        print(answer.text)
    if plot is not None:
        answer.draw(plot)
        if not (options.json or options.csv):
            print(f"\nFigure: {plot}")
    return 0


def _add_options(parser: ArgumentParser, question: str) -> None:
    listed = question in ("curves", "timescales", "phase")
    if question == "train":
        parser.add_argument("--data", type=str, default="gaussian", help="gaussian, heavy (heavy-tailed) or digits")
        parser.add_argument("--d", type=int, default=50, help="dimension (digits have 64)")
        parser.add_argument("--psi-p", type=float, default=16.0, help="features per dimension")
        parser.add_argument("--psi-n", type=float, default=4.0, help="training samples per dimension")
        parser.add_argument("--steps", type=int, default=5000, help="gradient steps")
        parser.add_argument("--step", type=float, default=2.0, help="training time of one step; learning rate/d^2")
        parser.add_argument("--adam-lr", type=float, default=0.05, help="learning rate of Adam")
        parser.add_argument("--seed", type=int, default=0, help="of data, features and noise")
    else:
        default = SEVERAL if listed else "8"
        default_p = GRID_P if question == "phase" else "64"
        many = ", several separated by commas" if listed else ""
        parser.add_argument("--psi-p", type=str, default=default_p, help="features per dimension, p/d")
        parser.add_argument("--psi-n", type=str, default=GRID_N if question == "phase" else default,
                            help=f"training samples per dimension, n/d{many}")  # fmt: skip
        parser.add_argument("--covariance", type=str, default="isotropic", help="of the data: isotropic, isotropic:2, "
                            "atoms:0.5,1.5, power-law:0.7, marchenko-pastur:0.5, data:digits or data:PATH")  # fmt: skip
    parser.add_argument("--t", type=float, default=0.01, help="diffusion time")
    parser.add_argument("--activation", type=str, default="tanh", help="tanh, erf, sin, relu, gelu, hermite3, ...")
    if question in ("spectrum", "bulks"):
        parser.add_argument("--d", type=int, default=100, help="dimension of the sampled matrix")
        parser.add_argument("--seed", type=int, default=0, help="of the sampled matrix")
    if question == "curves":
        parser.add_argument("--tau", type=str | None, default=None, help="first,last training time; default: all of it")
        parser.add_argument("--points", type=int, default=200, help="training times per curve")
        parser.add_argument("--step", type=float | None, default=None,
                            help="training time of one step (learning rate/d^2); default: gradient flow")  # fmt: skip
        parser.add_argument("--momentum", type=float, default=0.0, help="heavy-ball momentum; needs --step")
    if question in ("curves", "timescales"):
        parser.add_argument("--ridge", type=float, default=0.0, help="weight decay, in units of the eigenvalues")
    if question == "timescales":
        parser.add_argument("--split", type=float, default=0.1, help="tau_mem: when (test - train)/test passes this")
    if question == "phase":
        parser.add_argument("--tau", type=str, default="inf", help="training time, or inf for the end of training")
        parser.add_argument("--level", type=float, default=0.1, help="gap at which the boundary is read")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--csv", action="store_true", help="print CSV")
    parser.add_argument("--plot", type=str | None, default=None, help="write the figure to this .png file")


def _ask(question: str, options: Namespace) -> Answer:
    from genwindow.experiments import theory

    if question == "train":
        from genwindow.experiments.features import FeaturesSettings, training

        names = ("data", "d", "psi_p", "psi_n", "t", "activation", "steps", "step", "adam_lr", "seed")
        settings = FeaturesSettings(**{name: getattr(options, name) for name in names})
        with ProgressBar("training") as bar:
            return training(settings, lambda share: bar.show(share, ""))
    psi_n, psi_p = _numbers("psi_n", options.psi_n), _numbers("psi_p", options.psi_p)
    model = _model(options, psi_p[0], psi_n[0])
    if question == "phase":
        tau = _numbers("tau", options.tau, endless=True)
        check(len(tau) == 1, f"tau must be one training time or inf, got {options.tau}")
        with ProgressBar("phase plane") as bar:
            return theory.phase(
                model, psi_n, psi_p, tau[0], level=options.level, on_progress=lambda share: bar.show(share, "")
            )
    check(len(psi_p) == 1, f"psi_p must be one number here, got {options.psi_p}")
    if question in ("spectrum", "bulks"):
        check(len(psi_n) == 1, f"psi_n must be one number here, got {options.psi_n}")
        return getattr(theory, question)(model, d=options.d, seed=options.seed)
    if question == "timescales":
        return theory.timescales(model, psi_n, split=options.split, ridge=options.ridge)
    given = None if options.tau is None else _numbers("tau", options.tau)
    check(given is None or len(given) == 2, f"tau must be first,last training time, got {options.tau}")
    return theory.curves(
        model, psi_n, tau=None if given is None else (given[0], given[1]), points=options.points, step=options.step,
        momentum=options.momentum, ridge=options.ridge,
    )  # fmt: skip


def _model(options: Namespace, psi_p: float, psi_n: float) -> RandomFeatures:
    from genwindow.experiments.covariances import covariance_of
    from genwindow.theory import RandomFeatures

    return RandomFeatures(psi_p, psi_n, options.t, options.activation, covariance_of(options.covariance))


def _numbers(name: str, text: str, *, endless: bool = False) -> list[float]:
    """Numbers separated by commas.

    Raises:
        GenwindowError: when one is no number, or not finite (unless `endless`).
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise GenwindowError(f"{name} must be numbers separated by commas, got {text!r}") from None
    ok = all(not math.isnan(x) and (endless or math.isfinite(x)) for x in numbers)
    check(ok, f"{name} must be finite numbers, got {text!r}")
    return numbers


def _plot_path(text: str) -> Path:
    path = Path(text)
    check(path.suffix.lower() == ".png", f"--plot {text} must end in .png")
    check(not path.is_dir(), f"--plot {text} is a folder")
    check(path.parent.is_dir(), f"--plot {text}: there is no folder {path.parent}")
    return path


def _finite(value: object) -> object:
    """The same JSON with null for numbers that are not finite."""
    walk: Callable[[object], object] = _finite
    if isinstance(value, dict):
        return {k: walk(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [walk(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
