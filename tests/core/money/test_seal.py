"""The seal of the nightly proof: its key is the hub's own, and what is not exactly what was signed is not it."""

from __future__ import annotations

import os

import pytest
from stops import Stopped

from meterhub.errors import ConfigError
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


def test_a_seal_that_is_stopped_at_any_file_seals_after_that(tmp_path, monkeypatch):
    """Before and after each file that is opened, flushed, named: key, public key, proof and signature fit together."""
    calls, stop_at = [], [0]

    def stopping(name):
        real = getattr(os, name)

        def call(*args, **more):
            for moment in ("before", "after"):
                calls.append(f"{moment} {name}")
                if len(calls) == stop_at[0]:
                    raise Stopped
                if moment == "before":
                    result = real(*args, **more)
            return result

        monkeypatch.setattr(os, name, call)

    for name in ("open", "fsync", "replace", "mkdir"):
        stopping(name)
    Seal(tmp_path / "0").write("2026-11-23", b"content")
    everything = list(calls)
    assert len(everything) == 2 * (1 + 4 * 3)
    for stop in range(1, len(everything) + 1):
        calls.clear()
        stop_at[0], folder = stop, tmp_path / f"{stop}"
        with pytest.raises(Stopped):
            Seal(folder).write("2026-11-23", b"content")
        stop_at[0] = 0
        signature = Seal(folder).write("2026-11-23", b"content")
        public = (folder / "proof.pub").read_text()
        assert verify(public, b"content", signature), everything[stop - 1]
        assert (folder / "2026-11-23.sig").read_text() == signature
        assert (folder / "proof.key").stat().st_mode & 0o777 == 0o600


def test_what_a_full_disk_left_of_a_key_is_made_anew_and_a_damaged_one_is_told(tmp_path):
    (tmp_path / "proof.key").touch()
    signature = Seal(tmp_path).write("2026-11-23", b"content")
    assert verify((tmp_path / "proof.pub").read_text(), b"content", signature)
    (tmp_path / "proof.key").write_text("-----BEGIN PRI")
    with pytest.raises(ConfigError, match="damaged"):
        Seal(tmp_path).write("2026-11-24", b"content")
