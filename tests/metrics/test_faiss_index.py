import sys

import numpy as np
import pytest

from genwindow import GenwindowError
from genwindow.metrics import nearest_neighbours
from genwindow.metrics.faiss_index import FaissIndex

pytest.importorskip("faiss")


def images(seed, n, dim=24, offset=0.0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32) + np.float32(offset)


def same(found, exact):
    np.testing.assert_array_equal(found.indices, exact.indices)
    np.testing.assert_allclose(found.distances, exact.distances, rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_agrees_with_the_exact_search(offset, k):
    train, queries = images(0, 3000, offset=offset), images(1, 150, offset=offset)
    queries[:20] = train[:20]
    queries[20:40] += np.float32(0)
    queries[40:60] = train[40:60] + np.float32(1e-3)
    same(FaissIndex(train).nearest(queries, k), nearest_neighbours(queries, train, k))


def test_agrees_next_to_copies_where_faiss_itself_is_wrong():
    """Many images within the rounding of float32 of one another, far from the rest: candidates alone would not do."""
    rng = np.random.default_rng(0)
    train = rng.normal(size=(2000, 64))
    train[:200] = 5 + 1e-5 * rng.normal(size=(200, 64))  # 200 near copies, more than are proposed
    train[1999] = -50  # the farthest image sets the bound
    queries = train[:50] + 1e-6 * rng.normal(size=(50, 64))
    exact = nearest_neighbours(queries, train, 3)
    same(FaissIndex(train).nearest(queries, 3), exact)
    import faiss

    plain = faiss.IndexFlatL2(64)
    plain.add(train.astype(np.float32))
    assert (plain.search(queries.astype(np.float32), 3)[1] != exact.indices).any()


def test_limit_k_is_all_of_them():
    train = images(0, 30)
    same(FaissIndex(train).nearest(images(1, 7), 30), nearest_neighbours(images(1, 7), train, 30))
    one = FaissIndex(train[:1]).nearest(images(1, 7), 1)
    assert (one.indices == 0).all()


def test_cells_find_every_copy_and_say_how_many_others(tmp_path):
    train, queries = images(0, 4000), images(1, 200)
    queries[:50] = train[:50]
    index = FaissIndex(train, cells=100, probes=10, folder=tmp_path)
    found, exact = index.nearest(queries, 5), nearest_neighbours(queries, train, 5)
    assert (found.distances[:50, 0] == 0).all() and (found.indices[:50, 0] == np.arange(50)).all()
    direct = np.linalg.norm(train[found.indices].astype(float) - queries[:, None].astype(float), axis=2)
    np.testing.assert_allclose(found.distances, direct, rtol=1e-12)  # what is returned is exact
    hits = int((found.indices == exact.indices).all(axis=1).sum())
    assert index.recall(queries, 5).value == hits / 200 and hits < 200
    assert FaissIndex(train, cells=100, probes=100).recall(queries, 5).value == 1  # every cell


def test_an_index_is_kept_for_its_own_features_only(tmp_path, monkeypatch):
    train = images(0, 500)
    first = FaissIndex(train, folder=tmp_path).nearest(train[:5], 2)
    files = list(tmp_path.iterdir())
    assert len(files) == 1
    built = []
    whole = FaissIndex._built
    monkeypatch.setattr(FaissIndex, "_built", lambda self, *rest: built.append(1) or whole(self, *rest))
    same(FaissIndex(train, folder=tmp_path).nearest(train[:5], 2), first)
    assert not built
    FaissIndex(train + 1, folder=tmp_path)
    assert len(built) == 1 and len(list(tmp_path.iterdir())) == 2
    files[0].write_bytes(b"damaged")
    same(FaissIndex(train, folder=tmp_path).nearest(train[:5], 2), first)
    assert len(built) == 2


def test_features_in_a_file_are_indexed_in_place(tmp_path):
    np.save(tmp_path / "a.npy", images(0, 2000).astype(np.float16))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    queries = mapped[:30].astype(np.float32)
    same(FaissIndex(mapped).nearest(queries, 4), nearest_neighbours(queries, mapped, 4))


def test_rejects(monkeypatch):
    train = images(0, 20)
    with pytest.raises(GenwindowError, match="k must be a whole number of at least 1 and at most 20"):
        FaissIndex(train).nearest(train, 21)
    with pytest.raises(GenwindowError, match="images of one shape"):
        FaissIndex(train).nearest(train[:, :3])
    with pytest.raises(GenwindowError, match="NaN or infinite"):
        FaissIndex(train * np.nan)
    with pytest.raises(GenwindowError, match="cells must be"):
        FaissIndex(train, cells=21)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(GenwindowError, match="needs faiss: pip install"):
        FaissIndex(train)
