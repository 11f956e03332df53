# SPDX-License-Identifier: Apache-2.0
"""What people are told about an account under suspicion: as a mail in Japanese and English, as JSON, as one line.

Subjects and names come from strangers: nothing in them moves a cursor, begins a header or becomes a link.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hikeshi.cases.plot import visible
from hikeshi.model import Weight

SCHEMA: Final = "hikeshi.notice/1"
#: subjects and places beyond these are not shown
MOST: Final = 5
_LONGEST: Final = 120
#: a weight below so many nats says nothing
_LEAST: Final = 0.05

#: what a mail program would make a link of
_LINKED = re.compile(r"(?<=:)//|(?<=\w)\.(?=[^\W\d_])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Notice:
    """An account under suspicion, so far. Times are seconds since 1970, UTC.

    `held`, `refused` and `went` are mails that were held, refused, and let go although they were suspected (mode
    observe, or a log that was watched). `before` is how many of the burst had left before that, None where it is not
    known. The weights are those of the mail that crossed the threshold; they, `score` and `threshold` are in nats.
    `again`: people have been told of it before.
    """

    account: str
    since: float
    latest: float
    held: int
    refused: int
    went: int
    before: int | None
    subjects: tuple[str, ...]
    places: tuple[str, ...]
    weights: tuple[Weight, ...]
    score: float
    threshold: float
    reason: str
    again: bool

    def document(self) -> dict[str, Any]:
        """Give it as JSON has it; `text` is what chat systems show of it."""
        return {
            "schema": SCHEMA,
            "text": self.line(),
            "account": plain(self.account),
            "since": _stamp(self.since),
            "latest": _stamp(self.latest),
            "held": self.held,
            "refused": self.refused,
            "went": self.went,
            "before": self.before,
            "subjects": [shown(one) for one in self.subjects[:MOST]],
            "places": [plain(one) for one in self.places[:MOST]],
            "weights": [{"name": name, "nats": round(nats, 2)} for name, nats in self.telling()],
            "score": round(self.score, 2),
            "threshold": round(self.threshold, 2),
            "reason": shown(self.reason),
            "again": self.again,
        }

    def line(self) -> str:
        """Give it as one line without subjects."""
        weights = ", ".join(f"{nats:+.1f} {name}" for name, nats in self.telling())
        return (
            f"hikeshi: {plain(self.account)} is under suspicion since {_stamp(self.since)}: {self.held} held, "
            f"{self.refused} refused, {self.went} gone; from {', '.join(map(plain, self.places[:MOST]))}; {weights}"
        )

    def subject(self) -> str:
        """Give the subject of the mail."""
        if self.held:
            return f"[hikeshi] {plain(self.account)} のメール{self.held}通を保留中 / {self.held} mails on hold"
        return f"[hikeshi] {plain(self.account)} の送信に乗っ取りの疑い / suspicious mail"

    def text(self, *, owner: bool = False) -> str:
        """Give the body of the mail, to administrators or to the owner of the account."""
        return _template().render(
            owner=owner,
            account=plain(self.account),
            quoted=shlex.quote(plain(self.account)),
            since=_stamp(self.since),
            latest=_stamp(self.latest),
            held=self.held,
            refused=self.refused,
            went=self.went,
            before=self.before,
            subjects=[shown(one) for one in self.subjects[:MOST]],
            places=[plain(one) for one in self.places[:MOST]],
            weights=self.telling(),
            score=self.score,
            threshold=self.threshold,
            again=self.again,
        )

    def telling(self) -> Sequence[Weight]:
        """Give the weights that say anything, those that say most first."""
        return sorted((one for one in self.weights if abs(one.nats) >= _LEAST), key=lambda one: -abs(one.nats))


def plain(text: str) -> str:
    """Give `text` as one short line that moves no cursor and begins no header."""
    line = " ".join(visible(text.encode("utf-8", "replace").decode()).split())
    line = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def shown(text: str) -> str:
    """Give what a stranger wrote as `plain` does, and without links."""
    return _LINKED.sub(lambda found: f"[{found[0]}]", plain(text))


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hikeshi.guard.people", ""),
        autoescape=False,  # noqa: S701 - plain text; what strangers wrote goes through `shown`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("notice.txt.j2")
