# SPDX-License-Identifier: Apache-2.0
"""A tenant in which something of every kind happened, and connectors to it, for the tests of the m365 connector."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.m365 import M365
from hikeshi.contain.connectors.m365.options import options
from hikeshi.contain.connectors.m365.permissions import DEFAULT_OPERATIONS, needed
from hikeshi.contain.contract import Copies, Target
from hikeshi.testing.graph import Tenant, transport

THUMBPRINT = "a1" * 20
ANNA, BEN, CHIE = "anna@example.test", "ben@example.test", "chie@example.test"
LURE = "lure-1@mail.example.test"
OUTSIDE = "drop@evil.example"


@cache
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def recipient(address):
    return {"emailAddress": {"address": address, "name": address.partition("@")[0]}}


@dataclass
class Clock:
    """A clock that moves only when somebody sleeps."""

    now: datetime = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)


class Stage:
    """The tenant, what is the intruder's in it, and what is not."""

    def __init__(self, roles=None, clock=None, **user):
        self.clock = clock or Clock()
        self.since = self.clock() - timedelta(hours=6)
        tenant = Tenant(
            roles=list(needed(DEFAULT_OPERATIONS) if roles is None else roles),
            thumbprint=THUMBPRINT,
            clock=self.clock,
            page_size=2,
        )
        self.tenant, self.anna = tenant, tenant.add_user(ANNA, **user)
        self.ben, self.chie = tenant.add_user(BEN), tenant.add_user(CHIE)
        later, earlier = self.since + timedelta(hours=1), self.since - timedelta(days=30)

        self.forwarding = tenant.add_rule(
            self.anna, ".", actions={"forwardTo": [recipient(OUTSIDE)], "stopProcessingRules": True}
        )
        self.hiding = tenant.add_rule(
            self.anna,
            "sync",
            actions={"moveToFolder": tenant.add_folder(self.anna, "RSS フィード"), "markAsRead": True},
            conditions={"subjectContains": ["不審", "password"]},
        )
        self.honest = tenant.add_rule(
            self.anna,
            "newsletters",
            actions={"moveToFolder": tenant.add_folder(self.anna, "News")},
            conditions={"fromAddresses": [recipient("news@example.org")]},
        )
        self.phone = tenant.add_method(self.anna, "phone", created=later)
        self.app_factor = tenant.add_method(self.anna, "microsoftAuthenticator", created=later)
        self.old_key = tenant.add_method(self.anna, "fido2", created=earlier)
        self.undated = tenant.add_method(self.anna, "email", created=None)
        self.bad_app, self.old_app = tenant.add_app("Mail Helper"), tenant.add_app("Calendar")
        self.bad_role = tenant.add_assignment(self.anna, self.bad_app, created=later)
        self.old_role = tenant.add_assignment(self.anna, self.old_app, created=earlier)
        self.bad_grant = tenant.add_grant(self.anna, self.bad_app, scope="Mail.Read offline_access")
        self.old_grant = tenant.add_grant(self.anna, self.old_app, scope="Calendars.Read")
        self.everyone = tenant.add_grant(None, self.old_app, scope="User.Read")
        self.ben_copy = tenant.add_message(self.ben, LURE)
        self.chie_copy = tenant.add_message(self.chie, LURE, "archive")
        self.other_mail = tenant.add_message(self.ben, "honest@mail.example.test")
        self.target = Target(
            ANNA,
            self.since,
            self.clock(),
            own_domains=("example.test",),
            copies=(Copies(BEN, (LURE,)), Copies(CHIE, (LURE,))),
        )

    def settings(self, url="https://graph.example.test", **more):
        return {
            "tenant": self.tenant.tenant_id,
            "client_id": self.tenant.client_id,
            "thumbprint": THUMBPRINT,
            "certificate": Secret(private_key()),
            "authority": url,
            "graph": url,
        } | more

    def connector(self, **more):
        """A connector without a socket."""
        return M365(options(self.settings(**more)), transport(self.tenant))

    @property
    def directory(self):
        return self.tenant.state.directory

    @property
    def exchange(self):
        return self.tenant.state.exchange

    def folder_of(self, user, message):
        """The well-known name of the folder where a mail lies, None where it is gone."""
        mail = self.exchange.messages[user].get(message)
        names = {key: name for name, key in self.exchange.named[user].items()}
        return names.get(mail["parentFolderId"]) if mail else None
