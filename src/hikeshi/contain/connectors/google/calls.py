# SPDX-License-Identifier: Apache-2.0
"""Every request that hikeshi makes of Google, with the one scope it makes it with. Nothing else is ever asked.

The scopes are the least set with which all of these are allowed; a test holds paths and scopes against Google's own
discovery documents. `https://mail.google.com/`, which is everything in a mailbox, is not among them.
"""

from dataclasses import dataclass
from typing import Final, Literal

_AUTH: Final = "https://www.googleapis.com/auth/"
USER: Final = _AUTH + "admin.directory.user"
SECURITY: Final = _AUTH + "admin.directory.user.security"
AUDIT: Final = _AUTH + "admin.reports.audit.readonly"
BASIC: Final = _AUTH + "gmail.settings.basic"
SHARING: Final = _AUTH + "gmail.settings.sharing"
MODIFY: Final = _AUTH + "gmail.modify"

#: scope -> what it is for
SCOPES: Final = {
    USER: "read the account, set its password, suspend it",
    SECURITY: "sign it out; list and remove application tokens, application passwords, backup codes",
    AUDIT: "read when an application was granted access, and that a sign-out took place",
    BASIC: "read mailbox settings; remove and restore filters",
    SHARING: "remove and restore forwarding, delegates and addresses to send as",
    MODIFY: "find the lure's copies by Message-ID, put them into the bin and back (no narrower scope does; this one could also "
    "read and send, which hikeshi never asks for)",
}
#: scopes that hikeshi never needs; where delegation gives one of them, the key could do far more than we understand
TOO_MUCH: Final = (
    "https://mail.google.com/",
    _AUTH + "admin.directory.rolemanagement",
    _AUTH + "admin.directory.domain",
    _AUTH + "cloud-platform",
    _AUTH + "drive",
    _AUTH + "gmail.send",
)


@dataclass(frozen=True, slots=True)
class Call:
    """One method: its name in the discovery document, the HTTP method, path and scope.

    `api` says whose base URL it has; "directory" calls are made standing for the administrator, "gmail" ones for the owner.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    scope: str

    @property
    def api(self) -> str:
        """Say whose base URL it has."""
        return "gmail" if self.path.startswith("gmail/") else "directory"


_PERSON: Final = "admin/directory/v1/users/{userKey}"
_SETTINGS: Final = "gmail/v1/users/{userId}/settings/"
_MESSAGES: Final = "gmail/v1/users/{userId}/messages"

GET_USER: Final = Call("directory.users.get", "GET", _PERSON, USER)
PATCH_USER: Final = Call("directory.users.patch", "PATCH", _PERSON, USER)
SIGN_OUT: Final = Call("directory.users.signOut", "POST", _PERSON + "/signOut", SECURITY)
LIST_TOKENS: Final = Call("directory.tokens.list", "GET", _PERSON + "/tokens", SECURITY)
DELETE_TOKEN: Final = Call("directory.tokens.delete", "DELETE", _PERSON + "/tokens/{clientId}", SECURITY)
LIST_ASPS: Final = Call("directory.asps.list", "GET", _PERSON + "/asps", SECURITY)
DELETE_ASP: Final = Call("directory.asps.delete", "DELETE", _PERSON + "/asps/{codeId}", SECURITY)
LIST_CODES: Final = Call("directory.verificationCodes.list", "GET", _PERSON + "/verificationCodes", SECURITY)
INVALIDATE_CODES: Final = Call(
    "directory.verificationCodes.invalidate", "POST", _PERSON + "/verificationCodes/invalidate", SECURITY
)
ACTIVITIES: Final = Call(
    "reports.activities.list",
    "GET",
    "admin/reports/v1/activity/users/{userKey}/applications/{applicationName}",
    AUDIT,
)
GET_FORWARDING: Final = Call("gmail.users.settings.getAutoForwarding", "GET", _SETTINGS + "autoForwarding", BASIC)
PUT_FORWARDING: Final = Call("gmail.users.settings.updateAutoForwarding", "PUT", _SETTINGS + "autoForwarding", SHARING)
GET_IMAP: Final = Call("gmail.users.settings.getImap", "GET", _SETTINGS + "imap", BASIC)
GET_POP: Final = Call("gmail.users.settings.getPop", "GET", _SETTINGS + "pop", BASIC)
GET_VACATION: Final = Call("gmail.users.settings.getVacation", "GET", _SETTINGS + "vacation", BASIC)
LIST_FILTERS: Final = Call("gmail.users.settings.filters.list", "GET", _SETTINGS + "filters", BASIC)
DELETE_FILTER: Final = Call("gmail.users.settings.filters.delete", "DELETE", _SETTINGS + "filters/{id}", BASIC)
CREATE_FILTER: Final = Call("gmail.users.settings.filters.create", "POST", _SETTINGS + "filters", BASIC)
LIST_ADDRESSES: Final = Call(
    "gmail.users.settings.forwardingAddresses.list", "GET", _SETTINGS + "forwardingAddresses", BASIC
)
DELETE_ADDRESS: Final = Call(
    "gmail.users.settings.forwardingAddresses.delete",
    "DELETE",
    _SETTINGS + "forwardingAddresses/{forwardingEmail}",
    SHARING,
)
CREATE_ADDRESS: Final = Call(
    "gmail.users.settings.forwardingAddresses.create", "POST", _SETTINGS + "forwardingAddresses", SHARING
)
LIST_DELEGATES: Final = Call("gmail.users.settings.delegates.list", "GET", _SETTINGS + "delegates", BASIC)
DELETE_DELEGATE: Final = Call(
    "gmail.users.settings.delegates.delete", "DELETE", _SETTINGS + "delegates/{delegateEmail}", SHARING
)
CREATE_DELEGATE: Final = Call("gmail.users.settings.delegates.create", "POST", _SETTINGS + "delegates", SHARING)
LIST_SEND_AS: Final = Call("gmail.users.settings.sendAs.list", "GET", _SETTINGS + "sendAs", BASIC)
DELETE_SEND_AS: Final = Call(
    "gmail.users.settings.sendAs.delete", "DELETE", _SETTINGS + "sendAs/{sendAsEmail}", SHARING
)
CREATE_SEND_AS: Final = Call("gmail.users.settings.sendAs.create", "POST", _SETTINGS + "sendAs", SHARING)
PATCH_SEND_AS: Final = Call("gmail.users.settings.sendAs.patch", "PATCH", _SETTINGS + "sendAs/{sendAsEmail}", BASIC)
FIND: Final = Call("gmail.users.messages.list", "GET", _MESSAGES, MODIFY)
SEE: Final = Call("gmail.users.messages.get", "GET", _MESSAGES + "/{id}", MODIFY)
TRASH: Final = Call("gmail.users.messages.trash", "POST", _MESSAGES + "/{id}/trash", MODIFY)
UNTRASH: Final = Call("gmail.users.messages.untrash", "POST", _MESSAGES + "/{id}/untrash", MODIFY)
LABEL: Final = Call("gmail.users.messages.modify", "POST", _MESSAGES + "/{id}/modify", MODIFY)

CALLS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Call))
