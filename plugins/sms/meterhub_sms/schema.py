"""What the section ``sms:`` under ``plugins:`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from meterhub.config.nodes import Secret
from meterhub.config.types import boolean, choice, host_port, mapping, secret, text
from meterhub.errors import ConfigError, ProviderRefused
from meterhub.outgoing import is_confidential

PROVIDERS = ("aliyun", "tencent")
ENDPOINTS = {"aliyun": "https://dysmsapi.aliyuncs.com", "tencent": "https://sms.tencentcloudapi.com"}
SANDBOX_ID, SANDBOX_SECRET = "SANDBOXKEYID", "everybody-knows-this-sandbox-secret"
SANDBOX_SIGN, SANDBOX_APP = "MeterHub", "1400000000"

TEMPLATE_SCHEMA = {
    vol.Required("id", description="The template's number at the company, SMS_… or digits."): text(64),
    vol.Optional("params", description="What the template's variables are, in order: amount, meter, order."): [
        text(40)
    ],
}

PROVIDER_SCHEMA = {
    vol.Optional("provider", default="aliyun", description="The company."): choice(*PROVIDERS),
    vol.Optional("key", description="Secret of the key; or ID:SECRET in one."): secret(),
    vol.Optional("key_id", description="Id of the key (AccessKey id, SecretId)."): text(64),
    vol.Optional("sign", description="The signature in 【】, as approved."): text(40),
    vol.Optional("app_id", description="SdkAppId (Tencent)."): text(32),
    vol.Optional("region", default="ap-guangzhou", description="Region (Tencent)."): text(32),
    vol.Optional("templates", description="Template by name of the message: credited, refunded."): mapping(),
    vol.Optional("endpoint", description="Address of the company's API."): text(200),
    vol.Optional("older_signature", default="false", description="Sign the older way (Aliyun RPC)."): boolean(),
    vol.Optional("receipts_secret", description="Unguessable end of the address for receipts."): secret(),
    vol.Optional(
        "sandbox", description="Play the company at this address of this machine; sends nothing."
    ): host_port(),
}

SCHEMA = {
    **PROVIDER_SCHEMA,
    vol.Optional(
        "fallback", description="A second account, tried when the first one definitely refuses."
    ): PROVIDER_SCHEMA,
}


@dataclass(frozen=True, slots=True)
class Template:
    """A template at the company and the names of what fills it, in its order."""

    id: str
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """One checked account."""

    provider: str
    key_id: str
    secret: str
    sign: str
    app_id: str
    region: str
    endpoint: str
    templates: Mapping[str, Template]
    receipts_secret: str = ""
    older_signature: bool = False

    @property
    def missing(self) -> str:
        """What is not set and must be before anything can be sent, "" when all is there."""
        needed = {"key_id": self.key_id, "key": self.secret, "sign": self.sign}
        if self.provider == "tencent":
            needed["app_id"] = self.app_id
        return ", ".join(name for name, value in needed.items() if not value)

    def template(self, name: str, where: str) -> Template:
        """The template for a message. Raises ``ProviderRefused`` when there is none."""
        found = self.templates.get(name)
        if found is None:
            raise ProviderRefused(
                f"there is no template for {name}",
                reply="NO_TEMPLATE",
                where=where,
                hint=f"plugins.sms.templates.{name}",
            )
        return found


def read_account(options: Mapping[str, Any]) -> Account:
    """The account of a section. Raises ``ConfigError`` for what does not fit."""
    sandbox = options.get("sandbox")
    key_id, secret_ = options.get("key_id", ""), options.get("key", "")
    if not key_id and ":" in secret_:
        key_id, _, plain = secret_.partition(":")
        secret_ = Secret(plain)
    provider = options["provider"]
    if sandbox:
        key_id, secret_ = key_id or SANDBOX_ID, secret_ or SANDBOX_SECRET
    endpoint = f"http://{sandbox}" if sandbox else options.get("endpoint", ENDPOINTS[provider])
    if not sandbox and not is_confidential(endpoint):
        raise ConfigError("the endpoint must begin with https://")
    if not sandbox and secret_ == SANDBOX_SECRET:
        raise ConfigError("key is the one of the sandbox, which everybody knows")
    return Account(
        provider,
        key_id,
        secret_,
        options.get("sign", SANDBOX_SIGN if sandbox else ""),
        options.get("app_id", SANDBOX_APP if sandbox else ""),
        options["region"],
        endpoint,
        _templates(options.get("templates") or {}, bool(sandbox)),
        options.get("receipts_secret", ""),
        options["older_signature"],
    )


def _templates(given: Mapping[str, Any], sandbox: bool) -> Mapping[str, Template]:
    found = {
        name: Template(one["id"], tuple(one.get("params", ())))
        for name, one in ((name, _template(name, one)) for name, one in given.items())
    }
    if sandbox:
        for number, name in enumerate(("credited", "refunded"), 1):
            found.setdefault(name, Template(f"SMS_{number}", ("amount", "meter", "order")))
    return found


def _template(name: str, given: Any) -> Mapping[str, Any]:
    from meterhub.config.schema import check

    return check({"id": given} if isinstance(given, str) else given, TEMPLATE_SCHEMA, path=f"templates.{name}")
