"""DL/T 645-1997 and 2007: the protocol of Chinese electricity meters.

``decode_frame`` and ``encode_read`` are for whoever wants frames without a hub: bytes in, objects out, no I/O.
"""

from meterhub_dlt645.frame import Frame, decode_frame, encode_read

__all__ = ["Frame", "decode_frame", "encode_read"]
