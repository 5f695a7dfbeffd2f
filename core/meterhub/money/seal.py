"""The seal: signs the nightly proof with a key of this installation, so that a copy of it can be checked later."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from meterhub.errors import ConfigError, StoreError

KEY_FILE, PUBLIC_FILE = "proof.key", "proof.pub"


class Seal:
    """Ed25519; the key is made at the first use, in ``folder``, for the hub's user alone. Blocks: use a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, day: str, content: bytes) -> str:
        """Sign ``content``, keep it as ``DAY.json`` with ``DAY.sig`` beside it, and return the signature as Base64."""
        try:
            key = self._key()
            signature = base64.b64encode(eddsa.new(key, "rfc8032").sign(content)).decode()
            self._put(f"{day}.json", content)
            self._put(f"{day}.sig", signature.encode())
        except OSError as error:
            raise StoreError(f"the proof cannot be written: {error.strerror}", where=str(self.folder)) from error
        return signature

    def _key(self) -> ECC.EccKey:
        file = self.folder / KEY_FILE
        if file.is_file() and file.stat().st_size:  # an empty one is what a full disk left of it, and signed nothing
            return self._known(file)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ECC.generate(curve="ed25519")
        self._put(PUBLIC_FILE, key.public_key().export_key(format="PEM").encode())
        self._put(KEY_FILE, key.export_key(format="PEM").encode(), 0o600)
        return key

    def _known(self, file: Path) -> ECC.EccKey:
        try:
            return ECC.import_key(file.read_text(encoding="ascii"))
        except ValueError:
            hint = "restore it from a backup; or take it and proof.pub away, and a new key signs from then on"
            raise ConfigError("the key that signs proofs is damaged", where=str(file), hint=hint) from None

    def _put(self, name: str, content: bytes, mode: int = 0o666) -> None:
        """Write a file that is there whole or not at all, whatever ends the hub."""
        part = self.folder / f"{name}.part"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)


def verify(public_pem: str, content: bytes, signature: str) -> bool:
    """Whether ``content`` is what was signed."""
    try:
        eddsa.new(ECC.import_key(public_pem), "rfc8032").verify(content, base64.b64decode(signature, validate=True))
    except ValueError:
        return False
    return True
