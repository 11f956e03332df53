# SPDX-License-Identifier: Apache-2.0
"""The queue of the Postfix of this host, through its own programs: what lies in it; holding, letting go, deleting by id.

Guard and contain both act on it, so it stands beneath them. A host may run several; `config` is the folder of the main.cf of one, None the usual one.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import HikeshiError

#: the queue of mails on hold
HOLD: Final = "hold"
#: those of mails that have come in and not gone out
_ON_THE_WAY: Final = ("incoming", "active", "deferred")

#: where the programs are if PATH does not say
_USUALLY: Final = "/usr/sbin:/usr/local/sbin:/sbin"
#: seconds for one program; a queue of a hundred thousand mails on a slow disk takes a while
_PATIENCE: Final = 300
#: so many mails are looked into at once
_AT_ONCE: Final = 100

#: how Postfix shows the sender of a mail that has none
_NOBODY: Final = "MAILER-DAEMON"
#: no id has other letters, and nothing else is handed to postsuper, least of all what it takes for every mail
_ID = re.compile(r"(?!ALL$)\w{5,}", re.ASCII)
_RELEASED = re.compile(r"^postsuper: (\w+): released from hold$", re.MULTILINE)
_HELD = re.compile(r"^postsuper: (\w+): placed on hold$", re.MULTILINE)
_REMOVED = re.compile(r"^postsuper: (\w+): removed$", re.MULTILINE)
#: deferred mails lie in folders by the first letters of their ids (hash_queue_names)
_ENVELOPE = re.compile(r"\*\*\* ENVELOPE RECORDS [a-z]+/(?:\w/)*(?P<id>\w+) \*\*\*")
_SIGNED_IN: Final = "named_attribute: sasl_username="

#: what a program says when it cannot, and what to do about that
_REMEDIES: Final = (
    ("reserved for the superuser", "it takes root: run this with sudo"),
    ("not authorized", "it takes root or a user of Postfix's authorized_mailq_users: run this with sudo"),
    ("mail system is down", "Postfix is not running: start it, or run this with sudo"),
    ("main.cf", "give the folder where Postfix's main.cf lies"),
)


class QueueError(HikeshiError):
    """Postfix's queue cannot be read or acted on."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that a queued mail still has to go to, and why it has not gone there, where Postfix has tried."""

    address: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """One mail in a queue. `arrival` is in whole seconds since 1970, UTC, `size` in bytes; `sender` is "" for nobody.

    `account` is who had signed in, where somebody has looked.
    """

    queue_id: str
    queue: str
    arrival: int
    size: int
    sender: str
    recipients: tuple[Recipient, ...]
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What postsuper did: to which ids, all that it said, and what went wrong in words, with what to do; or None."""

    ids: frozenset[str]
    said: str
    trouble: str | None


def listed(config: Path | None = None) -> list[Queued]:
    """List every mail in every queue.

    Raises:
        QueueError: Postfix is not there, not running, or does not let us, or its list cannot be read whole.

    """
    said = _run("postqueue", config, "-j")
    if said.returncode:
        raise QueueError(f"postqueue: {_why(said)}")
    # Not splitlines: an address may hold what Unicode takes for the end of a line.
    return [_queued(line, number) for number, line in enumerate(said.stdout.split("\n"), 1) if line.strip()]


def accounts(ids: Sequence[str], config: Path | None = None) -> dict[str, str]:
    """Give who had signed in to hand in the mails with these ids, as far as they have not gone; it takes root.

    Raises:
        QueueError: there is no Postfix.

    """
    found: dict[str, str] = {}
    for start in range(0, len(ids), _AT_ONCE):
        # The exit code is wrong if one of them has gone meanwhile, and the others are no less right.
        found |= dict(_signed_in(_run("postcat", config, "-qe", *ids[start : start + _AT_ONCE]).stdout))
    return found


def hold(ids: Sequence[str], config: Path | None = None) -> Done:
    """Put mails on hold that wait or are on their way; of one that is being delivered this moment, the rest.

    Raises:
        QueueError: there is no Postfix.

    """
    return _superuse("-h", _HELD, ids, config, *_ON_THE_WAY)


def release(ids: Sequence[str], config: Path | None = None) -> Done:
    """Release mails from hold and have the queue manager take them up now; of others it tries only what is due.

    Raises:
        QueueError: there is no Postfix.

    """
    done = _superuse("-H", _RELEASED, ids, config, HOLD)
    woken = _run("postkick", config, "public", "qmgr", "D")
    # It writes a second byte that the queue manager, having read the first, often does not wait for.
    if woken.returncode not in (0, -signal.SIGPIPE) and done.trouble is None:
        return Done(done.ids, done.said, f"released, and will go when Postfix is started: {_why(woken)}")
    return done


def delete(ids: Sequence[str], config: Path | None = None) -> Done:
    """Delete mails that lie on hold, and none that has left it meanwhile.

    Raises:
        QueueError: there is no Postfix.

    """
    return _superuse("-d", _REMOVED, ids, config, HOLD)


def _superuse(option: str, says: re.Pattern[str], ids: Sequence[str], config: Path | None, *queues: str) -> Done:
    text = "".join(f"{one}\n" for one in ids if _ID.fullmatch(one))
    said = _run("postsuper", config, option, "-", *queues, text=text)
    output = said.stdout + said.stderr
    return Done(frozenset(says.findall(output)), output, f"postsuper: {_why(said)}" if said.returncode else None)


def _run(program: str, config: Path | None, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    path = shutil.which(program) or shutil.which(program, path=_USUALLY)
    if path is None:
        raise QueueError(f"{program}: not found; run this on the host whose Postfix holds the mail")
    given = [] if config is None else ["-c", str(config)]
    try:
        return subprocess.run(  # noqa: S603 - Postfix's own program, with ids that it gave out itself
            [path, *given, *arguments],
            input=text, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=_PATIENCE,
            env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise QueueError(f"{program}: did not end within {_PATIENCE} s; look at the disk of the queue") from error
    except OSError as error:
        raise QueueError(f"{path}: {error.strerror}") from error


def _why(said: subprocess.CompletedProcess[str]) -> str:
    lines = said.stderr.strip().splitlines()
    last = lines[-1].partition(": ")[2] if lines else f"exit code {said.returncode}"
    return next((f"{last}; {remedy}" for words, remedy in _REMEDIES if words in last), last)


def _queued(line: str, number: int) -> Queued:
    try:
        told: dict[str, Any] = json.loads(line)
        return Queued(
            queue_id=str(told["queue_id"]),
            queue=str(told["queue_name"]),
            arrival=int(told["arrival_time"]),
            size=int(told.get("message_size", 0)),
            sender="" if told["sender"] == _NOBODY else str(told["sender"]),
            recipients=tuple(
                Recipient(str(one["address"]), one.get("delay_reason") or one.get("bounce_reason"))
                for one in told.get("recipients", ())
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # What a list leaves out cannot be told from what has gone.
        raise QueueError(
            f"postqueue -j: its line {number} is not what Postfix 3.1 or newer writes ({type(error).__name__})"
        ) from error


def _signed_in(told: str) -> Iterator[tuple[str, str]]:
    """Give queue ids and accounts out of what postcat says of envelopes."""
    queue_id = None
    for line in told.split("\n"):
        if found := _ENVELOPE.fullmatch(line):
            queue_id = found["id"]
        elif queue_id and line.startswith(_SIGNED_IN):
            yield queue_id, line.removeprefix(_SIGNED_IN)
            queue_id = None
