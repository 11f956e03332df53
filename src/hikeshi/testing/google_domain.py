# SPDX-License-Identifier: Apache-2.0
"""What a Google Workspace domain holds: people, their ways in, their Gmail settings and mail, and the audit log."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hikeshi.testing.google_faults import Fault
from hikeshi.testing.google_key import Key, new_key
from hikeshi.testing.google_shapes import Thing, milliseconds, stamp


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Domain:
    """A made-up domain. `state` is the truth; `faults` is what goes wrong next; `requests` is what was asked.

    `scopes` are those that domain-wide delegation gives the service account. `page` is how many rows a page has at most.
    """

    domains: tuple[str, ...] = ("example.test",)
    scopes: Sequence[str] = ()
    page: int = 100
    now: Callable[[], datetime] = _now
    key: Key = field(default_factory=new_key)
    state: dict[str, Any] = field(default_factory=lambda: {"users": {}, "audit": []})
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, str]] = field(default_factory=list)
    #: what readers still see after a late write, and for how many reads
    behind: tuple[dict[str, Any], int] | None = None
    #: access tokens given out: token -> (whom it stands for, scopes)
    tokens: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def add_user(self, email: str, **fields: Any) -> Thing:
        """Make a person with an empty mailbox; `fields` are properties of the User resource."""
        held: Thing = {
            "user": {
                "kind": "admin#directory#user",
                "id": str(10**20 + len(self.state["users"])),
                "primaryEmail": email,
                "isAdmin": False,
                "isDelegatedAdmin": False,
                "suspended": False,
                "changePasswordAtNextLogin": False,
                "isMailboxSetup": True,
                **fields,
            },
            "password": "the owner's",
            "sessions": ["the owner's"],
            "tokens": {},
            "asps": {},
            "codes": [],
            "autoForwarding": {"enabled": False},
            "forwardingAddresses": {},
            "filters": {},
            "delegates": {},
            "sendAs": {email: {"sendAsEmail": email, "displayName": "", "isPrimary": True, "isDefault": True}},
            "imap": {"enabled": True, "autoExpunge": True, "expungeBehavior": "archive", "maxFolderSize": 0},
            "pop": {"accessWindow": "disabled", "disposition": "leaveInInbox"},
            "vacation": {"enableAutoReply": False},
            "messages": {},
        }
        self.state["users"][email] = held
        return held

    def user(self, email: str) -> Thing:
        """Give the truth about a person."""
        found: Thing = self.state["users"][email]
        return found

    def add_token(self, email: str, client: str, scopes: Iterable[str], *, granted: datetime | None = None) -> None:
        """Let a person have granted something to an application; with `granted` the audit log still tells of it."""
        self.user(email)["tokens"][client] = {
            "kind": "admin#directory#token",
            "clientId": client,
            "displayText": client.split(".", maxsplit=1)[0],
            "scopes": list(scopes),
            "nativeApp": False,
            "anonymous": False,
            "userKey": self.user(email)["user"]["id"],
        }
        if granted is not None:
            self.log("token", email, "authorize", {"client_id": client, "app_name": client}, granted)

    def add_app_password(self, email: str, name: str, created: datetime) -> int:
        """Let a person have an application password; gives its codeId."""
        code = len(self.user(email)["asps"])
        self.user(email)["asps"][code] = {
            "kind": "admin#directory#asp",
            "codeId": code,
            "name": name,
            "creationTime": milliseconds(created),
            "lastTimeUsed": "0",
            "userKey": self.user(email)["user"]["id"],
        }
        return code

    def add_codes(self, email: str) -> None:
        """Let a person have ten backup codes."""
        self.user(email)["codes"] = [f"{10_000_000 + number * 1_234_567:08d}" for number in range(10)]

    def add_filter(self, email: str, criteria: Thing, action: Thing) -> str:
        """Let a mailbox have a filter; gives its id."""
        made = f"ANe1Bm{uuid4().hex[:18]}"
        self.user(email)["filters"][made] = {"id": made, "criteria": criteria, "action": action}
        return made

    def add_forwarding(self, email: str, to: str, status: str = "accepted") -> None:
        """Let a mailbox have an address that mail may be forwarded to."""
        self.user(email)["forwardingAddresses"][to] = {"forwardingEmail": to, "verificationStatus": status}

    def add_delegate(self, email: str, to: str, status: str = "accepted") -> None:
        """Let somebody else open a mailbox."""
        self.user(email)["delegates"][to] = {"delegateEmail": to, "verificationStatus": status}

    def add_send_as(self, email: str, address: str, **fields: Any) -> None:
        """Let a person send under another address."""
        self.user(email)["sendAs"][address] = {
            "sendAsEmail": address,
            "displayName": "",
            "isPrimary": False,
            "isDefault": False,
            "verificationStatus": "accepted",
            **fields,
        }

    def add_message(self, email: str, message_id: str, labels: Sequence[str] = ("INBOX", "UNREAD")) -> str:
        """Put a mail into a mailbox; `message_id` is without angle brackets. Gives Gmail's id."""
        made = uuid4().hex[:16]
        self.user(email)["messages"][made] = {"rfc822": message_id, "labelIds": list(labels), "threadId": made}
        return made

    def confirm(self, email: str, address: str) -> None:
        """Let the owner of an outside address confirm it: for forwarding and for sending."""
        for held in (self.user(email)["forwardingAddresses"], self.user(email)["sendAs"]):
            if address in held:
                held[address]["verificationStatus"] = "accepted"

    def log(
        self, application: str, actor: str, name: str, parameters: Mapping[str, str], time: datetime | None = None
    ) -> None:
        """Write one event of the audit log."""
        at = time or self.now()
        self.state["audit"].append(
            {
                "kind": "admin#reports#activity",
                "id": {
                    "time": stamp(at),
                    "uniqueQualifier": str(len(self.state["audit"])),
                    "applicationName": application,
                },
                "actor": {"email": actor},
                "events": [
                    {"name": name, "parameters": [{"name": key, "value": value} for key, value in parameters.items()]}
                ],
            }
        )
