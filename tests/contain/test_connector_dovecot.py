# SPDX-License-Identifier: Apache-2.0
"""Dovecot's answers as Dovecot 2.3.19 gave them, Sieve scripts, and the deny list; what is real is in tests/real."""

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hikeshi.contain import local
from hikeshi.contain.connectors.dovecot import PLUGIN, deny
from hikeshi.contain.connectors.dovecot.doveadm import Doveadm, expanded, plain
from hikeshi.contain.connectors.dovecot.passdb import deny_list
from hikeshi.contain.connectors.dovecot.script import NOTE, NotSieveError, parsed, without
from hikeshi.contain.connectors.dovecot.suspicion import findings
from hikeshi.contain.contract import ConnectorError, LaterError, Phase, RefusedError, Step, Target

ALICE = "alice@example.test"
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DENY = "passdb {{\n  args = {file}\n  auth_verbose = default\n  default_fields = \n  deny = yes\n  driver = passwd-file\n  master = no\n  mechanisms = \n  result_success = return-ok\n  skip = never\n  username_filter = \n}}\n"
GOOD = "passdb {\n  args = /etc/dovecot/passwords\n  deny = no\n  driver = passwd-file\n  master = no\n  result_success = return-ok\n}\n"
BARRED = f"passdb: {ALICE} auth failed\nextra fields:\n  user={ALICE}\n  code=user_disabled\n"
WRONG = f"passdb: {ALICE} auth failed\nextra fields:\n  user={ALICE}\n"


class Fake:
    """A doveadm that answers what it was told to: the first answer whose words stand in the command line."""

    doveadm = Doveadm()

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.given: tuple[tuple[str, str, int, str], ...] = (("config", "", 0, ""),)

    def answers(self, *answers) -> None:
        self.given = answers

    def run(self, program, *arguments, text=""):
        assert (program, text) == ("doveadm", "")
        self.calls.append(list(arguments))
        line = " ".join(arguments)
        return next((local.Said(code, out, err) for words, out, code, err in self.given if words in line), NOTHING)


NOTHING = local.Said(0, "", "")


@pytest.fixture
def fake(monkeypatch):
    made = Fake()
    monkeypatch.setattr("hikeshi.contain.connectors.dovecot.doveadm.run", made.run)
    return made


# What doveadm's answers mean


@pytest.mark.parametrize(
    ("code", "err", "kind", "says"),
    [
        (75, "Fatal: net_connect_unix(/run/dovecot/anvil) failed: Connection refused", LaterError, "start it"),
        (0, "Error: auth-master: auth cache flush: connect(/run/x) failed: Connection refused", LaterError, "start it"),
        (77, "Error: auth-client: conn unix:/r: connect(/r) failed: No such file or directory", LaterError, "start it"),
        (75, "Fatal: net_connect_unix(/run/dovecot/anvil) failed: Permission denied", ConnectorError, "sudo"),
        (75, "doveadm(x): Error: Internal error occurred.", LaterError, "Internal error"),
        (67, f"doveadm({ALICE}): Error: User doesn't exist", RefusedError, "under which name"),
        (89, "doveconf: Fatal: open(/nowhere) failed: No such file", ConnectorError, r"give dovecot\.conf"),
        (64, "fetch: invalid option -- 'o'", ConnectorError, "invalid option"),
    ],
)
def test_what_doveadm_complains_of_counts_more_than_how_it_ends(fake, code, err, kind, says):
    fake.answers(("who", "", code, err))
    with pytest.raises(kind, match=says) as caught:
        fake.doveadm.run("who", "-1")
    assert type(caught.value) is kind


def test_a_statistics_socket_that_is_barred_is_none_of_our_business(fake):
    fake.answers(
        ("who", "x", 0, "Error: net_connect_unix(/run/dovecot/stats-writer) failed: Permission denied\n"),
    )
    assert fake.doveadm.run("who").out == "x"


def test_rows_are_read_and_what_is_none_is_said_to_be_none(fake):
    fake.answers(("who", '[{"username":"a","service":"imap"}]', 0, ""), ("sieve", "no json", 0, ""))
    assert fake.doveadm.ask("who", "-1") == [{"username": "a", "service": "imap"}]
    with pytest.raises(ConnectorError, match="not JSON"):
        fake.doveadm.ask("sieve", "list")


def test_the_instance_is_named_to_the_program(fake):
    replace(fake.doveadm, config="/srv/dovecot.conf").run("who")
    assert fake.calls == [["-c", "/srv/dovecot.conf", "who"]]


@pytest.mark.parametrize("name", ["*", "a*@example.test", "a?b", "-x", "#a", "a:b", "a b", "a\nb", "", "a\x00"])
def test_names_that_mean_more_than_themselves_are_not_plain(name):
    assert not plain(name)


@pytest.mark.parametrize("name", [ALICE, "alice", "o'brien@example.test", "日本@example.test", "a%b", "a-b+c@x"])
def test_other_names_are_plain(name):
    assert plain(name)


def test_patterns_of_names_are_filled_in_and_unknown_ones_refused():
    name = "Alice@Example.test"
    patterns = ("%u", "%Lu", "%n", "%Ln", "%Ld", "%n.%d")
    assert [expanded(one, name) for one in patterns] == [
        name, "alice@example.test", "Alice", "alice", "example.test", "Alice.Example.test",
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="%u, %n and %d only"):
        expanded("%{domain}", name)


# The deny list


def listed(fake, passdbs, userdb="userdb {\n  args = \n  driver = sql\n}\n", more=()):
    fake.answers(*more, ("passdb", passdbs, 0, ""), ("userdb", userdb, 0, ""), ("auth_username_format", "%Lu\n", 0, ""))
    return deny_list(fake.doveadm)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "denied"
    path.write_text("")
    return path


def test_the_list_before_everything_that_lets_in_is_found(fake, file):
    found = listed(fake, DENY.format(file=file) + GOOD)
    assert (found.file, found.key("ALICE@example.test"), found.services) == (file, ALICE, ("imap",))


def test_a_list_by_bare_names_has_bare_names(fake, file):
    found = listed(fake, DENY.format(file=f"scheme=PLAIN username_format=%n {file}") + GOOD)
    assert (found.file, found.key(ALICE)) == (file, "alice")


@pytest.mark.parametrize("before", [GOOD.replace("master = no", "master = yes"), GOOD.replace("return-ok", "continue")])
def test_what_stands_before_it_and_lets_nobody_in_by_itself_does_no_harm(fake, file, before):
    assert listed(fake, before + DENY.format(file=file) + GOOD).file == file


@pytest.mark.parametrize(
    "passdbs",
    ["", GOOD, GOOD + "FULL", "PLAIN", "FILTERED"],
)
def test_a_list_that_does_not_bar_everybody_is_none(fake, file, passdbs):
    full = DENY.format(file=file)
    for name, text in (
        ("PLAIN", full.replace("mechanisms = ", "mechanisms = plain")),
        ("FILTERED", full.replace("username_filter = ", "username_filter = *@example.test")),
        ("FULL", full),
    ):
        passdbs = passdbs.replace(name, text)
    with pytest.raises(RefusedError, match=r"before every other passdb.*\npassdb \{\n  driver = passwd-file\n  deny"):
        listed(fake, passdbs)


def test_a_list_that_one_protocol_alone_asks_is_none(fake, file):
    with pytest.raises(RefusedError, match="lets smtp in"):
        listed(fake, DENY.format(file=file) + GOOD, more=[("service=smtp", GOOD, 0, "")])


def test_a_list_whose_file_is_missing_denies_nobody(fake, file):
    file.unlink()
    with pytest.raises(RefusedError, match="touch "):
        listed(fake, DENY.format(file=file) + GOOD)


def test_a_list_for_each_domain_is_refused(fake, file):
    with pytest.raises(RefusedError, match="name one file"):
        listed(fake, DENY.format(file=f"{file}-%d") + GOOD)


def test_a_userdb_that_would_forget_who_is_denied_is_refused_unless_it_takes_all(fake, file):
    userdb = "userdb {\n  args = uid=vmail home=/srv/%u\n  driver = static\n}\n"
    with pytest.raises(RefusedError, match="allow_all_users=yes"):
        listed(fake, DENY.format(file=file) + GOOD, userdb)
    assert listed(fake, DENY.format(file=file) + GOOD, userdb.replace("uid", "allow_all_users=yes uid")).file == file


def step(file, **detail):
    given_detail = {"file": str(file), "keys": [ALICE], "names": [ALICE], **detail}
    return Step("dovecot", "deny", Phase.STOP, ALICE, None, "", {"en": "", "ja": ""}, None, given_detail)


def answers(fake, file, test):
    listed(fake, DENY.format(file=file) + GOOD, more=[("auth test", test, 77, ""), ("auth cache", "1 cache\n", 0, "")])
    fake.calls.clear()


def test_only_an_answer_that_the_account_is_disabled_is_a_proof(fake, file):
    file.write_text(f"{ALICE}:\n")
    for test, reached in ((BARRED, True), (WRONG, False)):
        answers(fake, file, test)
        assert deny.verify(fake.doveadm, step(file)).reached is reached
    file.write_text("")
    answers(fake, file, BARRED)
    assert deny.verify(fake.doveadm, step(file)).reached is False


@pytest.mark.parametrize("test", ["", f"passdb: {ALICE} auth failed\nextra fields:\n  temp\n  code=temp_fail\n"])
def test_an_answer_that_tells_nothing_is_for_later(fake, file, test):
    file.write_text(f"{ALICE}:\n")
    answers(fake, file, test)
    with pytest.raises(LaterError, match="could not look"):
        deny.verify(fake.doveadm, step(file))


def test_before_anything_was_done_nobody_tries_to_sign_in(fake, file):
    answers(fake, file, WRONG)
    assert deny.probe(fake.doveadm, step(file)).reached is False
    assert not any("test" in call for call in fake.calls)


def test_the_made_up_password_is_another_every_time(fake, file):
    file.write_text(f"{ALICE}:\n")
    answers(fake, file, BARRED)
    for _ in range(2):
        deny.verify(fake.doveadm, step(file))
    tried = [call[-1] for call in fake.calls if "test" in call]
    assert len(set(tried)) == len(tried) == 2


@settings(deadline=None)
@given(
    lines=st.lists(
        st.sampled_from([ALICE, f"{ALICE}:", "bob", "bob:x", "", "# a", f"{ALICE}.org:", "日本:"]), max_size=6
    ),
    end=st.sampled_from(["", "\n", "\r\n"]),
)
def test_denying_and_taking_it_back_leaves_every_byte_as_it_was(tmp_path_factory, lines, end):
    file = tmp_path_factory.mktemp("denied") / "denied"
    was = ("\n".join(lines) + end).encode()
    file.write_bytes(was)
    planned, fake = step(file), Fake()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hikeshi.contain.connectors.dovecot.doveadm.run", fake.run)
        answers(fake, file, WRONG)
        before = deny.probe(fake.doveadm, planned)
        for _ in range(2):
            deny.do(fake.doveadm, planned, before)
        assert sum(line.partition(b":")[0] == ALICE.encode() for line in file.read_bytes().split(b"\n")) >= 1
        for _ in range(2):
            deny.undo(fake.doveadm, planned, before)
    assert file.read_bytes() == was


# Files


def test_a_file_is_replaced_with_owner_and_mode_and_is_never_half(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old \xff")
    file.chmod(0o640)
    link.symlink_to(file)
    with file.open("rb") as reader:
        assert local.edit(link, lambda text: text + "new")
        assert reader.read() == b"old \xff"
    assert (file.read_bytes(), link.is_symlink()) == (b"old \xffnew", True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "link"]
    assert not local.edit(file, lambda text: text)


def test_two_changes_in_one_second_have_two_times(tmp_path):
    file = tmp_path / "file"
    file.write_text("a")
    times = [int(file.stat().st_mtime)]
    for letter in "bc":
        local.edit(file, lambda _, letter=letter: letter)
        times.append(int(file.stat().st_mtime))
    assert times == sorted(set(times))


def test_a_file_that_cannot_be_written_stays_and_it_is_said(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("old")

    def barred(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", barred)
    with pytest.raises(ConnectorError, match="cannot be written: Permission denied; run this with sudo"):
        local.edit(file, lambda _: "new")
    assert (file.read_text(), [one.name for one in tmp_path.iterdir()]) == ("old", ["file"])
    with pytest.raises(ConnectorError, match="No such file"):
        local.edit(tmp_path / "none", lambda _: "new")
    with pytest.raises(ConnectorError, match="No such file"):
        local.edit(tmp_path / "no folder" / "none", lambda _: "new")


def test_programs_that_are_not_there_or_hang_are_told(tmp_path, monkeypatch):
    with pytest.raises(ConnectorError, match="hikeshi-none: not found; run this on the mail server"):
        local.run("hikeshi-none")
    monkeypatch.setattr(local, "_PATIENCE", 0.05)
    with pytest.raises(LaterError, match="did not end within"):
        local.run("sleep", "5")
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(ConnectorError, match="broken"):
        local.run(str(broken))


# Sieve

SCRIPT = r"""require ["fileinto", "copy", "vacation", "envelope"]; # first
/* mine: redirect "x@elsewhere.example"; */
if anyof (header :contains ["subject", "x-\"y\""] "invoice", size :over 1M) {
  fileinto "Bills";
} elsif not address :is :domain "from" "example.test" { stop; }
else { keep; }
vacation :days 7 :subject "away" text:
redirect "x@elsewhere.example";
..
.
;
REDIRECT :copy "collect@elsewhere.example";
"""


def test_a_script_is_read_as_a_tree():
    commands = parsed(SCRIPT)
    assert [one.name for one in commands] == ["require", "if", "elsif", "else", "vacation", "redirect"]
    condition = commands[1].tests[0]
    assert [one.name for one in condition.tests] == ["header", "size"]
    assert condition.tests[0].strings == (("subject", 'x-"y"'), ("invoice",))
    assert commands[4].strings == (("away",), ('redirect "x@elsewhere.example";\n.\n',))
    assert SCRIPT[commands[5].begin : commands[5].end] == 'REDIRECT :copy "collect@elsewhere.example";'


@pytest.mark.parametrize(
    "text",
    ['redirect "a', "if true {", "keep", "}", "if header [ { }", "text:\nx\n", "if (true { }", '"a";', "keep; ]", "é;"],
)
def test_what_is_no_script_is_said_to_be_none(text):
    with pytest.raises(NotSieveError, match="character"):
        parsed(text)


def test_blocks_without_end_are_refused_not_followed():
    with pytest.raises(NotSieveError):
        parsed("if true {" * 5000 + "keep;" + "}" * 5000)
    with pytest.raises(NotSieveError):
        parsed("if " + "not " * 5000 + "true { keep; }")


def test_what_is_taken_out_is_a_comment_and_all_else_is_as_it_was():
    last = parsed(SCRIPT)[-1]
    assert without(SCRIPT, [last]) == SCRIPT.replace("REDIRECT", f"{NOTE}REDIRECT")
    inside = 'if true { redirect "a@b"; keep; }'
    cleaned = without(inside, [parsed(inside)[0].block[0]])
    assert cleaned == f'if true {{ \n{NOTE}redirect "a@b";\n keep; }}'
    assert [one.name for one in parsed(cleaned)[0].block] == ["keep"]


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)
STRING = WORD.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"') | WORD.filter(
    lambda text: not any(line.startswith(".") for line in text.split("\n"))
).map(lambda text: f"text:\n{text}\n.\n")
ACTION = st.one_of(
    STRING.map(lambda text: f"redirect {text};"),
    STRING.map(lambda text: f"fileinto :copy {text};"),
    st.sampled_from(["keep;", "discard;", "stop ;"]),
)
FILLING = st.sampled_from([" ", "\n", '# note; redirect "x"\n', "/* } */", ""])
BLOCK = st.recursive(
    st.lists(st.tuples(ACTION, FILLING).map("".join), max_size=4).map("".join),
    lambda inside: st.tuples(STRING, inside, FILLING).map(
        lambda parts: f'if header :contains "subject" {parts[0]} {{ {parts[1]} }}{parts[2]}'
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(BLOCK, st.randoms(use_true_random=False))
def test_whatever_is_taken_out_only_that_is_gone(text, random):
    def flat(commands):
        return [each for one in commands for each in (one, *flat(one.block))]

    actions = [one for one in flat(parsed(text)) if not one.block and one.name != "if"]
    chosen = [one for one in actions if random.random() < 0.5]
    left = [(one.name, one.strings) for one in actions if one not in chosen]
    cleaned = without(text, chosen)
    assert [(one.name, one.strings) for one in flat(parsed(cleaned)) if one.name != "if"] == left
    if not chosen:
        assert cleaned == text


@settings(deadline=None)
@given(st.text('if{}[]();,"\\:.#/*\n\r tex0Kabc', max_size=60))
def test_any_text_is_a_script_or_said_to_be_none(text):
    try:
        parsed(text)
    except NotSieveError:
        return


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('redirect "a@elsewhere.example";', [("sends mail to a@elsewhere.example", True)]),
        ('redirect "a@EXAMPLE.test";', []),
        ('redirect "${to}";', [("sends mail to ${to}", True)]),
        ('if false { redirect :copy "A <a@elsewhere.example>"; }', [("sends mail to A <a@elsewhere.example>", True)]),
        ('notify :message "x" "mailto:a@elsewhere.example?subject=x";', [("sends mail to a@elsewhere.example", True)]),
        ('notify "mailto:a@example.test";', []),
        ("discard;", [("hides every mail (discard)", True)]),
        ('if true { fileinto "INBOX.RSS Feeds"; }', [("hides every mail (INBOX.RSS Feeds)", True)]),
        ('if header :contains "subject" "" { discard; }', [("hides every mail (discard)", True)]),
        ('if not false { if exists "from" { discard; } }', [("hides every mail (discard)", True)]),
        ('if anyof (header :is "x" "y", true) { discard; }', [("hides every mail (discard)", True)]),
        ('if allof (header :is "x" "y", true) { discard; }', [("hides some mails (discard)", False)]),
        ('if header :contains "subject" ["Phishing"] { fileinto "Trash"; }', [("hides warnings (Trash)", True)]),
        ('if body :contains "乗っ取り" { discard; }', [("hides warnings (discard)", True)]),
        ('if header :is "list-id" "news" { fileinto "Trash"; }', [("hides some mails (Trash)", False)]),
        ('if header :is "list-id" "news" { fileinto "Lists"; }', []),
        ('if header :is "list-id" "n" { keep; } else { discard; }', [("hides some mails (discard)", False)]),
        ('fileinto :copy "Archive";', []),
        ('vacation "away"; keep; addflag "\\\\Seen";', []),
    ],
)
def test_what_a_script_lets_out_or_hides(script, found):
    assert [(one.says("en"), one.grave) for one in findings(script, ["example.test"])] == found


# The plugin


def test_what_the_plugin_prints_names_the_lines_and_the_rights():
    told = PLUGIN.setup({"deny": "/srv/denied"})
    assert "deny = yes\n  args = /srv/denied" in told
    assert "sudoers" in told
    assert "/srv/denied" in PLUGIN.teardown({"deny": "/srv/denied"}, True)


def test_a_session_that_was_ended_cannot_be_brought_back(fake):
    connector = PLUGIN.connect({})
    fake.answers(("user -f home", "/home/a\n", 0, ""), ("auth_username", "%Lu\n", 0, ""), ("who", "[]", 0, ""))
    (kick,) = [one for one in connector.look(Target(ALICE, NOW, NOW)).steps if one.operation == "kick"]
    assert kick.undo is None
    before = connector.probe(kick)
    assert before.reached
    with pytest.raises(RefusedError, match="sign in again"):
        connector.undo(kick, before)
    assert connector.restored(kick, before).reached is None


def test_the_bare_name_counts_where_it_opens_the_same_mailbox(fake):
    connector = PLUGIN.connect({})
    names = []
    for other in (("user -f home alice", "/home/a\n", 0, ""), ("user -f home alice", "\n", 67, "no")):
        fake.answers(("user -f home alice@", "/home/a\n", 0, ""), other, ("auth_username", "%Lu\n", 0, ""))
        (kick,) = [one for one in connector.look(Target(ALICE, NOW, NOW)).steps if one.operation == "kick"]
        names.append(kick.detail["names"])
    assert names == [[ALICE, "alice"], [ALICE]]


def test_a_name_that_is_a_mask_is_never_handed_to_doveadm(fake):
    look = PLUGIN.connect({}).look(Target("*", NOW, NOW))
    assert (look.steps, len(look.gaps)) == ((), 1)
    assert fake.calls == []
