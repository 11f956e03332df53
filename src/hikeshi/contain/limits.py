# SPDX-License-Identifier: Apache-2.0
"""How far a run may go: who is never touched, how many accounts at most, how many people must agree."""

from collections.abc import Sequence
from dataclasses import dataclass

from hikeshi.basics.errors import UsageError
from hikeshi.contain.contract import Phase, Step, Target, Words


class LimitsError(UsageError):
    """The plan goes further than the limits of the connectors file allow."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The table [limits] of the connectors file.

    `never` are accounts, or domains as "@example.com" (that one, not those under it); `break_glass` accounts by which
    the company gets in when nothing else works. `most_accounts` is how many accounts' access one run may change, and
    `most_mailboxes` out of how many mailboxes it may take the lure. `persons` is how many must approve, 1 or 2.
    """

    never: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ()
    most_accounts: int = 5
    most_mailboxes: int = 1000
    persons: int = 1


def forbidden(limits: Limits, account: str, own_domains: Sequence[str]) -> Words | None:
    """Say why an account must not be touched, None if it may.

    In doubt it must not: case and a +tag make no other account, and a name without a domain is any account of that
    name, of whichever of `own_domains`.
    """
    if any(_covers(entry, account, own_domains) for entry in limits.break_glass):
        return {
            "en": "a break-glass account: the company's own way in when nothing else works",
            "ja": "緊急用アカウント(ほかの手段がないときに会社が入るためのもの)",
        }
    for entry in limits.never:
        if _covers(entry, account, own_domains):
            return {"en": f"on the never-touch list: {entry}", "ja": f"操作禁止リストに記載あり: {entry}"}
    return None


def forbidden_step(
    limits: Limits, step: Step, own_domains: Sequence[str], target: Target | None = None
) -> Words | None:
    """Say why a step must not be done, None if it may be.

    A purge touches the mailbox that it empties and no one else; every other step touches its `target` too, whatever the
    far side calls it.
    """
    accounts = [step.account]
    if target is not None and step.phase != Phase.PURGE:
        accounts.append(target.account)
    return next((why for account in accounts if (why := forbidden(limits, account, own_domains)) is not None), None)


def within(limits: Limits, steps: Sequence[Step]) -> None:
    """Hold that the steps touch no more than one run may.

    Raises:
        LimitsError: they do; the message says what to do.

    """
    accounts = sorted({step.account for step in steps if step.phase != Phase.PURGE})
    if len(accounts) > limits.most_accounts:
        raise LimitsError(
            f"this would change the access of {len(accounts):,} accounts, and one run may change that of "
            f"{limits.most_accounts:,}: {_some(accounts)}; name the accounts by --account, or raise most_accounts in [limits]"
        )
    mailboxes = sorted({step.account for step in steps if step.phase == Phase.PURGE})
    if len(mailboxes) > limits.most_mailboxes:
        raise LimitsError(
            f"this would take mails out of {len(mailboxes):,} mailboxes, and one run may do so in "
            f"{limits.most_mailboxes:,}; name the accounts by --account, or raise most_mailboxes in [limits]"
        )


def _covers(entry: str, account: str, own_domains: Sequence[str]) -> bool:
    name, domain = _parted(account)
    if entry.startswith("@"):
        barred = entry[1:].casefold().rstrip(".")
        return barred == domain or (not domain and barred in {one.casefold().rstrip(".") for one in own_domains})
    listed, listed_domain = _parted(entry)
    return name == listed and (domain == listed_domain or not domain or not listed_domain)


def _parted(account: str) -> tuple[str, str]:
    """Give name and domain, both in the form that is compared."""
    name, at, domain = account.strip().casefold().rpartition("@")
    if not at:
        name, domain = domain, ""
    return name.split("+", 1)[0] or name, domain.rstrip(".")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
