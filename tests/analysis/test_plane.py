import numpy as np
import pytest

from genwindow import Estimate, GenwindowError
from genwindow.analysis import Cell, measured_plane
from genwindow.analysis.plane import boundary_point

LAST = 1000.0


def found(value):
    return Estimate(value, value, value, "found", "test")


def late(low=LAST):
    return Estimate(None, low, None, "not_reached", "test")


def early(high):
    return Estimate(None, None, high, "below_range", "test")


UNKNOWN = Estimate(None, None, None, "ill_posed", "test")


def cell(n, mem, *, size=8.0, gen=50.0, last=LAST):
    return Cell(n, size, last, found(gen) if isinstance(gen, float) else gen, mem)


def test_interpolates_in_log_n_and_log_tau():
    """With tau_mem = 2 n the boundary at time tau is n* = tau / 2, exactly."""
    row = [cell(n, found(2.0 * n)) for n in (32, 64, 128, 256)]
    point = boundary_point(row, 200.0)
    assert point.status == "interp" and (point.low, point.high) == (64, 128)
    assert point.n == pytest.approx(100)


def test_between_a_run_that_copies_and_one_that_never_did_the_grid_is_all_we_know():
    point = boundary_point([cell(32, found(100.0)), cell(64, late())], 500.0)
    assert (point.status, point.low, point.high) == ("grid", 32, 64)
    assert point.n == pytest.approx(np.sqrt(32 * 64))


@pytest.mark.parametrize(
    ("row", "tau", "status"),
    [
        ([cell(32, found(10.0)), cell(64, found(20.0))], 100.0, "above_range"),
        ([cell(32, found(10.0)), cell(64, found(20.0))], 5.0, "below_range"),
        ([cell(32, late()), cell(64, late())], 900.0, "below_range"),
        ([cell(32, found(10.0)), cell(64, late())], 2000.0, "censored"),  # the longer run did not last that long
        ([cell(32, found(10.0)), cell(64, UNKNOWN), cell(128, late())], 100.0, "censored"),
        ([cell(32, UNKNOWN)], 100.0, "censored"),
        ([cell(32, early(20.0)), cell(64, late())], 100.0, "grid"),
        ([cell(32, early(20.0)), cell(64, late())], 10.0, "censored"),  # copied from the first measurement on
        ([cell(32, found(10.0)), cell(64, late(400.0))], 300.0, "grid"),
        ([cell(32, found(10.0)), cell(64, late(400.0))], 500.0, "censored"),  # copies were seen after 400, not surely
        ([cell(32, late(0.0)), cell(64, late(0.0))], 900.0, "below_range"),  # a useless bound, but the run lasted
    ],
)
def test_status_of_a_boundary_that_cannot_be_interpolated(row, tau, status):
    assert boundary_point(row, tau).status == status


def test_a_noisy_row_keeps_the_boundary_above_the_largest_copied_set():
    row = [cell(32, found(300.0)), cell(64, found(100.0)), cell(128, found(400.0))]
    point = boundary_point(row, 200.0)
    assert (point.low, point.high, point.status) == (64, 128, "interp") and 64 < point.n < 128


def test_regions_and_boundaries_of_a_plane():
    cells = [cell(n, found(2.0 * n), gen=5.0) for n in (32, 64)] + [cell(512, late(), gen=20.0)]
    cells += [cell(n, late(), size=4.0, gen=40.0) for n in (32, 64)]
    plane = measured_plane(cells, (4.0, 8.0))
    assert plane.tau_gen[8.0].value == 20.0  # at the largest n, never per cell
    small, middle, large = (c for c in plane.cells if c.size == 8.0)
    assert [plane.region(c, 80.0) for c in (small, middle, large)] == ["memorization", "generalization", "regularized"]
    assert plane.region(middle, 10.0) == "early"
    unsure = cell(512, late(100.0), gen=20.0)
    assert [plane.region(unsure, tau) for tau in (80.0, 200.0)] == ["generalization", "unknown"]
    assert plane.region(large, 5000.0) == "unknown"
    assert [b.label for b in plane.boundaries] == ["4 tau_gen(W)", "8 tau_gen(W)", "tau = 1k"]
    by_size = {p.size: p for p in plane.boundaries[0].points}
    assert by_size[8.0].n == pytest.approx(40) and by_size[4.0].status == "below_range"
    growing = [b.points[-1].n for b in plane.boundaries]
    assert growing == sorted(growing)


def test_of_several_seeds_the_middle_one_counts():
    cells = [cell(32, found(v)) for v in (100.0, 10.0, 50.0)] + [cell(32, late()), cell(32, late())]
    plane = measured_plane(cells, ())
    assert plane.cells[0].tau_mem.value == 100.0


def test_a_width_without_tau_gen_has_no_multiples():
    plane = measured_plane([cell(32, late(), gen=UNKNOWN)], (4.0,))
    assert plane.boundaries[0].points == () and plane.boundaries[1].points[0].status == "below_range"
    assert plane.region(plane.cells[0], 500.0) == "early"


def test_rejects_nothing():
    with pytest.raises(GenwindowError, match="at least one run"):
        measured_plane([])
