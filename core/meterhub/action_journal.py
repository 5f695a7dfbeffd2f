"""Where durable action runs are kept: the ``action_runs`` table of the store."""

from __future__ import annotations

import json
from typing import Any

from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.runs import Run, RunState
from meterhub.store.engine import Row, Store, Transaction


class StoredRuns:
    """The ``Journal`` of the actions. One row per run; a key is held by one run only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, run: Run) -> Run | None:
        """Store a new run; returns the run that holds its key instead, if there is one."""
        row = _to_row(run)

        def write(tx: Transaction) -> Row | None:
            if run.key:
                known = tx.one("run_by_key", {"actor": run.actor, "key": run.key})
                if known is not None:
                    return known
            tx.insert("action_runs", row)
            return None

        known = await self._store.transact(write)
        return None if known is None else _from_row(known)

    async def update(self, run: Run) -> None:
        """Store the run's state, result and error."""
        changes = {
            "state": str(run.state),
            "result_json": _json(run.result),
            "error_json": _json(run.error),
            "updated_ms": run.updated_ms,
        }
        await self._store.transact(lambda tx: tx.update("action_runs", {"id": run.id}, changes))

    async def find(self, run_id: str) -> Run | None:
        """The stored run with this id."""
        rows = await self._store.query("run_by_id", {"id": run_id})
        return _from_row(rows[0]) if rows else None

    async def of_target(self, target: str, most: int = 20) -> list[Run]:
        """The latest stored runs for one device, newest first."""
        rows = await self._store.query("runs_of_target", {"target": target, "most": most})
        return [_from_row(row) for row in rows]

    async def close_open_runs(self) -> int:
        """At start: runs that the last stop interrupted failed, and say what to do. Returns how many there were."""
        error = {
            "code": "dropped",
            "message": "the hub stopped while the command was under way",
            "where": "",
            "hint": "read the meter before trying again",
        }
        params = {"error": _json(error), "now_ms": self._clock.now()}
        return await self._store.transact(lambda tx: tx.execute("close_open_runs", params))


def _to_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "key": run.key,
        "action": run.action,
        "target": run.target,
        "params_json": _json(dict(run.params)),
        "reason": run.reason,
        "state": str(run.state),
        "result_json": _json(run.result),
        "error_json": _json(run.error),
        "cause": str(run.cause),
        "actor": run.actor,
        "created_ms": run.created_ms,
        "updated_ms": run.updated_ms,
    }


def _from_row(row: Row) -> Run:
    cause = Cause.parse(row["cause"]) or Cause("system", "")
    params = json.loads(row["params_json"])
    run = Run(row["id"], row["action"], row["target"], params, row["actor"], cause, row["created_ms"])
    run.key = row["key"]
    run.reason = row["reason"]
    run.state = RunState(row["state"])
    run.result = json.loads(row["result_json"]) if row["result_json"] else None
    run.error = json.loads(row["error_json"]) if row["error_json"] else None
    run.updated_ms = row["updated_ms"]
    return run


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)
