"""Merchant accounts that are open: which there are, and which suit an operator or a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meterhub.errors import NotFound
from meterhub.money.provider import PaymentAccount, PaymentType


@dataclass(frozen=True, slots=True)
class Merchant:
    """One entry of ``payments:``. ``scope`` is where it takes money: ``operator`` or ``operator/site``."""

    id: str
    type: PaymentType
    account: PaymentAccount
    scope: str = ""
    name: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Company, merchant and id, as attempts and payments keep them."""
        return self.type.name, self.account.merchant, self.id


class Merchants:
    """All merchant accounts by id."""

    def __init__(self, merchants: Iterable[Merchant] = ()) -> None:
        self._all = {one.id: one for one in merchants}

    def __iter__(self) -> Iterator[Merchant]:
        return iter(self._all.values())

    def get(self, account_id: str, type_name: str = "") -> Merchant:
        """The account with this id (and of this company); raises ``NotFound``."""
        found = self._all.get(account_id)
        if found is None or type_name not in ("", found.type.name):
            raise NotFound(f"there is no payment account {account_id}", hint="the site file lists them: payments:")
        return found

    def serving(self, scope: str) -> list[Merchant]:
        """The accounts that take money at a place, the nearest ones first."""
        fitting = [one for one in self if f"{scope}/".startswith(f"{one.scope}/" if one.scope else "")]
        return sorted(fitting, key=lambda one: -len(one.scope))
