# SPDX-License-Identifier: Apache-2.0
"""What a tenant holds: people, their rules, mail and methods, and what they consented to."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from hikeshi.testing.graph_faults import Fault

Thing = dict[str, Any]

#: Microsoft Graph's own appId, the same in every tenant
GRAPH_APP_ID: Final = "00000003-0000-0000-c000-000000000000"
#: folders that have a well-known name, with the name that an English mailbox shows
WELL_KNOWN: Final = {
    "inbox": "Inbox",
    "archive": "Archive",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
    "conversationhistory": "Conversation History",
    "syncissues": "Sync Issues",
    "recoverableitemsdeletions": "Deletions",
}
_SPACE: Final = UUID("6f1d0a52-57c0-4b11-8f0b-7d6a3d0c9a10")


def stamp(time: datetime) -> str:
    """Write an aware time as Entra does: UTC, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: the one id of a permission that clients must know by heart
_ASSIGN_ROLE: Final = "06b708a9-e830-4db3-a914-8e69da51d44f"


def app_role_id(permission: str) -> str:
    """Give the id under which Graph offers an application permission: true for the one above, invented for the others."""
    if permission == "AppRoleAssignment.ReadWrite.All":
        return _ASSIGN_ROLE
    return str(uuid5(_SPACE, permission))


@dataclass
class Directory:
    """Entra: what is copied late to its readers."""

    users: dict[str, Thing] = field(default_factory=dict)
    methods: dict[str, dict[str, Thing]] = field(default_factory=dict)
    default_method: dict[str, str] = field(default_factory=dict)
    grants: dict[str, Thing] = field(default_factory=dict)
    assignments: dict[str, Thing] = field(default_factory=dict)
    principals: dict[str, Thing] = field(default_factory=dict)
    risky: dict[str, Thing] = field(default_factory=dict)


@dataclass
class Exchange:
    """Mailboxes, by user id: what is written there is read at once."""

    rules: dict[str, dict[str, Thing]] = field(default_factory=dict)
    folders: dict[str, dict[str, Thing]] = field(default_factory=dict)
    named: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: dict[str, dict[str, Thing]] = field(default_factory=dict)


@dataclass
class State:
    """The truth of a tenant."""

    directory: Directory = field(default_factory=Directory)
    exchange: Exchange = field(default_factory=Exchange)


@dataclass
class Tenant:
    """A tenant with one registered application, whose application permissions are `roles`.

    `thumbprint` is the SHA-1 of the application's certificate in hex; where it is None any certificate does. `clock` gives
    the tenant's time (aware). `requests` is what was asked, in order, as (method, path).
    """

    roles: list[str]
    tenant_id: str = "11111111-2222-4333-8444-555555555555"
    client_id: str = "99999999-8888-4777-8666-555555555555"
    thumbprint: str | None = None
    page_size: int = 100
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    state: State = field(default_factory=State)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, str]] = field(default_factory=list)
    passwords_set: list[tuple[str, str]] = field(default_factory=list)
    shadow: Directory | None = None
    shadow_reads: int = 0

    def __post_init__(self) -> None:
        graph = self.add_app("Microsoft Graph", GRAPH_APP_ID)
        offered = sorted({*self.roles, "AppRoleAssignment.ReadWrite.All", "Directory.Read.All"})
        self.state.directory.principals[graph]["appRoles"] = [
            {"id": app_role_id(one), "value": one, "isEnabled": True, "displayName": one} for one in offered
        ]
        own = self.add_app("hikeshi", self.client_id)
        for role in self.roles:
            self.add_assignment(own, graph, app_role_id=app_role_id(role), kind="ServicePrincipal")

    def add_user(
        self, upn: str, *, guest: bool = False, synced: bool = False, enabled: bool = True, mail: str | None = None
    ) -> str:
        """Add a person with a mailbox and a password of 2020; give the id."""
        key = str(uuid4())
        directory, exchange = self.state.directory, self.state.exchange
        directory.users[key] = {
            "id": key,
            "userPrincipalName": upn,
            "displayName": upn.partition("@")[0],
            "mail": mail or upn,
            "proxyAddresses": [f"SMTP:{mail or upn}"],
            "userType": "Guest" if guest else "Member",
            "accountEnabled": enabled,
            "onPremisesSyncEnabled": True if synced else None,
            "lastPasswordChangeDateTime": "2020-04-01T00:00:00Z",
            "signInSessionsValidFromDateTime": "2020-04-01T00:00:00Z",
        }
        directory.methods[key] = {}
        exchange.rules[key], exchange.messages[key], exchange.folders[key] = {}, {}, {}
        exchange.named[key] = {name: self.add_folder(key, shown) for name, shown in WELL_KNOWN.items()}
        self.add_method(key, "password", created=None, method_id="28c10230-6103-485e-b985-444c60001490")
        return key

    def add_folder(self, user: str, shown: str, *, hidden: bool = False) -> str:
        """Add a mail folder; give its id."""
        key = f"folder-{uuid4()}"
        self.state.exchange.folders[user][key] = {
            "id": key,
            "displayName": shown,
            "isHidden": hidden,
            "parentFolderId": "root",
        }
        return key

    def add_rule(self, user: str, name: str, *, actions: Thing, conditions: Thing | None = None, **more: Any) -> str:
        """Add an inbox rule; `more` are further properties of messageRule. Give its id."""
        key = f"rule-{uuid4().hex[:12]}"
        rules = self.state.exchange.rules[user]
        rules[key] = {
            "id": key,
            "displayName": name,
            "sequence": len(rules) + 1,
            "isEnabled": True,
            "hasError": False,
            "isReadOnly": False,
            "conditions": conditions,
            "actions": actions,
        } | more
        return key

    def add_method(self, user: str, kind: str, *, created: datetime | None, method_id: str | None = None) -> str:
        """Add an authentication method, `kind` as its type begins ("phone", "fido2"); give its id."""
        key = method_id or str(uuid4())
        self.state.directory.methods[user][key] = {
            "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod",
            "id": key,
            "createdDateTime": stamp(created) if created else None,
        }
        return key

    def add_app(self, name: str, app_id: str | None = None) -> str:
        """Add a service principal; give its id."""
        key = str(uuid4())
        self.state.directory.principals[key] = {
            "id": key,
            "appId": app_id or str(uuid4()),
            "displayName": name,
            "appDisplayName": name,
            "accountEnabled": True,
            "appRoles": [],
        }
        return key

    def add_grant(self, user: str | None, client: str, *, resource: str | None = None, scope: str = "Mail.Read") -> str:
        """Add a delegated consent, for everyone where `user` is None; give its id."""
        key = f"grant-{uuid4().hex}"
        self.state.directory.grants[key] = {
            "id": key,
            "clientId": client,
            "consentType": "Principal" if user else "AllPrincipals",
            "principalId": user,
            "resourceId": resource or self.graph_principal,
            "scope": scope,
        }
        return key

    def add_assignment(
        self,
        principal: str,
        resource: str,
        *,
        created: datetime | None = None,
        app_role_id: str = "00000000-0000-0000-0000-000000000000",
        kind: str = "User",
    ) -> str:
        """Assign an application to a person (by user id) or another application; give the assignment's id."""
        key = f"assignment-{uuid4().hex}"
        principals = self.state.directory.principals
        self.state.directory.assignments[key] = {
            "id": key,
            "appRoleId": app_role_id,
            "createdDateTime": stamp(created or datetime(2020, 4, 1, tzinfo=UTC)),
            "principalId": principal,
            "principalType": kind,
            "resourceId": resource,
            "resourceDisplayName": principals[resource]["displayName"],
        }
        return key

    def add_message(self, user: str, message_id: str, folder: str = "inbox") -> str:
        """Put a mail into a mailbox, Message-ID without angle brackets; `folder` is a well-known name. Give its id."""
        key = f"message-{uuid4().hex}"
        self.state.exchange.messages[user][key] = {
            "id": key,
            "internetMessageId": f"<{message_id}>",
            "parentFolderId": self.state.exchange.named[user][folder],
            "subject": "re: invoice",
            "receivedDateTime": stamp(self.clock()),
        }
        return key

    @property
    def graph_principal(self) -> str:
        """The service principal of Microsoft Graph in this tenant."""
        return self._principal(GRAPH_APP_ID)

    @property
    def own_principal(self) -> str:
        """The service principal of the registered application."""
        return self._principal(self.client_id)

    def _principal(self, app_id: str) -> str:
        found: Mapping[str, Thing] = self.state.directory.principals
        return next(key for key, one in found.items() if one["appId"] == app_id)
