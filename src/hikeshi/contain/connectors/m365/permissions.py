# SPDX-License-Identifier: Apache-2.0
"""The least application permissions, after Microsoft's permissions data, and whether a token holds just these."""

from collections.abc import Iterable
from typing import Final

from hikeshi.contain.contract import ConnectorError

#: needed for whatever is switched on
BASE: Final = ("User.Read.All",)
#: the segment under /authentication, the permission to delete there, by how Graph's type begins
METHODS: Final = {
    "phone": ("phoneMethods", "UserAuthMethod-Phone.ReadWrite.All"),
    "microsoftAuthenticator": ("microsoftAuthenticatorMethods", "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All"),
    "fido2": ("fido2Methods", "UserAuthMethod-Passkey.ReadWrite.All"),
    "softwareOath": ("softwareOathMethods", "UserAuthMethod-SoftwareOATH.ReadWrite.All"),
    "email": ("emailMethods", "UserAuthMethod-Email.ReadWrite.All"),
    "temporaryAccessPass": ("temporaryAccessPassMethods", "UserAuthMethod-TAP.ReadWrite.All"),
    "windowsHelloForBusiness": ("windowsHelloForBusinessMethods", "UserAuthMethod-WindowsHello.ReadWrite.All"),
}
#: what each operation needs beside; `needed` adds what a lone one needs to read what a neighbour may read anyway
OPERATIONS: Final[dict[str, tuple[str, ...]]] = {
    "disable": ("User.EnableDisableAccount.All",),
    "password": ("User-PasswordProfile.ReadWrite.All",),
    "sessions": ("User.RevokeSessions.All",),
    "risk": ("IdentityRiskyUser.ReadWrite.All",),
    "rule": ("MailboxSettings.ReadWrite",),
    "grant": ("DelegatedPermissionGrant.ReadWrite.All",),
    "app-role": ("AppRoleAssignment.ReadWrite.All",),
    "method": ("UserAuthenticationMethod.Read.All", *(permission for _, permission in METHODS.values())),
    "runbook": (),
    "copy": ("Mail.ReadWrite",),
}
#: the risk flag needs Entra ID P2, so it is asked for by name
DEFAULT_OPERATIONS: Final = tuple(name for name in OPERATIONS if name != "risk")
#: what RBAC for Applications can give instead, narrowed to mailboxes
OF_MAILBOXES: Final = frozenset({"MailboxSettings.ReadWrite", "Mail.ReadWrite", "Mail.ReadBasic.All"})


def needed(operations: Iterable[str]) -> tuple[str, ...]:
    """Give the least permissions for these operations, in the order of OPERATIONS."""
    chosen = list(operations)
    found = [*BASE, *(permission for name in OPERATIONS if name in chosen for permission in OPERATIONS[name])]
    if "rule" in chosen and "copy" not in chosen:
        found.append("Mail.ReadBasic.All")  # folders' names
    if "grant" in chosen and "app-role" not in chosen:
        found.append("Directory.Read.All")  # when the person was assigned to the application
        found.remove("User.Read.All")  # which Directory.Read.All holds
    return tuple(dict.fromkeys(found))


def hold(roles: Iterable[str], operations: tuple[str, ...], *, exchange_rbac: bool) -> None:
    """Hold that a token's roles are the least permissions: no fewer, no more.

    With `exchange_rbac` those of mailboxes must not be in the token: there they would reach every mailbox.

    Raises:
        ConnectorError: one is missing, or there is one that these operations do not need.

    """
    least, held = set(needed(operations)), set(roles)
    if exchange_rbac:
        least -= OF_MAILBOXES
    if more := sorted(held - least):
        raise ConnectorError(
            f"m365: the application holds {', '.join(more)}, which these operations do not need; take it away"
            " (`hikeshi contain setup m365` prints what is needed), so that a lost key cannot do more than it must"
        )
    if missing := sorted(least - held):
        raise ConnectorError(f"m365: the application lacks {'; '.join(map(_works_not, missing))}")


def _works_not(permission: str) -> str:
    readers = {"Mail.ReadBasic.All": ["rule"], "Directory.Read.All": ["grant"]}
    operations = readers.get(permission) or [name for name, all_of in OPERATIONS.items() if permission in all_of]
    return f"{permission} (without it: no {', '.join(operations) or 'look at any account'})"
