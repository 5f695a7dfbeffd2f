"""How the room of money is built into a hub: merchant accounts of the site file, the rules, the way to the meters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any

from meterhub.actions import Actions, System
from meterhub.cause import Cause
from meterhub.clock import Clock
from meterhub.config.cross import check_payment_types
from meterhub.config.entries import PaymentEntry, Site
from meterhub.config.site import check_options
from meterhub.errors import ConfigError, ConfigErrors, MeterHubError
from meterhub.money.asking import Answer, Ask
from meterhub.money.merchants import Merchant, Merchants
from meterhub.money.policy import LateRule, Policy
from meterhub.money.room import Money, Outside
from meterhub.office.money_actions import MoneyActions
from meterhub.people.audit import Entry
from meterhub.people.people import People
from meterhub.plugins import Plugins
from meterhub.registry import Registry, flat
from meterhub.store.engine import Store, Transaction

CASHIER = System("system:money")


def open_merchants(site: Site, registry: Registry, plugins: Plugins) -> Merchants:
    """Open every account of ``payments:``; raises ``ConfigErrors`` with all that is wrong. Does no I/O."""
    mistakes = [] if plugins.broken() else check_payment_types(site, registry.payments, [one.name for one in plugins])
    merchants = []
    for entry in _entries(site, registry):
        try:
            merchants.append(_open(entry, site, registry, plugins))
        except ConfigError as error:
            mistakes += flat(error)
    if mistakes:
        raise ConfigErrors(mistakes)
    return Merchants(merchants)


def _open(entry: PaymentEntry, site: Site, registry: Registry, plugins: Plugins) -> Merchant:
    kind, plugin = registry.payments[entry.type]
    options = check_options(entry, kind.schema)
    try:
        account = kind.open(plugins.context(plugin), options)
    except ConfigError as error:
        raise ConfigError(error.message, where=error.where or entry.where, hint=error.hint) from None
    scope = f"{site.hub.operator}/{entry.site}" if entry.site else site.hub.operator
    return Merchant(entry.id, kind, account, scope, entry.name)


def _entries(site: Site, registry: Registry) -> Iterator[PaymentEntry]:
    return (one for one in site.payments if one.type in registry.payments and not one.disabled)


def simulated_companies(site: Site, registry: Registry, world: Any) -> list[Awaitable[None]]:
    """The sandboxes of all payment companies that the site file names, each to be run until cancelled."""
    accounts: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for entry in _entries(site, registry):
        accounts[entry.type][entry.id] = check_options(entry, registry.payments[entry.type][0].schema)
    found = ((registry.payments[name][0].simulate, options) for name, options in accounts.items())
    return [simulate(options, world) for simulate, options in found if simulate is not None]


def policy_of(site: Site) -> Policy:
    """The rules of ``money:``."""
    rules = site.money
    return Policy(
        operator=site.hub.operator,
        currency=site.hub.currency,
        expiry_s=round(rules.order_time),
        least_fen=rules.least,
        most_fen=rules.most,
        tiles_fen=rules.tiles or Policy().tiles_fen,
        late=LateRule(rules.late),
        no_cut_hours=(rules.no_cut_from, rules.no_cut_to),
        no_cut_days=rules.no_cut_days,
        most_cuts=rules.most_cuts,
        fresh_s=round(rules.fresh),
        two_people_fen=rules.two_people_over,
    )


def asker(actions: Actions) -> Ask:
    """Money's way to the meters: through the hub's actions, as the system."""

    async def ask(action: str, meter: str, params: Mapping[str, Any], key: str, cause: str) -> Answer:
        try:
            run = await actions.call(action, meter, params, actor=CASHIER, key=key, cause=Cause.parse(cause))
        except MeterHubError as error:
            return Answer(code=error.code, message=str(error), sent=False)
        if run.done is not None:
            await run.done
        if run.error is not None:
            return Answer(code=run.error["code"], message=_told(run.error), sent=run.sent)
        return Answer(run.result or {}, sent=run.sent)

    return ask


def _told(error: Mapping[str, str]) -> str:
    return f"{error['message']} ({error['hint']})" if error["hint"] else error["message"]


def open_money(
    site: Site,
    registry: Registry,
    store: Store,
    clock: Clock,
    actions: Actions,
    people: People,
    spawn: Callable[[str, Coroutine[Any, Any, Any]], Any],
) -> Money:
    """The room of money of a site; its actions are registered."""

    def note(tx: Transaction, action: str, target: str, by: str, after: Mapping[str, Any]) -> None:
        people.audit.write(tx, Entry(action, target, by, site.hub.operator, after=after))

    def answered(meter: str) -> int | None:
        device = actions.target(meter)
        return None if device is None else int(device.answered_ms)

    outside = Outside(
        asker(actions),
        spawn,
        registry.merchants,
        note,
        site.hub.data / "proofs",
        site.web.public_url,
        site.hub.time_zone,
        answered,
    )
    money = Money(store, clock, policy_of(site), outside)

    def gives_back(meter: str) -> bool:
        try:
            actions.check("meter.refund", meter, {"amount": "1.00", "number": 1}, CASHIER)
        except MeterHubError:
            return False
        return True

    for action in MoneyActions(money, gives_back).actions():
        actions.register(action)
    return money
