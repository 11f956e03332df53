# SPDX-License-Identifier: Apache-2.0
"""The story as code: evidence, detection, scope, case, guard. The only file that knows every room."""

import asyncio
import glob
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hikeshi import model
from hikeshi.basics.errors import HikeshiError, NothingToReadError, UsageError
from hikeshi.cases.document import describe
from hikeshi.cases.entries import Finding, Incident, Reach
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.tell import tell
from hikeshi.cases.told import Told, shown_in
from hikeshi.detect.detections import findings
from hikeshi.detect.incidents import incidents
from hikeshi.detect.weights import Norm, weigh
from hikeshi.evidence import lake as lakes
from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading, Watch, collect
from hikeshi.evidence.coverage import Coverage, coverage
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.seal import Manifest
from hikeshi.guard.logs.journal import JOURNAL, export
from hikeshi.guard.state import open_state
from hikeshi.guard.watch import Watching, watch
from hikeshi.guard.weighing.learn import Learnt as LearntEvents
from hikeshi.guard.weighing.learn import learn as learn_lake
from hikeshi.scope.domains import own_domains
from hikeshi.scope.foothold import footholds
from hikeshi.scope.origin import origins, read_directory
from hikeshi.scope.reach import reach

#: one false alarm in a hundred thousand account-days: a company of 300 waits about a year for it
FALSE_ALARMS = "1/100000"
#: days of the journal that a case of the watch is made from; seconds from one writing of it to the next
_HISTORY, _BETWEEN = 45, 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What the user wants to know of which inputs."""

    inputs: Sequence[str]
    case: Path
    org: Sequence[str] = ()
    reading: Reading = field(default_factory=Reading)
    directory: Path | None = None
    account: str | None = None
    false_alarms: str = FALSE_ALARMS


@dataclass(frozen=True, slots=True)
class Answer:
    """What an investigation leaves: the document of incident.json, and whether anything was incomplete."""

    document: dict[str, Any]
    incidents: int
    gaps: list[str]


def investigate(question: Question, watch: Watch) -> Answer:
    """Read the inputs, find the incidents, say whom they reached, and write the case folder.

    Raises:
        HikeshiError: with what happened, where, and what to do.

    """
    alarms, account_days = false_alarms(question.false_alarms)
    directory = (question.directory.name, read_directory(question.directory)) if question.directory else None
    folder = CaseFolder(question.case)
    with folder.locked():
        manifest = seal.load(folder.evidence)
        with lakes.opened(folder.evidence, manifest.files) as lake:
            collect(lake, manifest, question.inputs, question.reading, folder.aside, watch)
            _require_records(manifest)
            seal.save(manifest, folder.evidence)
            lake.tidy()
            told = _told(lake, manifest, question, (alarms, account_days), directory)
            document = describe(told, shown_in(told.manifest))
            _record(folder, document)
            tell(folder, lake, told, document)
    return Answer(document, len(told.incidents), _gaps(manifest, told.coverage))


def _record(folder: CaseFolder, document: dict[str, Any]) -> None:
    """Write what was found into the case's store, and into the document what the store knows of it."""
    # The guard's process comes through this file too, and does without a database.
    from hikeshi.cases import record  # noqa: PLC0415 - as above
    from hikeshi.cases.store import open_store  # noqa: PLC0415 - as above

    with open_store(folder.path) as store:
        record.take_up(store, folder.path)
        for one, name in zip(document["incidents"], record.name_incidents(store, document["incidents"]), strict=True):
            one["id"] = name
        changes = record.record_investigation(store, folder, document)
        record.correct_document(store, document)
        document["changes"] = [asdict(one) for one in changes]
        seq, digest = store.head()
        document["ledger"] = {"entries": seq, "head": digest}


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the guard has learnt from: mails, accounts and days of log; events that were new to the state, and known."""

    mails: int
    accounts: int
    days: float
    events: int
    known: int
    gaps: list[str]


def learn(inputs: Sequence[str], reading: Reading, state: str, org: Sequence[str], watch: Watch) -> Learnt:
    """Read the inputs and let the guard's `state` learn what is normal; what it knows already is passed over.

    Where `org` names domains, accounts of other domains are left out.

    Raises:
        HikeshiError: with what happened, where, and what to do.

    """
    asyncio.run(_usable(state))  # said before the logs are read, which may take a while
    with tempfile.TemporaryDirectory(prefix="hikeshi-learn-") as folder:
        evidence, manifest = Path(folder) / "evidence", Manifest()
        with lakes.opened(evidence, {}) as lake:
            collect(lake, manifest, inputs, reading, Path(folder) / "set-aside", watch)
            _require_records(manifest)
            norm = weigh(lake)
            learnt = asyncio.run(_into(state, lake, norm, org))
            gaps = _gaps(manifest, coverage(lake, manifest))
    return Learnt(norm.mails, norm.accounts, norm.days, learnt.events, learnt.passed_over, gaps)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What an alarm of the watch opens: an investigation of the logs that are watched, with all that was rotated."""

    inputs: Sequence[str]
    case: Path
    tz: str | None
    false_alarms: str

    def open(self) -> None:
        """Write the case folder, or say in the log why not; the watch goes on either way."""
        try:
            with tempfile.TemporaryDirectory(prefix="hikeshi-journal-") as folder:
                inputs = [self._input(name, Path(folder)) for name in self.inputs]
                question = Question(inputs, self.case, reading=Reading(self.tz), false_alarms=self.false_alarms)
                answer = investigate(question, lambda _: None)
        except HikeshiError as error:
            _log.error("no case: %s", error, extra={"event": "case", "path": str(self.case)})
        except Exception:  # noqa: BLE001 - a full disk, a defect of ours: neither may end the watch
            _log.exception("no case: a defect or the machine", extra={"event": "case", "path": str(self.case)})
        else:
            told = {"event": "case", "path": str(self.case / "report.html")}
            _log.info("a case is open with %d incidents", answer.incidents, extra=told)

    def _input(self, name: str, folder: Path) -> str:
        if name != JOURNAL:
            return f"{glob.escape(name)}*"
        path = folder / "journal.log"
        export(path, _HISTORY)
        return str(path)


async def watch_logs(how: Watching, false_alarms: str) -> None:
    """Watch logs, and let every alarm open a case, or bring the open one up to date, within seconds.

    Raises:
        HikeshiError: the watch cannot begin; the message says why and what to do.

    """
    wanted, one_by_one = asyncio.Event(), asyncio.Lock()
    if _untold(how.case):
        wanted.set()
    inquiry = Inquiry(how.logs, how.case, how.tz, false_alarms)

    async def open_case() -> None:
        async with one_by_one:
            wanted.clear()
            await asyncio.to_thread(inquiry.open)

    async def open_cases() -> None:
        while True:
            await wanted.wait()
            await open_case()
            await asyncio.sleep(_BETWEEN)

    cases = asyncio.create_task(open_cases())
    try:
        await watch(how, lambda _mail, _answer: wanted.set())
    finally:
        if wanted.is_set():
            await open_case()
        cases.cancel()


def _untold(case: Path) -> bool:
    """Say whether a watch died between an alarm and its case."""
    alarms, told = case / "alarms.jsonl", case / "incident.json"
    return alarms.exists() and (not told.exists() or told.stat().st_mtime < alarms.stat().st_mtime)


async def _usable(where: str) -> None:
    state = open_state(where)
    try:
        await state.norm()
    finally:
        await state.close()


async def _into(where: str, lake: Lake, norm: Norm, org: Sequence[str]) -> LearntEvents:
    state = open_state(where)
    try:
        return await learn_lake(
            lake, state, norm.organisation, {"mails": float(norm.mails), "account_days": norm.account_days}, org
        )
    finally:
        await state.close()


def _told(
    lake: Lake,
    manifest: Manifest,
    question: Question,
    rate: tuple[float, float],
    directory: tuple[str, Sequence[str]] | None,
) -> Told:
    """Ask the rooms in the order of the story and put together what they say."""
    domains = own_domains(lake, question.org)
    norm = weigh(lake)
    h = model.threshold(*rate, norm.mails_per_account_day)
    found = list(incidents(lake, h, question.account))
    covered = coverage(lake, manifest)
    holes = [gap for one in covered for gap in one.gaps]
    reached = reach(lake, found, holes, max((one.last for one in covered), default=None))
    origin = [origins(lake, number, one.account, directory) for number, one in enumerate(found, start=1)]
    return Told(
        manifest=manifest,
        coverage=covered,
        incidents=list(zip(found, reached, origin, strict=True)),
        footholds=footholds(lake, found, reached),
        findings=[*_about(norm, found, reached), *findings(lake)],
        domains=domains,
        norm=norm,
        threshold=h,
        false_alarms=question.false_alarms,
        account=question.account,
    )


def false_alarms(text: str) -> tuple[float, float]:
    """Read N/account-days, for example 1/100000.

    Raises:
        UsageError: it is not of that form.

    """
    alarms, _, days = text.partition("/")
    try:
        wanted = float(alarms), float(days)
    except ValueError:
        wanted = 0.0, 0.0
    if not (0 < wanted[0] < wanted[1]):
        raise UsageError(f"--false-alarms {text}: give N/account-days, for example {FALSE_ALARMS}")
    return wanted


def _require_records(manifest: Manifest) -> None:
    if not sum(one.records for one in manifest.inputs):
        told = "; ".join(f"{one['path']}: {one['reason']}" for one in manifest.unreadable)
        raise NothingToReadError(
            f"nothing to read: {told or 'the inputs hold no records'}. Give mail logs, for example /var/log/mail.log*"
        )


def _gaps(manifest: Manifest, covered: Sequence[Coverage]) -> list[str]:
    """Say in words what makes the evidence incomplete."""
    gaps = [f"{one['path']}: {one['reason']}" for one in manifest.unreadable]
    gaps += [f"{one.path}: {problem}" for one in manifest.inputs for problem in one.problems]
    gaps += [
        f"{one.source} on {one.host or 'this host'}: {gap.first.isoformat()} to {gap.last.isoformat()}: {gap.why}"
        for one in covered
        for gap in one.gaps
        if not any(gap.why.startswith(f"{each.path}: ") for each in manifest.inputs)
    ]
    if not any(one.taken for one in manifest.inputs):
        gaps.append("no record of a mail server that we know in any input; were these the right files?")
    return gaps


def _about(norm: Norm, found: Sequence[Incident], reached: Sequence[Reach]) -> list[Finding]:
    """Say what a person must know about the judgement itself: a cold start, and the incidents as findings."""
    told = []
    if norm.days < 3:
        told.append(
            Finding(
                "cold-start",
                None,
                None,
                {
                    "en": f"the log covers {_span(norm.days)}: too short to know what is normal here. Thresholds are "
                    "higher for it, and places cannot be judged new. Add older logs to the same case",
                    "ja": f"ログは{_span_ja(norm.days)}分しかなく、平常を知るには短すぎます。しきい値を高くし、"
                    "場所の新しさは判断していません。古いログを同じケースに追加してください",
                },
            )
        )
    for incident, extent in zip(found, reached, strict=True):
        told.append(
            Finding(
                incident.verdict,
                incident.account,
                incident.alarmed_at,
                {
                    "en": f"{incident.account} sent {extent.messages:,} mails to {extent.addresses:,} addresses; "
                    + (
                        "somebody else had the account" if incident.verdict == "takeover" else "unusual: ask the sender"
                    ),
                    "ja": f"{incident.account}から{extent.addresses:,}件の宛先へ{extent.messages:,}通。"
                    + (
                        "別人がアカウントを使っています"
                        if incident.verdict == "takeover"
                        else "異例です。送信者に確認してください"
                    ),
                },
                extent.messages,
            )
        )
    return told


def _span(days: float) -> str:
    return f"{days * 24:.0f} hours" if days < 2 else f"{days:.1f} days"


def _span_ja(days: float) -> str:
    return f"{days * 24:.0f}時間" if days < 2 else f"{days:.1f}日"
