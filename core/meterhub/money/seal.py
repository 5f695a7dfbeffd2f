"""The seal: signs the nightly proof with a key of this installation, so that a copy of it can be checked later."""

from __future__ import annotations

import base64
from pathlib import Path

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from meterhub.errors import StoreError

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
            for name, data in ((f"{day}.json", content), (f"{day}.sig", signature.encode())):
                part = self.folder / f"{name}.part"
                part.write_bytes(data)
                part.replace(self.folder / name)
        except OSError as error:
            raise StoreError(f"the proof cannot be written: {error.strerror}", where=str(self.folder)) from error
        return signature

    def _key(self) -> ECC.EccKey:
        file = self.folder / KEY_FILE
        if file.is_file():
            return ECC.import_key(file.read_text(encoding="ascii"))
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ECC.generate(curve="ed25519")
        file.touch(mode=0o600)
        file.write_text(key.export_key(format="PEM"), encoding="ascii")
        (self.folder / PUBLIC_FILE).write_text(key.public_key().export_key(format="PEM"), encoding="ascii")
        return key


def verify(public_pem: str, content: bytes, signature: str) -> bool:
    """Whether ``content`` is what was signed."""
    try:
        eddsa.new(ECC.import_key(public_pem), "rfc8032").verify(content, base64.b64decode(signature, validate=True))
    except ValueError:
        return False
    return True
