"""Calls over the network: collectors that dial in or are dialled, over TCP, TLS or UDP. For links of any plugin."""
