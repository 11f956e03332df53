# SPDX-License-Identifier: Apache-2.0
"""All kinds of steps, by the name that stands in plans and receipts."""

from typing import Final

from hikeshi.contain.connectors.google.account import PASSWORD, SESSIONS, SUSPENSION
from hikeshi.contain.connectors.google.copies import COPIES
from hikeshi.contain.connectors.google.listed import (
    ADDRESS,
    APP_PASSWORD,
    DELEGATE,
    FILTER,
    SEND_AS,
    TOKEN,
    operation,
)
from hikeshi.contain.connectors.google.single import AUTO_FORWARDING, BACKUP_CODES, REPLY_TO

OPERATIONS: Final = {
    "password": PASSWORD,
    "sign-out": SESSIONS,
    "token": operation(TOKEN),
    "app-password": operation(APP_PASSWORD),
    "backup-codes": BACKUP_CODES,
    "auto-forwarding": AUTO_FORWARDING,
    "filter": operation(FILTER),
    "forwarding-address": operation(ADDRESS),
    "delegate": operation(DELEGATE),
    "send-as": operation(SEND_AS),
    "reply-to": REPLY_TO,
    "copies": COPIES,
    "suspend": SUSPENSION,
}
