# SPDX-License-Identifier: Apache-2.0
"""The LDAP connector against a real slapd: what it does there, how it reads, and with which rights."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from directory import BASE, MANAGER, MANAGER_PASSWORD, SERVICE, SERVICE_PASSWORD, Directory, directory
from servers import until

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.ldap import PLUGIN
from hikeshi.contain.connectors.ldap.connector import Ldap
from hikeshi.contain.connectors.ldap.options import checked
from hikeshi.contain.connectors.ldap.server import Server
from hikeshi.contain.contract import (
    ConnectorError,
    LaterError,
    Look,
    Phase,
    Reading,
    RefusedError,
    Settings,
    Step,
    Target,
)

LOCKED = "000001010000Z"
ALICE, ODD, TWIN = "alice@example.test", "o'odd.(x*)\\@example.test", "twice@example.test"
OLD = "the password that was stolen"


def person(uid: str, name: str, mail: str, more: str = "") -> str:
    return f"""
dn: cn={name},ou=people,{BASE}
objectClass: inetOrgPerson
objectClass: mailUser
uid: {uid}
cn: {name.replace(chr(92), "")}
sn: {uid}
mail: {mail}
userPassword: {OLD}
{more}"""


#: a comma and a plus are written with a backslash in a DN (RFC 4514)
COMMON_NAME = "花子 \\, Ana \\+ Co"

ENTRIES = f"""
dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people
{person("alice", COMMON_NAME, ALICE, "mailForwardingAddress: drop@example.org")}
{person("odd", "odd", ODD)}
{person("twin1", "twin1", TWIN)}
{person("twin2", "twin2", TWIN)}

dn: cn=list,ou=people,{BASE}
objectClass: groupOfNames
objectClass: mailUser
objectClass: extensibleObject
cn: list
mail: list@example.test
member: cn=odd,ou=people,{BASE}
"""
LOCKOUT = "pwdLockout: TRUE"


def settings(*servers: Directory, **more: object) -> dict[str, Any]:
    return {
        "urls": [server.tls_url for server in servers],
        "flavour": "openldap",
        "bind": SERVICE,
        "password": Secret(SERVICE_PASSWORD),
        "base": BASE,
        "ca_file": str(servers[0].authority.ca),
        "forward_attributes": ["mailForwardingAddress"],
        **more,
    }


def opened(given: Settings) -> Ldap:
    return Ldap(checked(given))


def target(account: str = ALICE, **more: Any) -> Target:
    now = datetime.now(UTC)
    return Target(account, now - timedelta(hours=1), now, own_domains=("example.test",), **more)


def a_step(look: Look, operation: str) -> Step:
    return next(step for step in look.steps if step.operation == operation)


def done(connector: Ldap, step: Step) -> tuple[Reading, datetime]:
    """Carry a step out to its proof, as the engine would.

    pwdChangedTime has whole seconds: a second password within one is not seen to have been set, and is set again.
    """
    since, before = datetime.now(UTC), connector.probe(step)

    def reached() -> bool:
        connector.do(step, before, since)
        return connector.verify(step, before, since).reached is True

    until(reached, f"{step.key} is reached")
    return before, since


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Iterator[Directory]:
    """A directory whose rights are what setup prints and nothing else."""
    with directory(tmp_path_factory.mktemp("slapd"), ENTRIES, policy=LOCKOUT) as server:
        server.configure(PLUGIN.setup(settings(server)))
        yield server


@pytest.fixture
def slapd(kept) -> Iterator[Directory]:
    """The same, with alice as she was."""
    yield kept
    dn = dn_of(kept, "alice")
    # A new password takes the lock away with it, and a second change of the lock in the same modify fails.
    kept.modify(f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {OLD}\n")
    kept.modify(f"dn: {dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\n-\n"
                "replace: mailForwardingAddress\nmailForwardingAddress: drop@example.org\n")  # fmt: skip


@pytest.fixture
def connector(slapd) -> Iterator[Ldap]:
    made = opened(settings(slapd))
    yield made
    made.close()


def dn_of(server: Directory, uid: str) -> str:
    return server.find(f"(uid={uid})")


def test_the_rights_that_setup_prints_are_enough_to_start(connector):
    connector.check()


def test_a_locked_account_is_refused_and_let_in_again_after_the_undo(slapd, connector):
    dn = dn_of(slapd, "alice")
    step = a_step(connector.look(target()), "lock")
    assert slapd.lets_in(dn, OLD)

    before, _ = done(connector, step)
    assert not slapd.lets_in(dn, OLD)
    assert slapd.read(dn, "pwdAccountLockedTime") == {"pwdaccountlockedtime": [LOCKED]}

    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert slapd.lets_in(dn, OLD)
    assert slapd.read(dn, "pwdAccountLockedTime") == {}


def test_a_new_password_shuts_the_old_one_out_for_good_and_cannot_be_taken_back(slapd, connector):
    dn = dn_of(slapd, "alice")
    step = a_step(connector.look(target()), "password")
    before, _ = done(connector, step)
    assert not slapd.lets_in(dn, OLD)
    with pytest.raises(RefusedError, match="nobody knows the old password"):
        connector.undo(step, before)
    assert connector.restored(step, before).reached is False


def test_password_and_lock_stand_together_in_the_order_of_the_plan(slapd, connector):
    steps = [step for step in connector.look(target()).steps if step.phase is Phase.STOP]
    assert [step.operation for step in steps] == ["password", "lock"]
    for step in steps:
        done(connector, step)
    assert slapd.read(dn_of(slapd, "alice"), "pwdAccountLockedTime") == {"pwdaccountlockedtime": [LOCKED]}


def test_a_new_password_does_not_take_away_a_lock_that_stands(slapd, connector):
    look = connector.look(target())
    done(connector, a_step(look, "lock"))
    done(connector, a_step(look, "password"))
    assert slapd.read(dn_of(slapd, "alice"), "pwdAccountLockedTime") == {"pwdaccountlockedtime": [LOCKED]}


def test_a_lock_after_failed_tries_is_brought_back_as_it_was(slapd, connector):
    dn, tried = dn_of(slapd, "alice"), "20260101000000Z"
    slapd.modify(f"dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: {tried}\n")
    step = a_step(connector.look(target()), "lock")
    before, _ = done(connector, step)
    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert slapd.read(dn, "pwdAccountLockedTime") == {"pwdaccountlockedtime": [tried]}


def test_a_lock_that_was_there_before_stays_after_the_undo(slapd, connector):
    dn = dn_of(slapd, "alice")
    slapd.modify(f"dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: {LOCKED}\n")
    step = a_step(connector.look(target()), "lock")
    before = connector.probe(step)
    assert before.reached is True
    connector.do(step, before, datetime.now(UTC))
    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert not slapd.lets_in(dn, OLD)


def test_an_undo_leaves_alone_what_somebody_else_has_set_since(slapd, connector):
    dn, theirs = dn_of(slapd, "alice"), "20260202000000Z"
    step = a_step(connector.look(target()), "lock")
    before, _ = done(connector, step)
    slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: {theirs}\n")
    with pytest.raises(RefusedError, match="somebody else"):
        connector.undo(step, before)
    assert connector.restored(step, before).reached is False
    assert slapd.read(dn, "pwdAccountLockedTime") == {"pwdaccountlockedtime": [theirs]}


def test_doing_and_undoing_twice_is_as_once(connector):
    step = a_step(connector.look(target()), "lock")
    before, since = done(connector, step)
    assert "was so already" in connector.do(step, before, since).says
    connector.undo(step, before)
    assert "was so already" in connector.undo(step, before).says


def test_a_lock_that_comes_in_between_reading_and_writing_is_read_again(slapd, connector, monkeypatch):
    dn, theirs = dn_of(slapd, "alice"), "20260303000000Z"
    step = a_step(connector.look(target()), "lock")
    before = connector.probe(step)
    modify = Server.modify

    def later(self, *arguments):
        monkeypatch.setattr(Server, "modify", modify)
        slapd.modify(f"dn: {dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: {theirs}\n")
        modify(self, *arguments)

    monkeypatch.setattr(Server, "modify", later)
    connector.do(step, before, datetime.now(UTC))
    assert connector.verify(step, before, datetime.now(UTC)).reached is True


def test_an_owner_who_is_unlocked_by_another_hand_is_read_so(slapd, connector):
    step = a_step(connector.look(target()), "lock")
    before, since = done(connector, step)
    slapd.modify(f"dn: {dn_of(slapd, 'alice')}\nchangetype: modify\ndelete: pwdAccountLockedTime\n")
    assert connector.verify(step, before, since).reached is False


def test_an_address_with_odd_characters_finds_its_own_account_only(slapd, connector):
    look = connector.look(target(ODD))
    assert {step.detail["dn"] for step in look.steps} == {dn_of(slapd, "odd")}
    assert connector.look(target("*@example.test")).steps == ()


def test_an_address_that_several_accounts_have_locks_none(connector):
    look = connector.look(target(TWIN))
    assert look.steps == ()
    assert len(look.shown) == 2
    assert "none is locked" in look.gaps[0]["en"]


def test_a_list_is_shown_and_not_locked(connector):
    look = connector.look(target("list@example.test"))
    assert look.steps == ()
    assert [shown.why_not["en"] for shown in look.shown] == ["nobody signs in with it"]


def test_an_address_that_no_entry_has_is_a_gap(connector):
    look = connector.look(target("nobody@example.test"))
    assert (look.steps, look.shown) == ((), ())
    assert "nothing is locked there" in look.gaps[0]["en"]


def test_a_forward_that_the_evidence_names_is_taken_away_and_put_back(slapd, connector):
    dn = dn_of(slapd, "alice")
    slapd.modify(f"dn: {dn}\nchangetype: modify\nadd: mailForwardingAddress\nmailForwardingAddress: old@example.org\n")
    look = connector.look(target(forwards=("Drop@example.org",)))
    step = a_step(look, "forward")
    assert step.phase is Phase.CLEAN
    assert [shown.object for shown in look.shown] == ["mailForwardingAddress=old@example.org"]

    before, _ = done(connector, step)
    assert slapd.read(dn, "mailForwardingAddress") == {"mailforwardingaddress": ["old@example.org"]}
    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert sorted(slapd.read(dn, "mailForwardingAddress")["mailforwardingaddress"]) == [
        "drop@example.org",
        "old@example.org",
    ]


def test_a_forward_in_an_entry_that_has_not_changed_since_the_first_sign_is_left(connector):
    later = replace(target(forwards=("drop@example.org",)), since=datetime.now(UTC) + timedelta(hours=1))
    look = connector.look(later)
    assert [step.operation for step in look.steps] == ["password", "lock"]
    assert look.shown == ()


def test_a_group_that_changed_since_the_first_sign_is_shown(connector):
    shown = connector.look(target(ODD)).shown
    assert [one.object for one in shown] == [f"cn=list,ou=people,{BASE}"]


def test_an_entry_that_is_moved_stays_the_same_account(slapd, connector):
    step = a_step(connector.look(target()), "lock")
    old = dn_of(slapd, "alice")
    slapd.modify(f"dn: {old}\nchangetype: modrdn\nnewrdn: uid=alice\ndeleteoldrdn: 0\n")
    done(connector, step)
    moved = dn_of(slapd, "alice")
    assert moved != old
    assert not slapd.lets_in(moved, OLD)


def test_a_deleted_account_is_never_called_closed(slapd, connector):
    slapd.modify(f"dn: cn=leaver,ou=people,{BASE}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: leaver\nsn: l\n"
                 f"mail: leaver@example.test\nuserPassword: {OLD}\n")  # fmt: skip
    step = a_step(connector.look(target("leaver@example.test")), "lock")
    before = connector.probe(step)
    slapd.modify(f"dn: cn=leaver,ou=people,{BASE}\nchangetype: delete\n")
    with pytest.raises(RefusedError, match="see whether it was deleted"):
        connector.do(step, before, datetime.now(UTC))
    assert connector.verify(step, before, datetime.now(UTC)).reached is None


def test_no_secret_is_in_what_a_connector_says(slapd, connector, capfd):
    look = connector.look(target(forwards=("drop@example.org",)))
    said = [repr(look), repr(connector), repr(checked(settings(slapd)))]
    for step in look.steps:
        before = connector.probe(step)
        answer = connector.do(step, before, datetime.now(UTC))
        said += [repr(before), repr(answer), repr(connector.verify(step, before, datetime.now(UTC)))]
    said += capfd.readouterr()
    assert not any(SERVICE_PASSWORD in one or OLD in one for one in said)


# Where the lock would not count


@pytest.mark.parametrize(
    ("overlay", "policy", "says"),
    [
        (False, LOCKOUT, "pwdLockout TRUE"),
        (True, None, "pwdLockout TRUE"),
        (True, "pwdLockout: FALSE", "pwdLockout TRUE"),
    ],
)
def test_a_lock_that_slapd_does_not_heed_is_never_called_reached(tmp_path, overlay, policy, says):
    with directory(tmp_path, ENTRIES, ppolicy=overlay, policy=policy) as server:
        server.configure(PLUGIN.setup(settings(server)))
        connector = opened(settings(server))
        step = a_step(connector.look(target()), "lock")
        since, before = datetime.now(UTC), connector.probe(step)
        with pytest.raises(RefusedError, match=says):
            connector.do(step, before, since)
        assert server.read(dn_of(server, "alice"), "pwdAccountLockedTime") == {"pwdaccountlockedtime": [LOCKED]}
        assert server.lets_in(dn_of(server, "alice"), OLD)
        assert connector.verify(step, before, since).reached is not True

        reset = a_step(connector.look(target()), "password")
        done(connector, reset)
        assert not server.lets_in(dn_of(server, "alice"), OLD)
        connector.close()


def test_a_policy_that_wants_the_old_password_refuses_the_reset_and_says_so(tmp_path):
    with directory(tmp_path, ENTRIES, policy=f"{LOCKOUT}\npwdSafeModify: TRUE") as server:
        server.configure(PLUGIN.setup(settings(server)))
        connector = opened(settings(server))
        look = connector.look(target())
        step = a_step(look, "password")
        before = connector.probe(step)
        with pytest.raises(RefusedError, match="Must supply old password"):
            connector.do(step, before, datetime.now(UTC))
        assert connector.verify(step, before, datetime.now(UTC)).reached is False
        done(connector, a_step(look, "lock"))
        connector.close()


# Rights


def test_the_directorys_manager_is_refused(slapd):
    connector = opened(settings(slapd, bind=MANAGER, password=Secret(MANAGER_PASSWORD)))
    with pytest.raises(ConnectorError, match="more than it understands"):
        connector.check()
    connector.close()


def test_an_account_without_the_rights_is_told_what_is_missing(tmp_path):
    with directory(tmp_path, ENTRIES, policy=LOCKOUT) as server:
        connector = opened(settings(server))
        with pytest.raises(ConnectorError, match="rights that its setup prints"):
            connector.check()
        assert connector.look(target()).steps == ()
        connector.close()


def test_an_account_that_may_read_only_is_refused_at_the_act_and_nothing_changes(tmp_path):
    with directory(tmp_path, ENTRIES, policy=LOCKOUT) as server:
        server.configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcAccess\nolcAccess: {0}to "
                         f'attrs=userPassword by dn.exact="{SERVICE}" =c by * break\n-\nadd: olcAccess\nolcAccess: {{1}}'
                         f'to * by dn.exact="{SERVICE}" read by * break\n')  # fmt: skip
        connector = opened(settings(server))
        for step in connector.look(target(forwards=("drop@example.org",))).steps:
            before = connector.probe(step)
            with pytest.raises(RefusedError, match="rights that its setup prints"):
                connector.do(step, before, datetime.now(UTC))
            assert connector.verify(step, before, datetime.now(UTC)).reached is False
        assert server.lets_in(dn_of(server, "alice"), OLD)
        connector.close()


def test_an_account_that_may_read_passwords_is_refused(tmp_path):
    with directory(tmp_path, ENTRIES, policy=LOCKOUT) as server:
        server.configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcAccess\nolcAccess: {0}to * "
                         f'by dn.exact="{SERVICE}" read by * break\n')  # fmt: skip
        connector = opened(settings(server))
        with pytest.raises(ConnectorError, match="may read passwords"):
            connector.check()
        connector.close()


def test_teardown_takes_away_exactly_what_setup_gave(tmp_path):
    with directory(tmp_path, ENTRIES, policy=LOCKOUT) as server:
        database = "olcDatabase={1}mdb,cn=config"
        at_first = server.configuration(database, "olcAccess")
        server.configure(PLUGIN.setup(settings(server)))
        assert server.configuration(database, "olcAccess") != at_first
        server.configure(PLUGIN.teardown(settings(server), True))
        assert server.configuration(database, "olcAccess") == at_first


def test_setup_gives_no_right_to_passwords_where_they_are_left_alone(slapd):
    given = settings(slapd, reset_password=False)
    assert re.search(r"attrs=userPassword .* =c by", PLUGIN.setup(given))
    connector = opened(given)
    assert [step.operation for step in connector.look(target()).steps] == ["lock"]
    connector.close()


def test_hikeshi_does_not_lock_itself_out(slapd):
    slapd.modify(f"dn: {SERVICE}\nchangetype: modify\nadd: objectClass\nobjectClass: extensibleObject\n-\n"
                 "add: mail\nmail: hikeshi@example.test\n")  # fmt: skip
    connector = opened(settings(slapd))
    look = connector.look(target("hikeshi@example.test"))
    assert look.steps == ()
    assert "lock itself out" in look.shown[0].why_not["en"]
    connector.close()


# Several servers


@pytest.fixture
def pair(tmp_path) -> Iterator[tuple[Directory, Directory]]:
    """Two servers with the same entries, of which the second has not heard of changes at the first."""
    with ExitStack() as stack:
        one = stack.enter_context(directory(tmp_path / "one", ENTRIES, policy=LOCKOUT))
        same = {"whole": True, "authority": one.authority}
        two = stack.enter_context(directory(tmp_path / "two", one.dump(), policy=LOCKOUT, **same))
        for server in (one, two):
            server.configure(PLUGIN.setup(settings(server)))
        yield one, two


def test_a_lock_counts_only_when_every_server_keeps_the_account_out(pair):
    one, two = pair
    two.configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcReadOnly\nolcReadOnly: TRUE\n")
    connector = opened(settings(one, two))
    step = a_step(connector.look(target()), "lock")
    since, before = datetime.now(UTC), connector.probe(step)
    connector.do(step, before, since)
    assert not one.lets_in(dn_of(one, "alice"), OLD)
    assert two.lets_in(dn_of(two, "alice"), OLD)
    assert connector.verify(step, before, since).reached is False

    two.configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcReadOnly\nolcReadOnly: FALSE\n")
    connector.do(step, before, since)
    assert connector.verify(step, before, since).reached is True
    assert not two.lets_in(dn_of(two, "alice"), OLD)

    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert one.lets_in(dn_of(one, "alice"), OLD)
    assert two.lets_in(dn_of(two, "alice"), OLD)
    connector.close()


def test_a_server_that_is_down_does_not_hinder_the_others_and_is_not_called_shut(pair):
    one, two = pair
    connector = opened(settings(one, two))
    two.stop()
    connector.check()
    step = a_step(connector.look(target()), "lock")
    since, before = datetime.now(UTC), connector.probe(step)
    assert two.tls_url in connector.do(step, before, since).says
    assert not one.lets_in(dn_of(one, "alice"), OLD)
    assert connector.verify(step, before, since).reached is None

    two.serve()
    connector.do(step, before, since)
    assert connector.verify(step, before, since).reached is True
    connector.undo(step, before)
    assert two.lets_in(dn_of(two, "alice"), OLD)
    connector.close()


def test_with_every_server_down_it_is_later_and_not_done(slapd):
    connector = opened(settings(slapd))
    step = a_step(connector.look(target()), "lock")
    before = connector.probe(step)
    slapd.stop()
    try:
        for call in (connector.check, lambda: connector.look(target()), lambda: connector.probe(step),
                     lambda: connector.do(step, before, datetime.now(UTC))):  # fmt: skip
            with pytest.raises(LaterError):
                call()
        assert connector.verify(step, before, datetime.now(UTC)).reached is None
    finally:
        slapd.serve()
    done(connector, step)
    connector.close()


def test_a_replica_that_only_reads_follows_its_provider_and_is_read_too(pair):
    one, two = pair
    one.configure("dn: cn=module{0},cn=config\nchangetype: modify\nadd: olcModuleLoad\nolcModuleLoad: syncprov\n")
    one.configure("dn: olcOverlay=syncprov,olcDatabase={1}mdb,cn=config\nchangetype: add\n"
                  "objectClass: olcSyncProvConfig\nolcOverlay: syncprov\n")  # fmt: skip
    provider = (
        f'rid=001 provider={one.url} searchbase="{BASE}" type=refreshAndPersist retry="1 +" '
        f'bindmethod=simple binddn="{MANAGER}" credentials="{MANAGER_PASSWORD}"'
    )
    two.configure(f"dn: olcDatabase={{1}}mdb,cn=config\nchangetype: modify\nadd: olcSyncrepl\nolcSyncrepl: {provider}\n"
                  f"-\nadd: olcUpdateRef\nolcUpdateRef: {one.url}\n")  # fmt: skip
    # The replica stands first: its referral must not end the matter.
    connector = opened(settings(two, one))
    look = connector.look(target(forwards=("drop@example.org",)))
    taken = [(step, done(connector, step)[0]) for step in look.steps]
    assert not two.lets_in(dn_of(two, "alice"), OLD)
    assert two.read(dn_of(two, "alice"), "mailForwardingAddress") == {}

    for step, before in ((step, before) for step, before in taken if step.undo is not None):
        connector.undo(step, before)
        until(
            lambda step=step, before=before: connector.restored(step, before).reached is True, f"{step.key} is undone"
        )
    assert two.read(dn_of(two, "alice"), "mailForwardingAddress", "pwdAccountLockedTime") == {
        "mailforwardingaddress": ["drop@example.org"]
    }
    connector.close()


# TLS


def test_a_certificate_that_is_not_of_our_authority_is_not_trusted(slapd):
    connector = opened(settings(slapd, ca_file="/etc/ssl/certs/ca-certificates.crt"))
    with pytest.raises(ConnectorError, match=r"(?s)no (TLS|answer)"):
        connector.check()
    connector.close()


def test_start_tls_is_used_with_ldap_urls(slapd):
    slapd.configure("dn: cn=config\nchangetype: modify\nreplace: olcSecurity\nolcSecurity: simple_bind=64\n")
    try:
        connector = opened(settings(slapd, urls=[slapd.url]))
        connector.check()
        connector.close()
        plain = opened(settings(slapd, urls=[slapd.url], starttls=False))
        with pytest.raises(ConnectorError):
            plain.check()
        plain.close()
    finally:
        slapd.configure("dn: cn=config\nchangetype: modify\ndelete: olcSecurity\n")


def test_a_wrong_password_of_ours_is_named_without_being_shown(slapd):
    connector = opened(settings(slapd, password=Secret("not the one")))
    with pytest.raises(ConnectorError, match="does not know") as caught:
        connector.check()
    assert "not the one" not in str(caught.value)
    connector.close()
