"""Actions: the only way to make something happen, for pages, the API, scripts, schedules and tenants alike.

A command is seen in four states: ``queued``, ``sent``, ``confirmed`` (by the device, with what was read back) and
``failed`` (with why). ``confirmed`` is never shown before the device answered.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import voluptuous as vol

from meterhub.bus import Bus
from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.errors import BadInput, Conflict, MeterHubError, Misuse, NotAllowed, NotFound
from meterhub.invalid import as_bad_input
from meterhub.occasion import Many
from meterhub.runs import FINAL, Journal, Run, RunChanged, RunState, content_of, hide_params
from meterhub.texts import mark

MAX_REMEMBERED = 10_000
"""Finished runs kept in memory; durable ones stay in the store."""

NOT_ENDED = {"code": "dropped", "message": mark("the hub stopped"), "hint": mark("read the meter")}
"""Why a run failed that the hub itself cut off."""


class Danger(StrEnum):
    """What a page must ask before it calls the action."""

    NONE = "none"
    CONFIRM = "confirm"
    REASON = "reason"
    TWO_PEOPLE = "two_people"


class Target(Protocol):
    """What an action acts on: a device or anything else with an id and a place in the tree of permissions."""

    @property
    def id(self) -> str:
        """Readable id."""

    @property
    def scope(self) -> str:
        """``operator/site/place…``."""


class Actor(Protocol):
    """Who asks."""

    @property
    def id(self) -> str:
        """``user:anna``, ``schedule:quarter-hour``, ``system``."""

    def may(self, permission: str, scope: str) -> bool:
        """Whether the actor holds the permission at this place."""


@dataclass(frozen=True, slots=True)
class System:
    """The hub itself, and schedules from the site file: they may do everything. ``id`` says which part it is."""

    id: str = "system"

    def may(self, permission: str, scope: str) -> bool:
        """Always."""
        return True


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done.

    ``target`` is the kind of device it acts on ("meter", "collector"; "" for none), ``applies`` narrows that to
    devices that know the action, ``fits`` raises ``BadInput`` for params that a device does not know. ``schema`` is
    the voluptuous mapping of ``params``. ``handler(call)`` returns a dict, directly or by awaiting, and may raise any
    ``MeterHubError``. ``durable`` runs are stored before they start; reads are not, and ``secret`` ones never: their
    params hold secrets, which only the handler gets to see. ``many`` does the same for a list of targets.
    """

    name: str
    title: Mapping[str, str]
    permission: str
    handler: Callable[[Call], dict[str, Any] | Awaitable[dict[str, Any]]]
    target: str = ""
    schema: Mapping[Any, Any] = field(default_factory=dict)
    danger: Danger = Danger.NONE
    description: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True
    applies: Callable[[Any], bool] | None = None
    fits: Callable[[Any, Mapping[str, Any]], object] | None = None
    timeout_s: float = 120.0
    many: Many | None = None
    secret: bool = False
    everyday: bool = True
    """Stands in the first row of a page; the others are folded away."""

    def keeps(self, key: str) -> bool:
        """Whether the journal keeps a run that was called with this key."""
        return not self.secret and (self.durable or bool(key))


class Call:
    """What a handler gets: the run's content, checked, and a way to say that the command went out."""

    __slots__ = ("_sent", "action", "actor", "cause", "params", "run", "target")

    def __init__(
        self,
        action: Action,
        target: Any,
        params: Mapping[str, Any],
        actor: Actor,
        cause: Cause,
        run: Run | None = None,
        sent: Callable[[Run], None] | None = None,
    ) -> None:
        self.action = action
        self.target = target
        self.params = params
        self.actor = actor
        self.cause = cause
        self.run = run
        self._sent = sent

    def sent(self) -> None:
        """The first byte of the command left for the device."""
        if self._sent is not None and self.run is not None:
            self._sent(self.run)


class Actions:
    """The registry of actions and the runs under way."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        journal: Journal,
        find_target: Callable[[str], Any | None],
        spawn: Callable[[str, Coroutine[Any, Any, Any]], Any],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._journal = journal
        self._find_target = find_target
        self._spawn = spawn
        self._actions: dict[str, Action] = {}
        self._schemas: dict[str, vol.Schema] = {}
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._keys: dict[str, str] = {}

    def register(self, action: Action) -> None:
        """Make an action known; raises ``Misuse`` when the name is taken."""
        if action.name in self._actions:
            raise Misuse(f"the action {action.name} is registered twice")
        self._actions[action.name] = action
        self._schemas[action.name] = vol.Schema(dict(action.schema))

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def get(self, name: str) -> Action:
        """The action with this name; raises ``NotFound``."""
        try:
            return self._actions[name]
        except KeyError:
            raise NotFound(f"there is no action {name}", hint="GET /api/v1/openapi.json lists them") from None

    def target(self, target_id: str) -> Any | None:
        """What has this id, None when nothing does."""
        return self._find_target(target_id)

    def offered(self, target: Any, actor: Actor) -> list[Action]:
        """The actions that apply to this target and that the actor may call there."""
        return [
            one
            for one in self._actions.values()
            if one.target == target.kind
            and (one.applies is None or one.applies(target))
            and actor.may(one.permission, target.scope)
        ]

    def check(
        self, name: str, target_id: str, params: Mapping[str, Any], actor: Actor, cause: Cause | None = None
    ) -> Call:
        """Validate everything about a call without making it.

        Raises ``NotFound``, ``NotAllowed`` or ``BadInput``. A target that the actor may not see is not found.
        """
        action = self.get(name)
        target = self._target(action, target_id)
        if not actor.may(action.permission, target.scope if target is not None else ""):
            raise NotAllowed(f"you may not call {name} here", where=target_id, hint=f"it needs {action.permission}")
        try:
            checked = self._schemas[name](params)
        except vol.Invalid as error:
            raise as_bad_input(error, f"{name} params", action.schema) from None
        if action.fits is not None:
            action.fits(target, checked)
        return Call(action, target, checked, actor, cause or Cause(*actor.id.partition(":")[::2]))

    def _target(self, action: Action, target_id: str) -> Any | None:
        if not action.target:
            return None
        target = self._find_target(target_id) if target_id else None
        if target is None or target.kind != action.target:
            raise NotFound(f"there is no {action.target} {target_id!r}", hint=f"{action.name} needs a target")
        if action.applies is not None and not action.applies(target):
            raise BadInput(f"{target_id} does not know {action.name}", hint="its profile does not list the command")
        return target

    async def call(
        self,
        name: str,
        target_id: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        key: str = "",
        reason: str = "",
        cause: Cause | None = None,
    ) -> Run:
        """Start a run and return it at once; ``run.done`` resolves in its final state.

        The same ``key`` with the same content returns the run there is; with other content it raises ``Conflict``.
        """
        call = self.check(name, target_id, params or {}, actor, cause)
        run = Run(self._new_id(), name, target_id, call.params, actor.id, call.cause, self._clock.now())
        run.key, run.reason = key, reason
        if call.action.secret:
            hide_params(run)
        known = await self._remember(run, call.action)
        if known is not None:
            return known
        call.run = run
        call._sent = self._mark_sent
        run.done = asyncio.get_running_loop().create_future()
        self._bus.emit(RunChanged(run))
        self._spawn(f"action {name} {target_id}", self._carry_out(call, run))
        return run

    async def invoke(self, name: str, target_id: str, params: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
        """Check and carry out without keeping a run: for reads inside the hub, and for calls that need no trace."""
        call = self.check(name, target_id, params, actor)
        result = call.action.handler(call)
        return await result if inspect.isawaitable(result) else result

    async def find(self, run_id: str) -> Run:
        """The run with this id; raises ``NotFound``."""
        run = self._runs.get(run_id) or await self._journal.find(run_id)
        if run is None:
            raise NotFound(f"there is no action run {run_id}")
        return run

    def recent(self, target_id: str, most: int = 10) -> list[Run]:
        """The latest runs of this process for one target, newest first."""
        found = (run for run in reversed(self._runs.values()) if run.target == target_id)
        return [run for run, _ in zip(found, range(most), strict=False)]

    async def _remember(self, run: Run, action: Action) -> Run | None:
        """Keep a new run; returns the earlier run that holds its key."""
        known = self._runs.get(self._keys.get(run.key, "")) if run.key else None
        if known is None:
            self._runs[run.id] = run
            if run.key:
                self._keys[run.key] = run.id
            if action.keeps(run.key):
                known = await self._store(run)
            self._forget_old()
        if known is not None and content_of(known) != content_of(run):
            raise Conflict(f"the key {run.key!r} was used for another call", where=known.id, hint="use a new key")
        return known

    async def _store(self, run: Run) -> Run | None:
        """Write a new run before it starts; one that cannot be written is forgotten, so that its key stays free."""
        try:
            known = await self._journal.create(run)
        except BaseException:
            self._keys.pop(run.key, None)
            del self._runs[run.id]
            raise
        if known is not None:
            del self._runs[run.id]
            self._keys[run.key] = known.id
        return known

    async def _carry_out(self, call: Call, run: Run) -> None:
        try:
            async with self._clock.timeout(call.action.timeout_s):
                result = call.action.handler(call)
                run.result = await result if inspect.isawaitable(result) else result
            run.state = RunState.CONFIRMED
        except MeterHubError as error:
            run.state = RunState.FAILED
            run.error = {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}
        except TimeoutError:
            run.state = RunState.FAILED
            run.error = {
                "code": "no_answer",
                "message": mark(f"no end within {call.action.timeout_s:.0f} s"),
                "where": run.target,
                "hint": mark("read the meter before trying again"),
            }
        except Exception as error:
            run.state = RunState.FAILED
            run.error = {"code": "misuse", "message": f"internal error: {error!r}", "where": run.action, "hint": ""}
            raise
        finally:
            await self._finish(run, call.action)

    async def _finish(self, run: Run, action: Action) -> None:
        run.updated_ms = self._clock.now()
        if run.state not in FINAL:
            run.state = RunState.FAILED
            run.error = dict(NOT_ENDED, where=run.target)
        try:
            if action.keeps(run.key):
                await self._journal.update(run)
        finally:
            if run.done is not None and not run.done.done():
                run.done.set_result(run)
            self._bus.emit(RunChanged(run))

    def _mark_sent(self, run: Run) -> None:
        if run.state is RunState.QUEUED:
            run.state = RunState.SENT
            run.sent = True
            run.updated_ms = self._clock.now()
            self._bus.emit(RunChanged(run))

    def _forget_old(self) -> None:
        while len(self._runs) > MAX_REMEMBERED:
            oldest = next(iter(self._runs.values()))
            if oldest.state not in FINAL:
                break
            del self._runs[oldest.id]
            if oldest.key:
                self._keys.pop(oldest.key, None)

    def _new_id(self) -> str:
        return f"run-{self._clock.now():x}-{self._clock.random.getrandbits(40):010x}"
