# SPDX-License-Identifier: Apache-2.0
"""A thousand bad roads to a real slapd: nothing is lost, done twice, or called done when it is not."""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ldap
import pytest
from directory import BASE, MANAGER, MANAGER_PASSWORD, SERVICE, SERVICE_PASSWORD, Directory, directory
from ldap.controls.simple import RelaxRulesControl
from ldap_faults import GO, Engine, Fault, Road, bad_road

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.ldap import PLUGIN
from hikeshi.contain.connectors.ldap.connector import Ldap
from hikeshi.contain.connectors.ldap.options import checked
from hikeshi.contain.contract import Step, Target

DN, OLD, FORWARD = f"uid=alice,ou=people,{BASE}", "the password that was stolen", "drop@example.org"
LOCKED, TRIED, LONG_AGO = "000001010000Z", "20260101000000Z", "20250101000000Z"
ENTRIES = f"""
dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: {DN}
objectClass: inetOrgPerson
objectClass: mailUser
uid: alice
cn: Alice
sn: Alice
mail: alice@example.test
mailForwardingAddress: {FORWARD}
userPassword: {OLD}
"""
#: seconds that the connector waits for an answer
PATIENCE = 0.1
SEEDS, ROADS = 1000, 4


class Truth:
    """What slapd really holds of alice, read and set by its manager."""

    def __init__(self, server: Directory) -> None:
        self.socket = server.socket
        self.manager = ldap.initialize(server.socket)
        self.manager.simple_bind_s(MANAGER, MANAGER_PASSWORD)

    def reset(self, lock: str | None) -> None:
        """Let alice be as before the break-in, with a lock or without."""
        self._set(userPassword=OLD, mailForwardingAddress=FORWARD)
        self._set(pwdAccountLockedTime=lock)
        self._set([RelaxRulesControl()], pwdChangedTime=LONG_AGO)

    def read(self) -> dict[str, str | None]:
        """Read the lock and the forward."""
        names = ("pwdAccountLockedTime", "mailForwardingAddress", "pwdChangedTime")
        values = self.manager.search_s(DN, ldap.SCOPE_BASE, "(objectClass=*)", names)[0][1]
        return {name: values[name][0].decode() if name in values else None for name in names}

    def lets_in(self) -> bool:
        """Tell whether the stolen password opens the door."""
        door = ldap.initialize(self.socket)
        try:
            door.simple_bind_s(DN, OLD)
        except ldap.INVALID_CREDENTIALS:
            return False
        finally:
            door.unbind_s()
        return True

    def stands(self, step: Step) -> bool:
        """Tell whether the goal of a step stands."""
        held = self.read()
        return {
            "lock": held["pwdAccountLockedTime"] == LOCKED and not self.lets_in(),
            "password": held["pwdChangedTime"] != LONG_AGO and not self.lets_in(),
            "forward": held["mailForwardingAddress"] is None,
        }[step.operation]

    def _set(self, controls: list[Any] | None = None, **values: str | None) -> None:
        changes = [(ldap.MOD_REPLACE, name, [value.encode()] if value else None) for name, value in values.items()]
        self.manager.modify_ext_s(DN, changes, serverctrls=controls)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory) -> Iterator[Directory]:
    with directory(tmp_path_factory.mktemp("slapd"), ENTRIES, policy="pwdLockout: TRUE") as server:
        server.configure(PLUGIN.setup(settings(server.url)))
        yield server


@pytest.fixture
def truth(slapd) -> Iterator[Truth]:
    made = Truth(slapd)
    yield made
    made.manager.unbind_s()


def settings(url: str) -> dict[str, Any]:
    return {
        "urls": [url],
        "flavour": "openldap",
        "bind": SERVICE,
        "password": Secret(SERVICE_PASSWORD),
        "base": BASE,
        "starttls": False,
        "forward_attributes": ["mailForwardingAddress"],
    }


@pytest.mark.parametrize("part", range(ROADS))
def test_on_bad_roads_nothing_is_lost_done_twice_or_called_done_when_it_is_not(slapd, truth, part):
    met: Counter[str] = Counter()
    for seed in range(part, SEEDS, ROADS):
        chance = random.Random(seed)
        at_first = chance.choice((None, TRIED))
        truth.reset(at_first)
        road = Road(("127.0.0.1", slapd.port), bad_road(chance, met), PATIENCE)
        engine = Engine(settings(road.url), chance, truth.stands, PATIENCE)
        try:
            now = datetime.now(UTC)
            target = Target("alice@example.test", now - timedelta(hours=1), now, forwards=(FORWARD,))
            steps = engine.patiently(lambda engine=engine, target=target: engine.connector.look(target)).steps
            assert [step.operation for step in steps] == ["password", "lock", "forward"]
            for step in steps:
                engine.carry_out(step)
            assert truth.read() | {"pwdChangedTime": None} == {
                "pwdAccountLockedTime": LOCKED,
                "mailForwardingAddress": None,
                "pwdChangedTime": None,
            }
            assert Counter(road.done) == {"password": 1, "modify": 2}, f"seed {seed}: {road.done}"

            for step in steps[1:]:
                engine.take_back(step)
            held = truth.read()
            # The new password took the lock of the failed tries away before the lock was read.
            assert (held["pwdAccountLockedTime"], held["mailForwardingAddress"]) == (None, FORWARD)
            assert Counter(road.done) == {"password": 1, "modify": 4}, f"seed {seed}: {road.done}"
        finally:
            engine.connector.close()
            road.close()
    # A test without faults would prove nothing.
    assert min(met[kind] for kind in ("before", "after", "refused")) > 200
    assert met["late"] > 10


def test_an_interrupt_while_the_server_is_silent_ends_it_at_once(slapd, truth):
    truth.reset(None)
    faults = {"search": GO, "extended": GO, "bind": GO, "modify": Fault("late")}
    road = Road(("127.0.0.1", slapd.port), lambda operation: faults[operation], 60)
    connector = Ldap(checked(settings(road.url)), 60)
    now = datetime.now(UTC)
    step = connector.look(Target("alice@example.test", now - timedelta(hours=1), now)).steps[-1]
    before = connector.probe(step)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            connector.do(step, before, now)
        connector.close()
        # What was on its way is found out by reading, on a new connection.
        assert connector.verify(step, before, now).reached is True
    finally:
        signal.signal(signal.SIGALRM, kept)
        connector.close()
        road.close()
