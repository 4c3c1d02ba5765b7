"""Signed notes and checkpoints: as C2SP specifies them, read and written."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compliance.evidence import notes
from compliance.evidence.notes import Checkpoint, InvalidNote, Verifier

ORIGIN = "portcullis/abc/platform"
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
PUBLIC, OTHER_PUBLIC = (key.public_key().public_bytes_raw() for key in (KEY, OTHER))
CHECKPOINT = Checkpoint(ORIGIN, 12, bytes(32))
NOTE = notes.sign_checkpoint(CHECKPOINT, keys=[KEY])

# The example of Go's golang.org/x/mod/sumdb/note, which the format comes from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    GO_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_it_works() -> None:
    text, signers = notes.opened(GO_NOTE, verifiers=[notes.parse_verifier_key(GO_KEY)])
    assert (text, list(map(str, signers))) == (GO_TEXT, [GO_KEY])


def test_a_checkpoint_reads_as_the_specification_says() -> None:
    assert NOTE.startswith(f"{ORIGIN}\n12\n{base64.b64encode(bytes(32)).decode()}\n\n— {ORIGIN} ")
    assert notes.open_checkpoint(NOTE, origin=ORIGIN, publics=[PUBLIC]) == CHECKPOINT
    example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert notes.parse_checkpoint(example).size == 20852163
    assert notes.checkpoint_text(notes.parse_checkpoint(example)) == example


def test_two_keys_sign_one_note_and_each_is_enough() -> None:
    note = notes.sign_checkpoint(CHECKPOINT, keys=[KEY, OTHER])
    assert [each.key_id for each in notes.signatures_of(note)] == [
        notes.key_id(ORIGIN, PUBLIC),
        notes.key_id(ORIGIN, OTHER_PUBLIC),
    ]
    for publics in ([PUBLIC], [OTHER_PUBLIC], [PUBLIC, OTHER_PUBLIC]):
        assert notes.open_checkpoint(note, origin=ORIGIN, publics=publics) == CHECKPOINT


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE.replace("\n12\n", "\n13\n"),
        NOTE.replace(ORIGIN, "portcullis/abc/tenant/1"),
        NOTE.replace("\n\n", "\n"),
        NOTE.rstrip("\n"),
        NOTE + "\n",
        NOTE + "no signature\n",
        NOTE[:-10] + "AAAAAAAA=\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("\n12\n", "\n12\r\n"),
        notes.sign_checkpoint(CHECKPOINT, keys=[OTHER]),
        notes.sign_checkpoint(Checkpoint("another", 12, bytes(32)), keys=[KEY]),
        notes.sign("no checkpoint\n", name=ORIGIN, keys=[KEY]),
        notes.sign(f"{ORIGIN}\n012\n{base64.b64encode(bytes(32)).decode()}\n", name=ORIGIN, keys=[KEY]),
        notes.sign(f"{ORIGIN}\n12\nAAAA\n", name=ORIGIN, keys=[KEY]),
        NOTE + NOTE.split("\n\n")[1] * 16,
    ],
)
def test_nothing_else_is_believed(note: str) -> None:
    with pytest.raises(InvalidNote):
        notes.open_checkpoint(note, origin=ORIGIN, publics=[PUBLIC])


def test_each_bit_of_a_signature_counts() -> None:
    line = NOTE.split("\n\n")[1]
    signed = bytearray(base64.b64decode(line.split(" ")[2]))
    for at in range(4, len(signed)):
        signed[at] ^= 1
        forged = NOTE.replace(line, f"— {ORIGIN} {base64.b64encode(signed).decode()}\n")
        with pytest.raises(InvalidNote):
            notes.open_checkpoint(forged, origin=ORIGIN, publics=[PUBLIC])
        signed[at] ^= 1


def test_signatures_of_strangers_are_ignored() -> None:
    witness = notes.sign(notes.checkpoint_text(CHECKPOINT), name="witness.example", keys=[OTHER]).split("\n\n")[1]
    assert notes.open_checkpoint(NOTE + witness, origin=ORIGIN, publics=[PUBLIC]) == CHECKPOINT


def test_a_verifier_key_says_all_that_a_verifier_needs() -> None:
    text = notes.verifier_key(ORIGIN, PUBLIC)
    assert notes.parse_verifier_key(text) == Verifier(ORIGIN, PUBLIC)
    for altered in (
        text.replace("platform", "plattform"),
        text[:-2] + "A=",
        text + "x",
        "",
        "a+b",
        text.replace("+", " "),
    ):
        with pytest.raises(InvalidNote):
            notes.parse_verifier_key(altered)


@pytest.mark.parametrize(
    ("text", "name"), [("no end", "a"), ("tab\t\n", "a"), ("x\n", "a b"), ("x\n", "a+b"), ("x\n", "")]
)
def test_what_is_no_note_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(InvalidNote):
        notes.sign(text, name=name, keys=[KEY])
