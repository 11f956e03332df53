# SPDX-License-Identifier: Apache-2.0
"""The LDAP connector against a real domain controller: Samba's, which is Active Directory as far as LDAP goes."""

import random
import re
import shlex
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import ldap
import pytest
from controller import BASE, SERVICE, SERVICE_PASSWORD, Controller
from directory import Authority
from ldap_faults import Engine, Road, bad_road

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.ldap import PLUGIN
from hikeshi.contain.connectors.ldap.connector import Ldap
from hikeshi.contain.connectors.ldap.options import checked
from hikeshi.contain.contract import ConnectorError, Look, Phase, RefusedError, Step, Target

ALICE, OLD = "alice@example.test", "Stolen-Secret-77"
PEOPLE = f"OU=people,{BASE}"
DISABLED = 0x2
#: seconds that the connector waits for an answer on a bad road
PATIENCE = 1.0


def settings(*controllers: Controller, **more: object) -> dict[str, Any]:
    return {
        "urls": [one.url for one in controllers],
        "flavour": "ad",
        "bind": SERVICE,
        "password": Secret(SERVICE_PASSWORD),
        "base": PEOPLE,
        "ca_file": str(controllers[0].authority.ca),
        **more,
    }


def opened(given: dict[str, Any]) -> Ldap:
    return Ldap(checked(given))


def target(account: str = ALICE) -> Target:
    now = datetime.now(UTC)
    return Target(account, now - timedelta(hours=1), now, own_domains=("example.test",))


def a_step(look: Look, operation: str) -> Step:
    return next(step for step in look.steps if step.operation == operation)


def flags(controller: Controller, name: str = "alice") -> int:
    return int(controller.read(name, "userAccountControl")["useraccountcontrol"][0])


@contextmanager
def door(controller: Controller, account: str, password: str) -> Iterator[Any]:
    """Sign in, past the connector; raises INVALID_CREDENTIALS where the account is kept out."""
    connection = ldap.initialize(controller.url)
    try:
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(controller.authority.ca))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.simple_bind_s(account, password)
        yield connection
    finally:
        connection.unbind_s()


def lets_in(controller: Controller, account: str = ALICE, password: str = OLD) -> bool:
    try:
        with door(controller, account, password):
            return True
    except ldap.INVALID_CREDENTIALS:
        return False


def delegate(controller: Controller, words: str) -> None:
    """Carry out the lines for Samba of what setup or teardown prints."""
    sid = controller.read("hikeshi", "objectSid")["objectsid"][0]
    for line in re.findall(r"^samba-tool (.*)$", words, re.MULTILINE):
        controller.tool(*shlex.split(line.replace(";SID)", f";{sid})").replace("ACCOUNT", "hikeshi")))


@pytest.fixture(scope="module")
def domain(tmp_path_factory) -> Iterator[tuple[Controller, Controller]]:
    """Two domain controllers with the same accounts; the second never hears of what changes at the first."""
    root = tmp_path_factory.mktemp("domain")
    one = Controller(root / "dc1", Authority(root / "tls"))
    one.provision()
    one.tool("ou", "create", PEOPLE)
    for name in ("alice", "bob", "chief", "robot"):
        one.tool("user", "create", name, OLD, f"--mail-address={name}@example.test", "--userou=OU=people")
    one.tool("user", "create", "hikeshi", SERVICE_PASSWORD)
    one.tool("user", "create", "mighty", SERVICE_PASSWORD)
    one.tool("group", "addmembers", "Domain Admins", "mighty,chief")
    one.tool("group", "add", "buyers")
    one.tool("group", "addmembers", "buyers", "bob")
    one.change(f"dn: CN=robot,{PEOPLE}\nchangetype: modify\nadd: servicePrincipalName\n"
               "servicePrincipalName: http/robot.example.test\n")  # fmt: skip
    delegate(one, PLUGIN.setup(settings(one)))
    two = one.twin(root / "dc2")
    try:
        for controller in (one, two):
            controller.serve()
        yield one, two
    finally:
        for controller in (one, two):
            controller.stop()


@pytest.fixture
def connector(domain) -> Iterator[Ldap]:
    """The connector at the first controller; alice is as she was afterwards."""
    one, _ = domain
    made = opened(settings(one))
    yield made
    made.close()
    one.tool("user", "setpassword", "alice", f"--newpassword={OLD}")
    one.tool("user", "enable", "alice")


def test_the_rights_that_setup_prints_are_enough_to_start(connector):
    connector.check()


def test_a_disabled_account_is_refused_and_let_in_again_after_the_undo(domain, connector):
    one, _ = domain
    at_first = flags(one)
    step = a_step(connector.look(target()), "lock")
    assert lets_in(one)

    since, before = datetime.now(UTC), connector.probe(step)
    assert before.reached is False
    connector.do(step, before, since)
    assert connector.verify(step, before, since).reached is True
    assert flags(one) == at_first | DISABLED
    assert not lets_in(one)

    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert flags(one) == at_first
    assert lets_in(one)


def test_the_undo_takes_back_our_flag_and_not_what_an_administrator_has_set_since(domain, connector):
    one, _ = domain
    step = a_step(connector.look(target()), "lock")
    since, before = datetime.now(UTC), connector.probe(step)
    connector.do(step, before, since)
    one.tool("user", "setexpiry", "alice", "--noexpiry")
    never_expires = flags(one)
    assert never_expires != int(before.state["servers"][one.url]["userAccountControl"]) | DISABLED
    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert flags(one) == never_expires & ~DISABLED


def test_an_account_that_was_disabled_before_stays_so_after_the_undo(domain, connector):
    one, _ = domain
    one.tool("user", "disable", "alice")
    step = a_step(connector.look(target()), "lock")
    before = connector.probe(step)
    assert before.reached is True
    assert "was so already" in connector.do(step, before, datetime.now(UTC)).says
    connector.undo(step, before)
    assert connector.restored(step, before).reached is True
    assert flags(one) & DISABLED


def test_a_new_password_shuts_the_old_one_out_for_good(domain, connector):
    one, _ = domain
    twice = [step for step in connector.look(target()).steps if step.operation == "password"]
    for step in twice:
        since, before = datetime.now(UTC), connector.probe(step)
        assert connector.verify(step, before, since).reached is False
        connector.do(step, before, since)
        assert connector.verify(step, before, since).reached is True
        assert "was set already" in connector.do(step, before, since).says
        with pytest.raises(RefusedError, match="nobody knows the old password"):
            connector.undo(step, before)
    # After the first alone it would still be let in: a domain takes the password before the last for an hour.
    assert len(twice) == 2
    assert not lets_in(one)


def test_closing_counts_only_when_every_controller_keeps_the_account_out(domain):
    one, two = domain
    connector = opened(settings(one, two))
    look = connector.look(target("bob@example.test"))
    two.stop()
    taken = []
    for step in look.steps:
        since, before = datetime.now(UTC), connector.probe(step)
        connector.do(step, before, since)
        taken.append((step, before, since))
        assert connector.verify(step, before, since).reached is None
    assert not lets_in(one, "bob@example.test")

    two.serve()
    assert lets_in(two, "bob@example.test")
    for step, before, since in taken:
        # The second password was begun while this controller was silent: which of the two was set there, nobody can tell.
        known = step.object is None
        assert connector.verify(step, before, since).reached is (False if known else None)
        connector.do(step, before, since)
        assert connector.verify(step, before, since).reached is (True if known else None)
    assert not lets_in(two, "bob@example.test")
    assert flags(two, "bob") & DISABLED
    connector.close()


def test_every_address_of_an_account_finds_it(domain, connector):
    one, _ = domain
    one.change(
        f"dn: CN=alice,{PEOPLE}\nchangetype: modify\nadd: proxyAddresses\nproxyAddresses: smtp:a.l@example.test\n"
    )
    for account in ("ALICE@example.test", "a.l@example.test"):
        assert [step.operation for step in connector.look(target(account)).steps] == ["password", "password", "lock"]


def test_steps_come_in_the_phase_that_stops_and_their_requests_hold_no_secret(connector):
    look = connector.look(target())
    assert {step.phase for step in look.steps} == {Phase.STOP}
    assert "<secret>" in a_step(look, "password").request
    assert any("Kerberos" in gap["en"] for gap in look.gaps)


def test_a_group_that_changed_since_the_first_sign_is_shown(domain):
    one, _ = domain
    wide = opened(settings(one, base=BASE))
    shown = wide.look(target("bob@example.test")).shown
    assert [one.object for one in shown] == [f"CN=buyers,CN=Users,{BASE}"]
    wide.close()


def test_a_member_of_a_protected_group_is_out_of_reach_and_said_to_be(domain, connector):
    one, _ = domain
    # SDProp does this within the hour: the entry no longer inherits what was delegated.
    one.tool("dsacl", "set", f"--objectdn=CN=chief,{PEOPLE}", "--action=deny", f"--sddl=(D;;WP;;;{_sid(one)})")
    look = connector.look(target("chief@example.test"))
    assert look.steps == ()
    assert "by hand" in look.shown[0].why_not["en"]


def test_a_service_that_will_stop_is_named(connector):
    step = a_step(connector.look(target("robot@example.test")), "lock")
    assert "a service runs under this account" in step.why["en"]


def test_an_administrator_of_the_domain_is_refused(domain):
    one, _ = domain
    connector = opened(settings(one, bind="mighty@example.test"))
    with pytest.raises(ConnectorError, match="Domain Admins"):
        connector.check()
    connector.close()


def test_an_account_without_the_rights_is_told_what_is_missing(domain):
    one, _ = domain
    connector = opened(settings(one, base=f"CN=Users,{BASE}"))
    with pytest.raises(ConnectorError, match="may not write userAccountControl"):
        connector.check()
    connector.close()


def test_an_account_that_may_write_more_is_refused(domain):
    one, _ = domain
    one.tool("ou", "create", f"OU=wide,{BASE}")
    one.tool("user", "create", "wide", OLD, "--userou=OU=wide")
    one.tool("dsacl", "set", f"--objectdn=OU=wide,{BASE}", "--action=allow", f"--sddl=(A;CIIO;RPWP;;;{_sid(one)})")
    connector = opened(settings(one, base=f"OU=wide,{BASE}"))
    with pytest.raises(ConnectorError, match="may also write"):
        connector.check()
    connector.close()


ROADS = 12


def test_on_bad_roads_nothing_is_lost_done_twice_or_called_done_when_it_is_not(domain):
    one, _ = domain
    met: Counter[str] = Counter()
    behind = ssl.create_default_context(cafile=one.authority.ca)
    behind.check_hostname = False
    before = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    before.load_cert_chain(*reversed(one.authority.issue("127.0.0.1")))
    at_first = flags(one)
    with door(one, SERVICE, SERVICE_PASSWORD) as watcher:

        def held(name: str) -> int:
            return int(
                watcher.search_s(f"CN=alice,{PEOPLE}", ldap.SCOPE_BASE, "(objectClass=*)", [name])[0][1][name][0]
            )

        for seed in range(ROADS):
            chance = random.Random(seed)
            one.tool("user", "setpassword", "alice", f"--newpassword={OLD}")
            set_at = [held("pwdLastSet")]

            def stands(step: Step, set_at: list[int] = set_at) -> bool:
                if step.operation == "lock":
                    return bool(held("userAccountControl") & DISABLED) and not lets_in(one)
                return held("pwdLastSet") not in set_at

            road = Road((one.address, 636), bad_road(chance, met), PATIENCE, (before, behind))
            engine = Engine(settings(one, urls=[road.url]), chance, stands, PATIENCE)
            try:
                steps = engine.patiently(lambda engine=engine: engine.connector.look(target())).steps
                assert [step.operation for step in steps] == ["password", "password", "lock"]
                for step in steps:
                    engine.carry_out(step)
                    set_at.append(held("pwdLastSet"))
                assert len(road.done) == 3, f"seed {seed}: {road.done}"
                engine.take_back(steps[-1])
                assert held("userAccountControl") == at_first
                assert not lets_in(one)
                assert len(road.done) == 4, f"seed {seed}: {road.done}"
            finally:
                engine.connector.close()
                road.close()
    # A test without faults would prove nothing.
    assert min(met[kind] for kind in ("before", "after", "refused")) > 5


def test_after_teardown_nothing_is_let_in(domain):
    one, _ = domain
    words = PLUGIN.teardown(settings(one), True)
    assert "Nothing was taken away" in words
    one.tool("user", "create", "spare", SERVICE_PASSWORD)
    for line in re.findall(r"^samba-tool (.*)$", words, re.MULTILINE):
        one.tool(*shlex.split(line.replace("ACCOUNT", "spare")))
    connector = opened(settings(one, bind="spare@example.test"))
    with pytest.raises(ConnectorError, match="does not know"):
        connector.check()
    connector.close()


def _sid(controller: Controller) -> str:
    return controller.read("hikeshi", "objectSid")["objectsid"][0]
