"""Merkle trees of RFC 6962, 2.1: roots, and proofs as RFC 9162, 2.1.3 and 2.1.4, makes and verifies them. Pure,
standard library only.

A node (level, index) is the root over the leaves from `index << level` on, `1 << level` of them.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH = 32
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]
"""Level and index to hash."""


def hash_leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over hashes of leaves; holds no more than a hash for each level."""
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        level, node = 0, leaf
        while stack and stack[-1][0] == level:
            node = hash_children(stack.pop()[1], node)
            level += 1
        stack.append((level, node))
    return fold([node for _, node in stack])


def root(size: int, node: Node) -> bytes:
    """The root of a tree of that size."""
    return _over(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The hashes that prove a leaf's place in a tree of that size.

    Raises:
        ValueError: there is no such place.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append((middle, end))
            end = middle
        else:
            proof.append((start, middle))
            start = middle
    return [_over(*each, node) for each in reversed(proof)]


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """The hashes that prove that a tree of size `old` is how the one of size `new` began.

    Raises:
        ValueError: it cannot be.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is not the beginning of one of {new}")
    if old in (0, new):
        return []
    proof, start, end, was_whole = [], 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append((middle, end))
            end = middle
        else:
            proof.append((start, middle))
            start, was_whole = middle, False
    if not was_whole:
        proof.append((start, end))
    return [_over(*each, node) for each in reversed(proof)]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the hash of a leaf is at that place in the tree of that size and root."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hash_children(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hash_children(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the tree of the one size and root is how the tree of the other began."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = hash_children(each, first), hash_children(each, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = hash_children(second, each)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def node_of(leaves: Sequence[bytes]) -> Node:
    """The nodes over hashes of leaves that are at hand, computed as they are asked for."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return hash_children(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _over(start: int, end: int, node: Node) -> bytes:
    """The root over leaves from `start`, which is a multiple of the power of two at or above their count, to `end`."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(node(level, start >> level))
        start += 1 << level
    return fold(nodes)


def fold(nodes: list[bytes]) -> bytes:
    """The root over trees that stand side by side, the largest first."""
    if not nodes:
        return EMPTY
    found = nodes[-1]
    for each in reversed(nodes[:-1]):
        found = hash_children(each, found)
    return found
