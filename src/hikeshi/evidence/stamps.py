# SPDX-License-Identifier: Apache-2.0
"""How a log line begins, and what its stamp means: RFC 3164, RFC 5424 and ISO 8601, with or without a priority.

RFC 3164 stamps have no year and no zone. The year comes from `--year`, from evidence inside the log (long queue
ids, Postfix's own Message-IDs), else from the file's date; the zone from `--tz`, from long queue ids, else from
this machine. Whichever it was is recorded. In the hour that a change to winter time repeats, the first pass is meant.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np

_WORD = r"(?:([0-9A-Za-z]+): )?"
_TAG = r" ([^\[: ]+)(?:\[([0-9]+)\])?: "
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: the names as numbers, sorted, and which month each is, counted from 0
_MONTH_CODES = tuple(
    np.array(column)
    for column in zip(
        *sorted((int.from_bytes(name.encode()), place) for place, name in enumerate(_MONTHS)), strict=True
    )
)

# Where the text begins, from the lengths of what stands before it: `head` has groups front, tag, pid and word.
_AFTER_HEAD = (
    "length(head.front) + length(head.tag) + 4 + if(head.pid = '', 0, length(head.pid) + 2)"
    " + if(head.word = '', 0, length(head.word) + 2)"
)
_WITHOUT_PRIORITY = "if(starts_with(head.front, '<'), substr(head.front, strpos(head.front, '>') + 1), head.front)"


@dataclass(frozen=True, slots=True)
class Format:
    """One way for a line to begin.

    `head` has the groups front (stamp and host), tag, process and word. The SQL expressions over `head` and `line`
    give the rest: `front` without the priority, `text` (`bare` where a program writes its own file, without host and
    tag), and from front the `hour` as the log writes it, with its zone if any (`line_hour`: straight from the line), the place
    of the minutes, and `host`.
    """

    name: str
    head: str
    front: str
    text: str
    bare: str
    hour: str
    line_hour: str
    minute: int
    host: str

    def matcher(self) -> re.Pattern[str]:
        """Give the pattern for Python, which spells the byte-order mark differently from RE2."""
        return re.compile(self.head.replace(r"\x{FEFF}", "\ufeff"))


BSD = Format(
    name="rfc3164",
    head=r"^((?:<[0-9]+>)?[A-Z][a-z][a-z] [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)? [^ ]+)" + _TAG + _WORD,
    front=_WITHOUT_PRIORITY,
    text=f"substr(line, {_AFTER_HEAD})",
    bare="substr(line, 17)",
    hour="left(front, 9)",
    line_hour="left(if(starts_with(line, '<'), substr(line, strpos(line, '>') + 1), line), 9)",
    minute=11,
    host="split_part(substr(front, 8), ' ', 2)",
)

ISO = Format(
    name="iso8601",
    head=r"^((?:<[0-9]+>)?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})? [^ ]+)" + _TAG + _WORD,
    front=_WITHOUT_PRIORITY,
    text=f"substr(line, {_AFTER_HEAD})",
    bare="regexp_extract(line, '^[0-9-]+[T ][^ ]+ ([^\\n]*)', 1)",
    hour="left(front, 13) || regexp_extract(front, '^[0-9-]+[T ][0-9:.,]+(Z|[+-][0-9:]+)', 1)",
    line_hour=r"regexp_extract(line, '^(?:<[0-9]+>)?([0-9-]+[T ][0-9]{2})', 1)"
    r" || regexp_extract(line, '^(?:<[0-9]+>)?[0-9-]+[T ][0-9:.,]+(Z|[+-][0-9:]+)', 1)",
    minute=15,
    host="split_part(substr(front, 12), ' ', 2)",
)

#: structured data: none, or elements one after another, whose quoted values may hold brackets
_DATA = r'(?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+)'

#: the priority and the version say that it is one
RFC5424 = Format(
    name="rfc5424",
    head=r"^(<[0-9]+>1 [0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+ [^ ]+) ([^ ]+) ([^ ]+) [^ ]+ "
    + _DATA
    + r" (?:\x{FEFF})?"
    + _WORD,
    front="substr(head.front, strpos(head.front, ' ') + 1)",
    text=r"regexp_extract(line, '^<[0-9]+>1 (?:[^ ]+ ){5}" + _DATA + r" (?:\x{FEFF})?(?:[0-9A-Za-z]+: )?([^\n]*)', 1)",
    bare="line",
    hour="left(front, 13) || regexp_extract(front, '^[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+)', 1)",
    line_hour="regexp_extract(line, '^<[0-9]+>1 ([0-9-]+T[0-9]{2})', 1)"
    " || regexp_extract(line, '^<[0-9]+>1 [0-9-]+T[0-9:.]+(Z|[+-][0-9:]+)', 1)",
    minute=15,
    host="split_part(front, ' ', 2)",
)

FORMATS = (BSD, ISO, RFC5424)


_QUEUE_ID_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_LONG_QUEUE_ID = re.compile(r": ([0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,})z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+: ")
_DATED_MESSAGE_ID = re.compile(r": ([0-9A-F]{6,}): message-id=<(20\d{12})\.\1@")
_BSD_STAMP = re.compile(r"(?:<\d+>)?([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)")
_BSD_HOUR = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d")
_QUARTER = timedelta(minutes=15)
#: a month that drops by more than so many is New Year
_HALF_A_YEAR = 6


def likeliest(lines: Iterable[str]) -> tuple[Format, ...]:
    """Put the formats in the order in which they fit `lines` best."""
    sample = list(lines)
    return tuple(sorted(FORMATS, key=lambda one: -sum(map(bool, map(one.matcher().match, sample)))))


def decode_queue_id(queue_id: str) -> datetime:
    """Tell when a long Postfix queue id was made (base 52: seconds, then four digits of microseconds, then z).

    Raises:
        ValueError: it is not a long queue id.

    """
    made, separator, _ = queue_id.rpartition("z")
    if not separator or len(made) < 10:
        raise ValueError(f"{queue_id}: not a long queue id")
    seconds, micros = (_base52(part) for part in (made[:-4], made[-4:]))
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)


def _base52(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 52 + _QUEUE_ID_DIGITS.index(digit)
    return value


def evidence_of_clock(lines: Iterable[str]) -> tuple[int, timedelta] | None:
    """Find the year of the first stamp and the offset from UTC in lines that carry both a local stamp and a true time.

    Such are records of the birth of a long queue id, and Message-IDs that Postfix made itself (those are in UTC).
    Gives None where there are none; the commonest answer where they differ.
    """
    votes: dict[tuple[int, timedelta], int] = {}
    newest, new_years = 0, 0
    for line in lines:
        stamp = _BSD_STAMP.match(line)
        if stamp is None or stamp[1] not in _MONTHS:
            continue
        month = _MONTHS.index(stamp[1]) + 1
        new_years += newest - month > _HALF_A_YEAR
        straggler = (newest, month) == (1, 12)
        newest = newest if straggler else month
        born = _true_time(line)
        if born is None:
            continue
        for year in (born.year - 1, born.year, born.year + 1):
            local = _local(stamp.groups(), year)
            offset = local - born.replace(tzinfo=None) if local else timedelta.max
            if abs(offset) <= timedelta(hours=14):
                vote = (year - new_years + straggler, round(offset / _QUARTER) * _QUARTER)
                votes[vote] = votes.get(vote, 0) + 1
    return max(votes, key=lambda vote: votes[vote]) if votes else None


def _true_time(line: str) -> datetime | None:
    if ": client=" not in line and ": message-id=" not in line:
        return None
    if found := _LONG_QUEUE_ID.search(line):
        return decode_queue_id(found[1] + "z0")
    if found := _DATED_MESSAGE_ID.search(line):
        try:
            return datetime.strptime(found[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None
    return None


def _local(parts: tuple[str | None, ...], year: int) -> datetime | None:
    month, day, hour, minute, second = (part or "0" for part in parts)
    try:
        return datetime(year, _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))  # noqa: DTZ001
    except ValueError:
        return None


@dataclass(slots=True)
class Clock:
    """Turns the hours that a log writes into UTC, walking along the log: a month that drops by more than six is New Year.

    `year` is that of the first stamp, `zone` that of stamps that state none; `zone_name`, `zone_basis` (stated, given,
    inferred, assumed) and `year_basis` say where they come from, for the manifest.
    """

    year: int
    zone: tzinfo
    zone_name: str
    zone_basis: str
    year_basis: str
    _month: int = field(default=0)
    _known: dict[str, tuple[int | None, str]] = field(default_factory=dict)

    def resume(self, last: datetime) -> None:
        """Go on behind `last` (aware), the time of the last record read before."""
        local = last.astimezone(self.zone)
        self.year, self._month = local.year, local.month

    def hour(self, written: str) -> tuple[int | None, str]:
        """Give the microseconds since 1970 of the beginning of an hour, None if there is none, and its zone's name."""
        if not written[:1].isdigit():
            return self._bsd(written)
        if written not in self._known:
            self._known[written] = self._iso(written)
        return self._known[written]

    def _iso(self, written: str) -> tuple[int | None, str]:
        stated = written[13:].replace("Z", "+00:00")
        try:
            hour = datetime.fromisoformat(written[:10]).replace(hour=int(written[11:13]))
            zone = _fixed(stated) if stated else self.zone
        except ValueError:
            return None, ""
        return _micros(hour.replace(tzinfo=zone)), stated or self.zone_name

    def _bsd(self, written: str) -> tuple[int | None, str]:
        # Lines that only look a little like it must not move the year.
        month = _MONTHS.index(written[:3]) + 1 if written[:3] in _MONTHS and _BSD_HOUR.fullmatch(written) else 0
        if not month:
            return None, ""
        if self._month - month > _HALF_A_YEAR:
            self.year += 1
        # A straggler of December behind the first lines of January is still last year's.
        year = self.year - 1 if (self._month, month) == (1, 12) else self.year
        if year == self.year:
            self._month = month
        local = _local((written[:3], written[4:6], written[7:9], "0", "0"), year)
        return (_micros(local.replace(tzinfo=self.zone)), self.zone_name) if local else (None, "")


def _fixed(offset: str) -> tzinfo:
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    return timezone((-1 if offset[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _micros(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000


def guess_year(first: str, latest: datetime, zone: tzinfo) -> int:
    """Give the last year in which the stamp that `first` begins with is not after `latest`, a day's grace given."""
    stamp = _BSD_STAMP.match(first)
    if stamp is None:
        return latest.year
    for year in range(latest.year + 1, latest.year - 9, -1):
        local = _local(stamp.groups(), year)
        if local and local.replace(tzinfo=zone) <= latest + timedelta(days=1):
            return year
    return latest.year


def offset_zone(offset: timedelta, name: str, here: tzinfo, year: int) -> tuple[str, tzinfo, str]:
    """Give name, zone and basis for clocks that were `offset` from UTC: `here` where it fits, else the offset itself."""
    if offset in {datetime(year, month, 1, tzinfo=here).utcoffset() for month in (1, 7)}:
        return name, here, "inferred"
    minutes = round(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}", timezone(offset), "inferred"


def new_years(data: bytes, starts: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> list[int]:
    """Give the places of lines at which RFC 3164 stamps begin another year, where the year before is half gone by.

    Only then can one stamp mean two times. Such lines divide a block, so that each part has every hour once.
    """
    if not _long(data, starts):
        return []
    first = starts[:-1][np.diff(starts) > 3]
    places = np.flatnonzero(np.diff(starts) > 3)
    text = np.frombuffer(data, np.uint8)
    codes = text[first].astype(np.uint32) << 16 | text[first + 1].astype(np.uint32) << 8 | text[first + 2]
    months = np.searchsorted(_MONTH_CODES[0], codes).clip(max=11)
    real = _MONTH_CODES[0][months] == codes
    months, places = _MONTH_CODES[1][months[real]], places[real]
    drops = np.flatnonzero(months[:-1] - months[1:] > _HALF_A_YEAR) + 1
    middles = np.flatnonzero((months > 1) & (months < 10))
    found: list[int] = []
    last = 0
    for drop in drops:
        if np.searchsorted(middles, drop) > np.searchsorted(middles, last):
            found.append(int(places[drop]))
            last = int(drop)
    return found


def _long(data: bytes, starts: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> bool:
    """Say by a sample of lines whether a block may hold more than a year; a busy log's block is days."""
    sample = starts[: -1 : max(1, len(starts) // 500)]
    return len({data[place : place + 3] for place in sample.tolist()}) > 6
