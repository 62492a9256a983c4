"""Proof verification against the probes that Certificate Transparency implementations share, and the roots of the reference tree."""

import base64
import json
from pathlib import Path

import pytest
from translog.errors import ProofError
from translog.merkle import EMPTY_ROOT, fold, leaf_hash, node_hash, verify_consistency, verify_inclusion

VECTORS = Path(__file__).parent / "vectors"

# transparency-dev/merkle testonly/constants.go: inputs and the root of every prefix.
INPUTS = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def probes(kind: str) -> list[dict]:
    return json.loads((VECTORS / f"{kind}.json").read_text())


def b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("probe", probes("inclusion"), ids=lambda p: p["name"])
def test_inclusion_probe(probe: dict) -> None:
    def verify() -> None:
        verify_inclusion(
            leaf=b64(probe["leafHash"]),
            index=probe["leafIdx"],
            size=probe["treeSize"],
            proof=[b64(h) for h in probe["proof"] or []],
            root=b64(probe["root"]),
        )

    if probe["wantErr"]:
        with pytest.raises(ProofError):
            verify()
    else:
        verify()


def stricter(probe: dict) -> bool:
    """We also check that roots have 32 bytes; one probe of equal sizes has a text instead and passes there."""
    return len(b64(probe["root1"])) != 32


@pytest.mark.parametrize("probe", [p for p in probes("consistency") if p["size1"] > 0], ids=lambda p: p["name"])
def test_consistency_probe(probe: dict) -> None:
    def verify() -> None:
        verify_consistency(
            old_size=probe["size1"],
            old_root=b64(probe["root1"]),
            new_size=probe["size2"],
            new_root=b64(probe["root2"]),
            proof=[b64(h) for h in probe["proof"] or []],
        )

    if probe["wantErr"] or stricter(probe):
        with pytest.raises(ProofError):
            verify()
    else:
        verify()


def test_the_probes_hold_both_kinds() -> None:
    for kind in ("inclusion", "consistency"):
        assert {p["wantErr"] for p in probes(kind)} == {True, False}


def test_reference_roots() -> None:
    def mth(bodies: list[bytes]) -> bytes:
        if not bodies:
            return EMPTY_ROOT
        if len(bodies) == 1:
            return leaf_hash(bodies[0])
        k = 1
        while k * 2 < len(bodies):
            k *= 2
        return node_hash(mth(bodies[:k]), mth(bodies[k:]))

    assert [mth(INPUTS[:n]).hex() for n in range(9)] == ROOTS
    assert fold([leaf_hash(b) for b in INPUTS]).hex() == ROOTS[8]


def test_fold_refuses_incomplete_subtrees() -> None:
    for count in (0, 3, 6):
        with pytest.raises(ValueError, match="no complete subtree"):
            fold([EMPTY_ROOT] * count)


def test_an_empty_tree_is_a_prefix_of_every_tree() -> None:
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=8, new_root=bytes.fromhex(ROOTS[8]), proof=[])
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=0, new_root=EMPTY_ROOT, proof=[])
    wrong = bytes(32)
    for old_root, new_size, new_root, proof in [
        (wrong, 8, bytes.fromhex(ROOTS[8]), []),
        (EMPTY_ROOT, 0, wrong, []),
        (EMPTY_ROOT, 8, bytes.fromhex(ROOTS[8]), [wrong]),
    ]:
        with pytest.raises(ProofError):
            verify_consistency(old_size=0, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof)


def test_a_tree_does_not_shrink() -> None:
    with pytest.raises(ProofError, match="shrink"):
        verify_consistency(old_size=5, old_root=EMPTY_ROOT, new_size=4, new_root=EMPTY_ROOT, proof=[])
