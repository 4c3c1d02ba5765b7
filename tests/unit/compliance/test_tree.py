"""Merkle trees against RFC 6962's definition, and against the vectors that logs of certificates are tested with."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.evidence import tiles, tree
from compliance.evidence.tiles import Edge, TileMissing

# The eight leaves, and the roots of the trees over the first one, two, … of them, of certificate-transparency's tests.
DATA = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MANY = 300
LEAVES = [tree.hash_leaf(str(number).encode()) for number in range(MANY)]


def split(size: int) -> int:
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def test_it_works() -> None:
    leaves = [tree.hash_leaf(data) for data in DATA]
    assert [tree.root_of(leaves[:size]).hex() for size in range(1, 9)] == ROOTS
    assert tree.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.root(7, tree.node_of(leaves)).hex() == ROOTS[6]


@pytest.mark.parametrize("size", [*range(1, 40), 63, 64, 65, 127, 128, 129, 255, 256, 257, 300])
def test_each_leaf_proves_its_place(size: int) -> None:
    leaves, node = LEAVES[:size], tree.node_of(LEAVES)
    root = mth(leaves)
    assert tree.root(size, node) == tree.root_of(leaves) == root
    for index in range(size):
        proof = tree.inclusion(index, size, node)
        if size <= 40:
            assert proof == path(index, leaves)
        assert tree.verify_inclusion(index, size, leaves[index], proof, root)


@pytest.mark.parametrize("new", [*range(1, 34), 127, 128, 129, 255, 256, 257, 300])
def test_each_tree_proves_how_it_began(new: int) -> None:
    node = tree.node_of(LEAVES)
    for old in range(0, new + 1, 1 if new < 40 else 7):
        proof = tree.consistency(old, new, node)
        if old > 0:
            assert proof == subproof(old, LEAVES[:new], True)
        assert tree.verify_consistency(old, new, proof, mth(LEAVES[:old]), mth(LEAVES[:new]))


@given(st.data())
def test_a_proof_proves_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MANY))
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    node, root = tree.node_of(LEAVES), mth(LEAVES[:size])
    proof = tree.inclusion(index, size, node)
    assert not tree.verify_inclusion(other, size, LEAVES[index], proof, root)
    assert not tree.verify_inclusion(index, size, LEAVES[other], proof, root)
    assert not tree.verify_inclusion(index, size, LEAVES[index], [*proof, root], root)
    assert not tree.verify_inclusion(index, size, LEAVES[index], proof[:-1], root)
    assert not tree.verify_inclusion(size, size, LEAVES[index], proof, root)
    altered = data.draw(st.integers(0, len(proof) - 1))
    bad = [bytes([each[0] ^ 1]) + each[1:] if at == altered else each for at, each in enumerate(proof)]
    assert not tree.verify_inclusion(index, size, LEAVES[index], bad, root)


@given(st.data())
def test_a_tree_that_was_changed_proves_no_beginning(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MANY))
    old = data.draw(st.integers(1, new - 1))
    node, before, after = tree.node_of(LEAVES), mth(LEAVES[:old]), mth(LEAVES[:new])
    proof = tree.consistency(old, new, node)
    forged = mth([*LEAVES[: old - 1], bytes(32)])
    assert not tree.verify_consistency(old, new, proof, forged, after)
    assert not tree.verify_consistency(old, new, proof, before, forged)
    assert not tree.verify_consistency(old, new, proof[:-1], before, after)
    assert not tree.verify_consistency(old, new, [*proof, after], before, after)
    assert not tree.verify_consistency(new, old, proof, after, before)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError):
        tree.inclusion(index, size, tree.node_of(LEAVES))


# --- tiles -----------------------------------------------------------------------------------------------------------

SOME = [tree.hash_leaf(bytes([number % 251, number // 251])) for number in range(1400)]


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_a_tree_grows_by_its_edge_alone(steps: list[int]) -> None:
    kept: dict[tiles.Place, bytes] = {}
    size = 0
    for step in steps:
        more = SOME[size : size + step]
        edge = Edge(size, {place: kept[place] for place in tiles.edge_of(size)})
        edge.add(more)
        assert all(hashes.startswith(kept.get(place, b"")) for place, hashes in edge.changed.items())
        kept |= edge.changed
        size += len(more)
        assert (edge.size, edge.root()) == (size, tree.root_of(SOME[:size]))
    node = tiles.nodes_in(lambda level, index: kept[level, index], size)
    assert tree.root(size, node) == tree.root_of(SOME[:size])
    assert kept[0, 0] == b"".join(SOME[: min(size, 256)])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 600, 1400])
def test_proofs_come_out_of_tiles_also_for_smaller_trees(size: int) -> None:
    edge = Edge(0, {})
    edge.add(SOME)
    node = tiles.nodes_in(lambda level, index: edge.changed[level, index], size)
    root = tree.root_of(SOME[:size])
    for index in range(0, size, 37):
        assert tree.verify_inclusion(index, size, SOME[index], tree.inclusion(index, size, node), root)
        old_root = tree.root_of(SOME[:index])
        assert tree.verify_consistency(index, size, tree.consistency(index, size, node), old_root, root)


def test_a_large_tree_has_the_tiles_that_the_specification_names() -> None:
    edge = Edge(0, {})
    edge.add(SOME[0] for _ in range(70_000))
    width = {place: len(hashes) // 32 for place, hashes in edge.changed.items()}
    assert sum(1 for (level, _), count in width.items() if level == 0 and count == 256) == 273
    assert (width[0, 273], width[1, 0], width[1, 1], width[2, 0]) == (112, 256, 17, 1)
    assert list(tiles.edge_of(70_000)) == [(0, 273), (1, 1), (2, 0)]


def test_a_tile_that_is_gone_or_short_is_missed() -> None:
    with pytest.raises(TileMissing):
        Edge(300, {(0, 1): bytes(32 * 43), (1, 0): bytes(32)})
    with pytest.raises(TileMissing):
        tree.root(300, tiles.nodes_in(lambda level, index: bytes(32), 300))
