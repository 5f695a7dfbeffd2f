"""A plugin whose company for messages remembers what it was given."""

from __future__ import annotations

from meterhub import hookimpl
from meterhub.messages.notifier import MessageState, Notifier, Receipt
from meterhub.money.provider import NoticeAnswer

SENT = []


class Carrier(Notifier):
    """Takes everything; its receipts are ``provider_id|number``."""

    name = "carrier"
    receipts_secret = "s3cret"

    async def send(self, message):
        SENT.append(message)
        return f"id{len(SENT)}"

    async def query(self, message, provider_id, sent_ms):
        return None

    def parse_receipts(self, notice):
        provider_id, to = notice.body.decode().split("|")
        return [Receipt("", provider_id, to, MessageState.DELIVERED)]

    def receipt_answer(self, accepted):
        return NoticeAnswer(200, b"taken")

    async def test(self):
        return "fine"


@hookimpl
def register_notifiers():
    return [Carrier()]
