"""Runs: one call of an action each, with its four states, and where the durable ones are kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from meterhub.cause import Cause


class RunState(StrEnum):
    """How far a run is."""

    QUEUED = "queued"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"


_SALT = os.urandom(16)

FINAL = (RunState.CONFIRMED, RunState.FAILED)


class Run:
    """One call of an action. ``done`` resolves when the state is final, and never raises.

    ``sent``: whether its first byte left for the device, in this process. ``seal`` stands for the content of a run
    that holds secrets: its ``params`` are empty, so that nothing that shows runs can show them.
    """

    __slots__ = (
        "action",
        "actor",
        "cause",
        "created_ms",
        "done",
        "error",
        "id",
        "key",
        "params",
        "reason",
        "result",
        "seal",
        "sent",
        "state",
        "target",
        "updated_ms",
    )

    def __init__(
        self, id: str, action: str, target: str, params: Mapping[str, Any], actor: str, cause: Cause, now_ms: int
    ) -> None:
        self.id = id
        self.action = action
        self.target = target
        self.params = params
        self.actor = actor
        self.cause = cause
        self.key = ""
        self.seal = ""
        self.reason = ""
        self.state = RunState.QUEUED
        self.sent = False
        self.result: dict[str, Any] | None = None
        self.error: dict[str, str] | None = None
        self.created_ms = now_ms
        self.updated_ms = now_ms
        self.done: asyncio.Future[Run] | None = None


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run went to its present state."""

    run: Run


class Journal(Protocol):
    """Where durable runs are kept."""

    async def create(self, run: Run) -> Run | None:
        """Store a new run; returns the run that already holds its key instead, if there is one."""

    async def update(self, run: Run) -> None:
        """Store the run's state, result and error."""

    async def find(self, run_id: str) -> Run | None:
        """The stored run with this id."""


def content_of(run: Run) -> str:
    """What a run was asked to do, to tell whether an idempotency key is used again for something else."""
    return run.seal or json.dumps([run.action, run.target, dict(run.params)], sort_keys=True, default=str)


def hide_params(run: Run) -> None:
    """Forget the params of a run that holds secrets; the same content is still known again by this process."""
    run.seal = hashlib.blake2b(content_of(run).encode(), key=_SALT).hexdigest()
    run.params = {}
