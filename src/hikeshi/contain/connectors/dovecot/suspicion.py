# SPDX-License-Identifier: Apache-2.0
"""Which commands of a Sieve script let mail out or hide it, and which of them the other hand may have put there.

Suspicious is only what appeared in the time of the other hand, or sends mail where it was seen going: a rule that the
owner has had for years stays, and is shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hikeshi.contain.connectors.dovecot.script import Command, Test, parsed
from hikeshi.contain.contract import Words

#: folders that nobody looks into, by the last part of their names
_DARK: Final = frozenset({
    "trash", "deleted", "deleted items", "deleted messages", "junk", "junk e-mail", "spam", "rss feeds", "rss subscriptions",
    "conversation history", "notes", "ゴミ箱", "ごみ箱", "迷惑メール", "削除済みアイテム",
})  # fmt: skip
#: words by which warnings and questions about a takeover are caught; in lower case
_WARNINGS: Final = (
    "phish", "hack", "scam", "fraud", "virus", "malware", "suspicious", "compromised", "password", "security", "spam",
    "undeliver", "delivery status", "mailer-daemon", "postmaster", "abuse", "did you send", "docusign", "invoice",
    "フィッシング", "乗っ取り", "不正", "迷惑", "なりすまし", "ウイルス", "詐欺", "不審", "パスワード",
)  # fmt: skip
_HIDES: Final = ("discard", "fileinto", "reject", "ereject")
#: headers that every mail has
_ALWAYS: Final = frozenset({"from", "date", "received", "to"})

SENDS_OUT: Final[Words] = {"en": "sends mail to {where}", "ja": "メールを {where} へ送ります"}
HIDES_ALL: Final[Words] = {"en": "hides every mail ({where})", "ja": "全メールを隠します ({where})"}
HIDES_WARNINGS: Final[Words] = {"en": "hides warnings ({where})", "ja": "警告のメールを隠します ({where})"}
HIDES_SOME: Final[Words] = {"en": "hides some mails ({where})", "ja": "一部のメールを隠します ({where})"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A command that lets mail out or hides it: what it does, where to, and whether so by itself, or only by its time.

    `grave` is False for what owners do every day, which nothing but a person can judge.
    """

    command: Command
    text: str
    where: str
    what: Words
    grave: bool

    def says(self, language: str) -> str:
        """Say what it does."""
        return self.what[language].format(where=self.where)


def findings(text: str, own_domains: Iterable[str]) -> list[Finding]:
    """Find every command of a script that lets mail out of `own_domains` or hides it, in order.

    Raises:
        NotSieveError: it is no script.

    """
    own = frozenset(domain.lower() for domain in own_domains)
    found = []
    for command, tests in _actions(parsed(text), ()):
        judged = _sent_out(command, own) or _hidden(command, tests)
        if judged:
            what, where, grave = judged
            found.append(Finding(command, text[command.begin : command.end], where, what, grave))
    return found


def _actions(commands: Iterable[Command], above: tuple[Test, ...]) -> Iterator[tuple[Command, tuple[Test, ...]]]:
    for one in commands:
        yield one, above
        yield from _actions(one.block, (*above, *(one.tests or (_SOMETIMES,))))


#: the condition of what has none of its own, as `else`: it holds when those before it do not
_SOMETIMES: Final = Test("else", (), (), ())


def _sent_out(command: Command, own: frozenset[str]) -> tuple[Words, str, bool] | None:
    strings = [one for each in command.strings for one in each]
    if command.name == "redirect":
        targets = strings or ["?"]
    elif command.name == "notify":
        targets = [one[7:].partition("?")[0] for one in strings if one.lower().startswith("mailto:")]
    else:
        return None
    outside = [one for one in targets if one.rpartition("@")[2].lower().rstrip(">") not in own]
    return (SENDS_OUT, ", ".join(outside), True) if outside else None


def _hidden(command: Command, tests: tuple[Test, ...]) -> tuple[Words, str, bool] | None:
    if command.name not in _HIDES or ":copy" in command.tags:
        return None
    where = command.strings[-1][0] if command.name == "fileinto" and command.strings else command.name
    if all(_always(test) for test in tests):
        return HIDES_ALL, where, True
    dark = command.name != "fileinto" or where.replace(".", "/").rpartition("/")[2].lower() in _DARK
    if not dark:
        return None
    warns = any(word in key.lower() for test in tests for key in _keys(test) for word in _WARNINGS)
    return (HIDES_WARNINGS if warns else HIDES_SOME), where, warns


def _always(test: Test) -> bool:
    """Whether a condition holds for every mail, as far as its form shows."""
    inside = [_always(one) for one in test.tests]
    if test.name in ("allof", "anyof"):
        return all(inside) if test.name == "allof" else any(inside)
    if test.name == "not":
        return not _possible(test.tests)
    if test.name == "exists":
        return all(name.lower() in _ALWAYS for each in test.strings for name in each)
    if test.name in ("header", "address", "envelope") and test.strings:
        keys = test.strings[-1]
        return (":contains" in test.tags and "" in keys) or (":matches" in test.tags and "*" in keys)
    return test.name == "true"


def _possible(tests: tuple[Test, ...]) -> bool:
    return not all(one.name == "false" for one in tests)


def _keys(test: Test) -> Iterator[str]:
    """Give what a condition looks for, not where."""
    if test.name not in ("exists", "size"):
        yield from (key for each in test.strings[-1:] for key in each)
    for one in test.tests:
        yield from _keys(one)
