# SPDX-License-Identifier: Apache-2.0
"""Postfix's settings, maps and connections as Postfix 3.7 and iproute2 wrote them; what is real is in tests/real."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hikeshi import mailqueue
from hikeshi.contain.connectors.postfix import PLUGIN, connections, sender, waiting
from hikeshi.contain.connectors.postfix.instance import Access, Instance
from hikeshi.contain.connectors.postfix.table import changed, entry
from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError, Target
from hikeshi.contain.local import Said
from hikeshi.mailqueue import Done, Queued, QueueError

ALICE = "alice@example.test"
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
TABLE = "texthash:/etc/postfix/hikeshi-held"
SERVICES = """smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd -o syslog_name=postfix/submission
127.0.0.1:10587 inet n    -       n       -       -       smtpd
pickup     unix  n       -       y       60      1       pickup
"""
OVERRIDES = """submission/inet/syslog_name = postfix/submission
submission/inet/smtpd_sasl_auth_enable = yes
"""
CONNECTIONS = """0      0                       192.0.2.25:587         198.51.100.66:48065 users:(("smtpd",pid=101,fd=9))
0      0              [2001:db8::25]:587       [2001:db8:66::1]:39837 users:(("smtpd",pid=102,fd=9),("smtpd",pid=9,fd=1))
0      0                       192.0.2.25:25          203.0.113.9:1111  users:(("smtpd",pid=103,fd=9))
0      0                       192.0.2.25:22          203.0.113.9:2222  users:(("sshd",pid=104,fd=4))
0      0                       192.0.2.25:993         203.0.113.9:3333
"""


class Programs:
    """Postfix's programs, answering from settings and a table."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.settings = {"smtpd_sasl_auth_enable": "no", "smtpd_sender_restrictions": f"check_sasl_access {TABLE}"}
        self.services, self.overrides = SERVICES, OVERRIDES
        self.connections, self.given = "", ""

    def run(self, program, *arguments, text=""):
        del text
        self.calls.append((program, *arguments))
        match program, *arguments:
            case "postconf", "-M":
                return Said(0, self.services, "")
            case "postconf", "-Px":
                return Said(0, self.overrides, "")
            case "postconf", "-xh", name:
                return Said(0, f"{self.settings.get(name, '')}\n", "")
            case "postmap", "-q", _, _:
                return Said(0 if self.given else 1, self.given, "")
            case "ss", "-tnpH", *_:
                return Said(0, self.connections, "")
        return Said(0, "", "")


@pytest.fixture
def programs(monkeypatch):
    made = Programs()
    for module in ("instance", "connections"):
        monkeypatch.setattr(f"hikeshi.contain.connectors.postfix.{module}.run", made.run)
    monkeypatch.setattr("hikeshi.contain.connectors.postfix.run", made.run)
    return made


# Which map is asked


def test_the_map_that_every_port_of_sign_ins_asks_is_found(programs):
    access = Instance().map()
    assert (access.table, access.services) == (TABLE, ("submission",))
    programs.settings["smtpd_sasl_auth_enable"] = "yes"
    assert Instance().map().services == ("smtp", "submission", "127.0.0.1:10587")


@pytest.mark.parametrize(
    "lists",
    [
        f"check_sasl_access {TABLE} permit_sasl_authenticated reject",
        f"reject_unknown_sender_domain,check_sasl_access,{TABLE}",
        f"check_sasl_access inline:{{ {{a = OK}} }}, check_sasl_access {TABLE}",
        f"reject_non_fqdn_sender\n check_sasl_access {TABLE}",
        "ours, permit",
    ],
)
def test_a_map_is_asked_if_nothing_permits_before(programs, lists):
    programs.settings |= {
        "smtpd_sender_restrictions": lists,
        "smtpd_restriction_classes": "ours",
        "ours": f"check_sasl_access {TABLE}",
    }
    assert Instance().map().table == TABLE


@pytest.mark.parametrize(
    "lists",
    [
        "",
        f"permit_sasl_authenticated, check_sasl_access {TABLE}",
        f"permit_mynetworks check_sasl_access {TABLE}",
        f"check_sender_access {TABLE}",
        "check_sasl_access pgsql:/etc/postfix/logins.cf",
        "check_sasl_access",
        "ours",
    ],
)
def test_a_map_that_is_not_asked_or_cannot_be_written_is_none(programs, lists):
    programs.settings |= {
        "smtpd_sender_restrictions": lists,
        "smtpd_restriction_classes": "ours",
        "ours": f"ours, permit, check_sasl_access {TABLE}",
    }
    with pytest.raises(RefusedError, match=r"(?s)at submission/inet; put this first.*check_sasl_access texthash:"):
        Instance().map()


def test_a_port_with_a_list_of_its_own_that_does_not_ask_is_named(programs):
    programs.overrides += "127.0.0.1:10587/inet/smtpd_sasl_auth_enable = yes\n"
    assert Instance().map().services == ("submission", "127.0.0.1:10587")
    programs.overrides += "127.0.0.1:10587/inet/smtpd_sender_restrictions = \n"
    with pytest.raises(RefusedError, match=r"at 127\.0\.0\.1:10587/inet;"):
        Instance().map()


def test_a_map_can_be_chosen_where_there_are_several(programs):
    programs.settings["smtpd_sender_restrictions"] = f"check_sasl_access hash:/a check_sasl_access {TABLE}"
    assert Instance().map().table == "hash:/a"
    assert Instance(access="/etc/postfix/hikeshi-held").map().table == TABLE
    assert Instance(access=TABLE).map().table == TABLE
    with pytest.raises(RefusedError):
        Instance(access="/b").map()


def test_a_program_that_may_not_is_to_be_run_by_sudo(programs, monkeypatch):
    del programs
    said = Said(1, "", "postsuper: fatal: use of this command is reserved for the superuser\n")
    monkeypatch.setattr("hikeshi.contain.connectors.postfix.instance.run", lambda *_: said)
    with pytest.raises(ConnectorError, match="reserved for the superuser; run this with sudo"):
        Instance().run("postsuper")


# The text of a map


def test_an_entry_is_its_line_and_those_that_go_on():
    text = f"# {ALICE} no\n a\n{ALICE.upper()} HOLD\n  since March\n# note\n\nb OK\n"
    assert entry(text, ALICE) == f"{ALICE.upper()} HOLD\n  since March\n"
    assert entry(text, "b") == "b OK\n"
    assert entry('"a b" OK', "a b") == '"a b" OK'
    assert entry(text, "c") is None


LINE = st.sampled_from(
    ["", "# note", f"{ALICE} OK", f"{ALICE}\tREJECT", "bob OK", " goes on", '"odd key" OK', f"{ALICE}.org OK"]
)


@settings(deadline=None)
@given(st.lists(LINE, max_size=7), st.sampled_from(["", "\n"]))
def test_an_entry_put_in_and_taken_back_leaves_every_byte_as_it_was(lines, end):
    text = "\n".join(lines) + end
    was = entry(text, ALICE)
    now = changed(text, ALICE, f"{ALICE} HOLD hikeshi\n")
    assert entry(now, ALICE) == f"{ALICE} HOLD hikeshi\n" or " goes on" in lines
    back = changed(now, ALICE, was)
    if was is None and text and not text.endswith("\n"):
        back = back.removesuffix("\n")
    assert back == text


# Connections from before


@pytest.fixture
def processes(programs, monkeypatch, tmp_path):
    """Processes 101 to 103 of a master 42, begun five seconds ago, as /proc shows them."""
    programs.connections = CONNECTIONS
    programs.settings["queue_directory"] = str(tmp_path)
    (tmp_path / "pid").mkdir()
    (tmp_path / "pid" / "master.pid").write_text("            42\n")
    ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - 5) * os.sysconf("SC_CLK_TCK"))
    files = {"/proc/42/comm": "master\n"}
    for pid, parent, service in (
        (101, 42, "submission"),
        (102, 42, "submission"),
        (103, 42, "smtp"),
        (9, 7, "submission"),
    ):
        files[f"/proc/{pid}/stat"] = f"{pid} (smt) pd) S {parent} " + "0 " * 17 + f"{ticks} 0 0"
        files[f"/proc/{pid}/cmdline"] = f"smtpd\0-n\0{service}\0-t\0inet\0"
    read = Path.read_text

    def read_text(self, *args, **more):
        if str(self).startswith("/proc/"):
            if str(self) not in files:
                raise FileNotFoundError(2, "No such file or directory", str(self))
            return files[str(self)]
        return read(self, *args, **more)

    monkeypatch.setattr(Path, "read_text", read_text)
    return files


def access(tmp_path, seconds):
    file = tmp_path / "held"
    file.write_text("")
    os.utime(file, (time.time() + seconds, time.time() + seconds))
    return Access("texthash", file, ("submission",))


def test_connections_of_the_maps_ports_that_are_older_than_the_map_are_old(processes, tmp_path):
    del processes
    found = connections.old(Instance(), access(tmp_path, 0))
    assert [(one.ours, one.theirs) for one in found] == [
        ("192.0.2.25:587", "198.51.100.66:48065"),
        ("[2001:db8::25]:587", "[2001:db8:66::1]:39837"),
    ]
    assert connections.old(Instance(), access(tmp_path, -30)) == []


def test_processes_of_another_postfix_or_that_have_gone_are_left_alone(processes, tmp_path):
    processes["/proc/101/stat"] = processes["/proc/101/stat"].replace("S 42", "S 43")
    del processes["/proc/102/cmdline"]
    assert connections.old(Instance(), access(tmp_path, 0)) == []


def test_a_number_that_is_another_programs_by_now_is_no_postfix(processes, tmp_path):
    processes["/proc/42/comm"] = "bash\n"
    assert connections.running(Instance()) is None
    assert connections.old(Instance(), access(tmp_path, 0)) == []


def test_only_the_connection_that_is_meant_is_ended(programs):
    connections.end([connections.Connection("[2001:db8::25]:587", "[2001:db8:66::1]:39837")])
    assert programs.calls == [
        ("ss", "-K", "-tn", "src", "[2001:db8::25]:587", "dst", "[2001:db8:66::1]:39837"),
    ]


def test_a_map_that_was_never_made_is_to_be_made(tmp_path):
    (tmp_path / "held").write_text("")
    with pytest.raises(ConnectorError, match=f"postmap hash:{tmp_path}/held"):
        _ = Access("hash", tmp_path / "held", ()).changed


# Steps


def test_what_postfix_gives_and_not_what_the_file_says_is_the_proof(programs, tmp_path):
    file = tmp_path / "held"
    file.write_text(f"{ALICE} HOLD hikeshi\n")
    programs.settings |= {"smtpd_sender_restrictions": f"check_sasl_access texthash:{file}", "queue_directory": "/none"}
    step = sender.planned(Instance(), ALICE)
    assert sender.probe(Instance(), step).reached is False
    programs.given = "HOLD hikeshi\n"
    assert sender.probe(Instance(), step).reached is True


def test_a_map_that_needs_postmap_gets_it(programs, tmp_path):
    file = tmp_path / "held"
    file.write_text("")
    programs.settings |= {"smtpd_sender_restrictions": f"check_sasl_access hash:{file}", "queue_directory": "/none"}
    step = sender.planned(Instance(), ALICE)
    sender._apply(Instance(), step, f"{step.detail['line']}\n")
    assert ("postmap", f"hash:{file}") in programs.calls
    assert "postmap" in step.request


def test_an_entry_that_somebody_has_changed_since_is_not_overwritten(programs, tmp_path):
    file = tmp_path / "held"
    file.write_text("")
    programs.settings |= {"smtpd_sender_restrictions": f"check_sasl_access texthash:{file}", "queue_directory": "/none"}
    step = sender.planned(Instance(), ALICE)
    before = sender.probe(Instance(), step)
    sender.do(Instance(), step, before)
    file.write_text(f"{ALICE} REJECT dismissed\n")
    with pytest.raises(RefusedError, match="has been changed since"):
        sender.undo(Instance(), step, before)
    assert file.read_text() == f"{ALICE} REJECT dismissed\n"


@pytest.fixture
def queue(monkeypatch):
    """A queue of one mail each: of another login, from before, on hold, and two that are meant."""
    at = int(NOW.timestamp())
    mails = {
        one.queue_id: one
        for one in (
            Queued("OTHER1", "deferred", at, 1, ALICE, ()),
            Queued("EARLY1", "deferred", at - 1, 1, ALICE, ()),
            Queued("HELD01", "hold", at, 1, ALICE, ()),
            Queued("OURS01", "active", at, 1, "x@example.test", ()),
            Queued("OURS02", "incoming", at + 1, 1, "", ()),
        )
    }
    moved: list[tuple[str, list[str]]] = []

    def done(what, ids):
        moved.append((what, sorted(ids)))
        return Done(frozenset(ids), "", None)

    monkeypatch.setattr(mailqueue, "listed", lambda _=None: list(mails.values()))
    monkeypatch.setattr(
        mailqueue, "accounts", lambda ids, _=None: {one: "bob" if one == "OTHER1" else ALICE.upper() for one in ids}
    )
    monkeypatch.setattr(mailqueue, "hold", lambda ids, _=None: done("hold", ids))
    monkeypatch.setattr(mailqueue, "release", lambda ids, _=None: done("release", ids))
    return mails, moved


def test_only_what_the_login_handed_in_since_is_held_and_only_that_released(queue):
    mails, moved = queue
    step = waiting.planned(Target(ALICE, NOW, NOW + timedelta(hours=1)))
    before = waiting.probe(Instance(), step)
    assert [one["queue_id"] for one in before.state["mails"]] == ["OURS01", "OURS02"]
    assert "new" not in waiting.do(Instance(), step, before).says
    assert not waiting.verify(Instance(), step, before).reached
    for name in ("OURS01", "OURS02"):
        mails[name] = Queued(name, "hold", mails[name].arrival, 1, mails[name].sender, ())
    assert waiting.verify(Instance(), step, before).reached
    mails["OURS02"] = Queued("OURS02", "hold", mails["OURS02"].arrival + 60, 1, "", ())  # the id is another mail's now
    waiting.undo(Instance(), step, before)
    assert moved == [("hold", ["OURS01", "OURS02"]), ("release", ["OURS01"])]
    assert not waiting.restored(Instance(), step, before).reached


def test_mail_that_came_after_the_first_look_is_held_too_and_named(queue):
    mails, moved = queue
    step = waiting.planned(Target(ALICE, NOW, NOW))
    late = mails.pop("OURS02")
    before = waiting.probe(Instance(), step)
    mails["OURS02"] = late
    assert "OURS02" in waiting.do(Instance(), step, before).says
    assert moved == [("hold", ["OURS01", "OURS02"])]


@pytest.mark.parametrize(
    ("words", "kind"), [("Postfix is not running: start it", LaterError), ("postqueue: not found", ConnectorError)]
)
def test_a_queue_that_cannot_be_asked_is_said_in_the_contracts_words(monkeypatch, words, kind):
    def fails(_=None):
        raise QueueError(words)

    monkeypatch.setattr(mailqueue, "listed", fails)
    with pytest.raises(kind, match=words) as caught:
        waiting.probe(Instance(), waiting.planned(Target(ALICE, NOW, NOW)))
    assert type(caught.value) is kind


# The plugin


def test_an_account_that_no_map_can_have_is_a_gap(programs):
    look = PLUGIN.connect({}).look(Target('a "b', NOW, NOW))
    assert (look.steps, len(look.gaps), programs.calls) == ((), 1, [])


def test_a_virtual_alias_within_our_domains_is_not_shown(programs):
    programs.settings |= {"virtual_alias_maps": "hash:/etc/aliases", "queue_directory": "/none"}
    target = Target(ALICE, NOW, NOW, own_domains=("example.test",))
    for given_addresses, shown in (("bob@example.test", 0), ("bob@example.test, x@elsewhere.example", 1)):
        programs.given = given_addresses
        assert len(PLUGIN.connect({}).look(target).shown) == shown


def test_what_the_plugin_prints_names_the_lines_and_the_rights():
    told = PLUGIN.setup({"config": "/srv/postfix"})
    assert "smtpd_sender_restrictions = check_sasl_access texthash:/srv/postfix/hikeshi-held" in told
    assert "sudoers" in told
    assert "/srv/postfix/hikeshi-held" in PLUGIN.teardown({"config": "/srv/postfix"}, True)
    with pytest.raises(ConnectorError, match="neither hold nor reject"):
        PLUGIN.connect({"action": "drop"})
