"""The seal of the nightly proof: its key is the hub's own, and what is not exactly what was signed is not it."""

from __future__ import annotations

from meterhub.money.seal import Seal, verify


def test_a_key_is_made_once_in_a_folder_for_the_hub_alone(tmp_path):
    folder = tmp_path / "data" / "proofs"
    signature = Seal(folder).write("2026-01-01", b"all is well")
    assert (folder.stat().st_mode & 0o777, (folder / "proof.key").stat().st_mode & 0o777) == (0o700, 0o600)
    public = (folder / "proof.pub").read_text()
    assert verify(public, b"all is well", Seal(folder).write("2026-01-02", b"all is well"))
    assert (folder / "proof.pub").read_text() == public
    assert (folder / "2026-01-01.json").read_bytes() == b"all is well"
    assert (folder / "2026-01-01.sig").read_text() == signature
    assert {one.name for one in folder.iterdir()} == {
        "proof.key",
        "proof.pub",
        *(f"2026-01-0{day}.{kind}" for day in (1, 2) for kind in ("json", "sig")),
    }


def test_a_folder_that_is_there_already_will_do(tmp_path):
    signature = Seal(tmp_path).write("2026-01-01", b"all is well")
    public = (tmp_path / "proof.pub").read_text()
    assert verify(public, b"all is well", signature)
    for other in (f"{signature}!", f"{signature}\n", signature[:-4], "", "!"):
        assert not verify(public, b"all is well", other)
    assert not verify(public, b"all is well.", signature)
