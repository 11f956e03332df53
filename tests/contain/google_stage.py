# SPDX-License-Identifier: Apache-2.0
"""A made-up Workspace with a taken-over account, and the connector in front of it: over a socket, or without one."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

import httpx

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.google import PLUGIN
from hikeshi.contain.connectors.google.calls import SCOPES
from hikeshi.contain.connectors.google.client import Client
from hikeshi.contain.connectors.google.connector import Google
from hikeshi.contain.connectors.google.token import Tokens, read_key
from hikeshi.contain.contract import Copies, Target
from hikeshi.testing.google import Domain, serve, transport

ADMIN, ANNA, BOB = "admin@example.test", "anna@example.test", "bob@example.test"
DROP = "drop@example.org"
SINCE = datetime.now(UTC) - timedelta(days=3)
BEFORE = SINCE - timedelta(days=100)
LURE = "lure.1@mail.example.test"
BASE = "https://google.example.test"


def domain():
    """An admin, Anna, Bob; nothing is amiss yet."""
    made = Domain(scopes=list(SCOPES))
    for email in (ADMIN, ANNA, BOB):
        made.add_user(email, isAdmin=email == ADMIN)
    return made


def taken_over():
    """Anna's account with both hands in it: what the other hand left, and what is her own."""
    made = domain()
    made.add_token(
        ANNA, "evil.apps.example", ["https://www.googleapis.com/auth/drive"], granted=SINCE + timedelta(hours=1)
    )
    made.add_token(ANNA, "calendar.apps.example", ["https://www.googleapis.com/auth/calendar"], granted=BEFORE)
    made.add_codes(ANNA)
    made.add_forwarding(ANNA, DROP)
    made.add_forwarding(ANNA, BOB)
    made.user(ANNA)["autoForwarding"] = {"enabled": True, "emailAddress": DROP, "disposition": "trash"}
    made.add_filter(ANNA, {"query": "invoice OR payment"}, {"addLabelIds": ["TRASH"]})
    made.add_filter(ANNA, {"from": "@"}, {"forward": DROP})
    made.add_filter(ANNA, {"from": "news@example.org"}, {"addLabelIds": ["Label_7"], "removeLabelIds": ["INBOX"]})
    made.add_filter(ANNA, {"from": "boss@example.test"}, {"addLabelIds": ["STARRED"]})
    made.add_delegate(ANNA, BOB)
    made.add_send_as(ANNA, "anna@example.org", displayName="Anna")
    made.user(ANNA)["sendAs"][ANNA]["replyToAddress"] = DROP
    for mailbox in (BOB, ANNA):
        made.add_message(mailbox, LURE, ["INBOX", "UNREAD", "Label_3"])
        made.add_message(mailbox, "honest@mail.example.test", ["INBOX"])
    return made


def target(account=ANNA, **changes):
    """What the case knows of Anna."""
    known = {
        "since": SINCE,
        "until": datetime.now(UTC),
        "places": ("203.0.113.7",),
        "own_domains": ("example.test",),
        "copies": (Copies(BOB, (LURE,)),),
    }
    return Target(account=account, **{**known, **changes})


@contextmanager
def connected(made, settings=None):
    """The connector before the fake on a real socket."""
    with serve(made) as served:
        connector = PLUGIN.connect(
            {
                "key": Secret(made.key.text(served.token_url)),
                "admin": ADMIN,
                "directory_url": served.url,
                "gmail_url": served.url,
                **(settings or {}),
            }
        )
        try:
            yield connector
        finally:
            connector.close()


@cache
def key_of(key):
    """The key, read once a process: reading it takes longer than a whole schedule of faults."""
    return read_key(Secret(key.text(f"{BASE}/token")), None)


@contextmanager
def beside(made, sleep=lambda _seconds: None):
    """The connector before the fake without a socket: for thousands of requests."""
    with httpx.Client(transport=transport(made)) as http:
        tokens = Tokens(key_of(made.key), http)
        yield Google(Client(http, tokens, ADMIN, {"directory": BASE, "gmail": BASE}), sleep)
