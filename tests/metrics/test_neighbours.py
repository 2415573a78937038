import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genwindow.errors import GenwindowError
from genwindow.metrics import Neighbours, nearest_neighbours


def direct(queries, reference, k):
    """Every pair by its difference in float64, ordered by distance, then by index."""
    q = np.asarray(queries, dtype=np.float64).reshape(len(queries), -1)
    r = np.asarray(reference, dtype=np.float64).reshape(len(reference), -1)
    distances = np.stack([np.sqrt(np.square(r - x).sum(axis=1)) for x in q])
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


def assert_exact(queries, reference, k, **options):
    found = nearest_neighbours(queries, reference, k, **options)
    wanted, order = direct(queries, reference, k)
    np.testing.assert_allclose(found.distances, wanted, rtol=1e-12, atol=1e-150)
    # An index may differ from the one expected only where both distances are the same number but for rounding.
    other = found.indices != order
    q, r = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (queries, reference))
    again = np.sqrt(np.square(q[:, None] - r[found.indices]).sum(axis=2))
    np.testing.assert_allclose(again[other], wanted[other], rtol=1e-14)
    assert all(len(set(row)) == k for row in found.indices.tolist())


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dim", [1, 3, 64, 1500])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_agrees_with_direct_differences(dim, k):
    assert_exact(normal(40, dim), normal(200, dim, seed=1), k)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-6])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_agrees_with_direct_differences_next_to_copies(noise, offset):
    reference = normal(300, 256, seed=1) + np.float32(offset)
    queries = reference[:50] + np.float32(noise) * normal(50, 256)
    assert_exact(queries, reference, 2)
    found = nearest_neighbours(queries, reference, 2).distances
    wanted = direct(queries, reference, 2)[0]
    np.testing.assert_allclose(found[:, 0] / found[:, 1], wanted[:, 0] / wanted[:, 1], atol=1e-6)
    assert noise > 0 or (found[:, 0] == 0).all()


@pytest.mark.parametrize("dim", [8, 1500])
@pytest.mark.parametrize("spread", [1e-2, 1e-4])
def test_agrees_with_direct_differences_where_float32_products_cannot_tell(dim, spread):
    """Two clusters far from their common centre: inside each, float32 products are rounding noise."""
    sides = np.repeat([[-10.0], [10.0]], 150, axis=0).astype(np.float32)
    reference = sides + np.float32(spread) * normal(300, dim, seed=1)
    queries = sides[::10] + np.float32(spread) * normal(30, dim)
    assert_exact(queries, reference, 3)
    assert_exact(queries, reference, 3, memory=2_000_000)


def test_agrees_with_direct_differences_of_far_queries():
    reference = normal(30, 5, seed=1)
    queries = np.float32([1e-30, 1, 1e12, 1e17, 1e30])[:, None] * np.ones(5, np.float32)
    assert_exact(queries, reference, 4)
    assert_exact(queries.astype(np.float64) * 1e100, reference.astype(np.float64), 4)


@pytest.mark.parametrize("size", [1e-42, 1e-30, 1e-12, 1e12, 1e18, 1e37])
def test_agrees_with_direct_differences_at_any_scale(size):
    reference, queries = normal(200, 16, seed=1) * np.float32(size), normal(20, 16) * np.float32(size)
    assert_exact(queries, reference, 2)


def test_agrees_with_direct_differences_of_a_set_with_one_huge_outlier():
    reference = normal(200, 16, seed=1)
    reference[7] = 1e30
    assert_exact(normal(20, 16), reference, 200)


@given(
    queries=hnp.arrays(np.int8, st.tuples(st.integers(1, 6), st.just(3)), elements=st.integers(-2, 2)),
    reference=hnp.arrays(np.int8, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(-2, 2)),
    data=st.data(),
)
@settings(deadline=None)
def test_order_of_ties_is_by_index(queries, reference, data):
    """Whole numbers have exact squares, so ties are exact and the order is fully determined."""
    k = data.draw(st.integers(1, len(reference)))
    memory = data.draw(st.sampled_from([400_000, 1 << 28]))
    found = nearest_neighbours(queries, reference, k, memory=memory)
    wanted, order = direct(queries, reference, k)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, wanted, rtol=1e-15)


@given(
    reference=hnp.arrays(np.float64, (9, 4), elements=st.floats(-1e100, 1e100)),
    queries=hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e100, 1e100)),
    k=st.integers(1, 9),
)
@settings(deadline=None)
def test_agrees_with_direct_differences_of_any_numbers(reference, queries, k):
    queries[0] = reference[4]
    assert_exact(queries, reference, k)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_equal_images_is_by_index(seed):
    """Equal images spread over many blocks have the very same distance."""
    reference = normal(3000, 70, seed=seed)
    same = np.sort(np.random.default_rng(seed).choice(3000, 40, replace=False))
    reference[same] = reference[same[0]]
    queries = reference[same[:1]] + np.float32(1e-3) * normal(4, 70)
    found = nearest_neighbours(queries, reference, 40, memory=800_000)
    assert (found.indices == same).all()
    assert (found.distances == found.distances[:, :1]).all()


@pytest.mark.parametrize("count", [1, 2, 300])
def test_limit_k_is_all_of_them(count):
    assert_exact(normal(5, 12), normal(count, 12, seed=1), count)


@pytest.mark.parametrize("memory", [600_000, 3_000_000, 1 << 28])
def test_agrees_with_itself_in_any_memory(memory):
    queries, reference = normal(700, 100), normal(900, 100, seed=1)
    wanted = nearest_neighbours(queries, reference, 3, memory=1 << 30)
    found = nearest_neighbours(queries, reference, 3, memory=memory)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.distances, wanted.distances)


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float64", "uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64", "longdouble", "bool"],
)
def test_agrees_with_direct_differences_of_every_type(dtype):
    rng = np.random.default_rng(0)
    high = 2 if dtype == "bool" else 100
    queries, reference = (rng.integers(0, high, (n, 3, 4)).astype(dtype) for n in (20, 60))
    found = nearest_neighbours(queries, reference, 5)
    wanted, order = direct(queries, reference, 5)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, wanted, rtol=1e-15)


def test_agrees_with_direct_differences_of_mixed_types():
    queries, reference = torch.randn(9, 6).half(), torch.randn(30, 6, dtype=torch.float64)
    assert_exact_torch(queries, reference)
    assert_exact_torch(reference[:9].bfloat16(), queries)


def assert_exact_torch(queries, reference):
    found = nearest_neighbours(queries, reference, 2)
    wanted, order = direct(queries.double().numpy(), reference.double().numpy(), 2)
    assert isinstance(found, Neighbours)
    assert found.distances.dtype == torch.float64 and found.indices.dtype == torch.int64
    np.testing.assert_allclose(found.distances.numpy(), wanted, rtol=1e-12)
    np.testing.assert_array_equal(found.indices.numpy(), order)


def test_agrees_with_direct_differences_of_read_only_reversed_and_strided_arrays():
    base = normal(40, 6, 4, seed=1)
    base.setflags(write=False)
    for reference in (base, base[::-1], base[:, ::2, ::-1], base.astype(">f4"), np.asfortranarray(base)):
        assert_exact(normal(5, *reference.shape[1:]), reference, 2)
    turned = torch.from_numpy(base.copy()).transpose(1, 2).requires_grad_()
    found = nearest_neighbours(turned[:3], turned, 1)
    assert found.indices.flatten().tolist() == [0, 1, 2] and not found.distances.requires_grad


def test_limit_no_queries():
    found = nearest_neighbours(np.empty((0, 4)), np.ones((3, 4)), 2)
    assert found.distances.shape == found.indices.shape == (0, 2)


def test_limit_points_on_a_line_need_no_second_axis():
    found = nearest_neighbours([0.4, 5.0], [0.0, 1.0, 3.0], 2)
    assert found.indices.tolist() == [[0, 1], [2, 1]]


def test_order_switches_are_put_back_and_not_obeyed():
    """Autocast and reduced precision of the host neither change the answer nor are changed."""
    reference = (
        torch.from_numpy(normal(500, 64, seed=1)) * 0.3 + torch.where(torch.arange(500) < 250, -10.0, 10.0)[:, None]
    )
    queries = reference[::20] + torch.from_numpy(normal(25, 64)) * 0.3
    wanted = nearest_neighbours(queries, reference, 2)
    assert_exact(queries, reference, 2)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = nearest_neighbours(queries, reference, 2)
            assert torch.is_autocast_enabled("cpu")
            assert (queries @ reference.T).dtype == torch.bfloat16
        with pytest.raises(GenwindowError):
            nearest_neighbours(queries, reference, 2, memory=1)
        assert torch.get_float32_matmul_precision() == "medium"
        if hasattr(torch.backends, "fp32_precision"):
            assert torch.backends.cuda.matmul.fp32_precision == "tf32"
            assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(found.indices, wanted.indices) and torch.equal(found.distances, wanted.distances)


@pytest.mark.gpu
@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("tf32", [False, True])
def test_is_exact_on_a_graphics_card(offset, tf32):
    """Exact copies, near copies and far offsets, also where the host lets products lose digits."""
    reference = normal(3000, 300, seed=1) + np.float32(offset)
    queries = np.concatenate([reference[::300], reference[5:9] + np.float32(1e-4), normal(300, 300) + offset])
    queries = queries.astype(np.float32)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if tf32 else "highest")
    try:
        assert_exact(queries, reference, 3, device="cuda")
        assert_exact(queries, reference, 3, device="cuda", memory=2**22)
    finally:
        torch.set_float32_matmul_precision(before)


def test_limit_memory_stays_within_its_bound():
    """No tensor made on the way is larger than a quarter of the bound; the benchmark measures them together."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Sizes(TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for t in out if isinstance(out, tuple | list) else (out,):
                if isinstance(t, torch.Tensor) and not (t.layout is torch.strided and t.data_ptr() in inputs):
                    self.largest = max(self.largest, t.numel() * t.element_size())
            return out

    queries, reference = torch.randn(400, 300), torch.randn(5000, 300)
    inputs = {queries.data_ptr(), reference.data_ptr()}
    memory = 2_000_000
    with Sizes() as sizes:
        nearest_neighbours(queries, reference, 2, memory=memory)
    assert 0 < sizes.largest <= memory // 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["queries", "reference"])
def test_rejects_numbers_that_are_not_finite(bad, which):
    arrays = {"queries": normal(5, 2, 3), "reference": normal(9, 2, 3)}
    arrays[which][3, 1, 2] = bad
    arrays[which][4, 0, 0] = np.nan
    with pytest.raises(GenwindowError, match=f"{which} holds NaN or infinite values, first in row 3 of"):
        nearest_neighbours(**arrays)


def test_rejects_numbers_whose_differences_float64_cannot_hold():
    with pytest.raises(GenwindowError, match=r"reference must hold numbers below 1e\+300 in size, got 1e\+305"):
        nearest_neighbours([[1.0]], [[1e305]], 1)
    with pytest.raises(GenwindowError, match=r"queries must hold numbers below 9.0072e\+15 in size"):
        nearest_neighbours([[2**53]], [[1]], 1)


@pytest.mark.parametrize(
    ("one", "other"), [((5, 3), (9, 4)), ((5, 3, 8, 8), (9, 8, 8, 3)), ((5, 4, 4), (9, 2, 8)), ((5,), (9, 2))]
)
def test_rejects_different_shapes(one, other):
    with pytest.raises(GenwindowError, match=r"queries and reference must hold images of one shape, got \(5.*\(9"):
        nearest_neighbours(np.ones(one), np.ones(other))


def test_agrees_with_flattened_images():
    queries, reference = normal(4, 1, 5, 5), normal(20, 5, 5, seed=1)
    wanted = nearest_neighbours(queries, reference)
    for a, b in ((queries[:, 0], reference), (queries.reshape(4, 25), reference)):
        np.testing.assert_array_equal(nearest_neighbours(a, b).indices, wanted.indices)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 8}, "k must be at most the number of reference images, got k = 8 and 7 images"),
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"memory": 100}, r"memory must be at least \d+ bytes for k = 2 and 3 numbers a row, got 100"),
        ({"memory": 1.5}, "memory must be a whole number of at least 1, got 1.5"),
    ],
)
def test_rejects_options(options, message):
    with pytest.raises(GenwindowError, match=message):
        nearest_neighbours(np.ones((2, 3)), np.ones((7, 3)), **options)


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (np.float32(1), "queries must be a batch of images"),
        (np.ones((2, 3), dtype=complex), "queries must hold real numbers, got dtype complex128"),
        (torch.ones(2, 3, dtype=torch.complex64), "queries must hold real numbers, got dtype torch.complex64"),
        ([["a", "b", "c"]], "queries must hold real numbers, got dtype <U1"),
        ([[1.0], [1.0, 2.0]], "queries must be rectangular"),
        (np.ones((2, 0)), r"queries must hold at least one number per image, got shape \(2, 0\)"),
    ],
)
def test_rejects_what_are_no_images(queries, message):
    with pytest.raises(GenwindowError, match=message):
        nearest_neighbours(queries, np.ones((7, 3)))
