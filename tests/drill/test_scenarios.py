# SPDX-License-Identifier: Apache-2.0
import json
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from subprocess import run

import pytest
from recount import Recount

from hikeshi.drill import scenarios
from hikeshi.drill.attacks import ATTACKS
from hikeshi.drill.honest import SPECIALS
from hikeshi.drill.scenarios import FOUNDING_CASE, SCENARIOS, big, find, main, write

SMALL = {"staff": 12, "activity": 0.4}
WITH_ATTACKS = [scenario for scenario in SCENARIOS if scenario.attacks and scenario is not FOUNDING_CASE]


def recount(scenario, folder):
    return Recount(folder / "logs", scenario.style.zone, scenario.start.year)


def check(scenario, truth, counted):
    assert not counted.unread
    assert counted.counts() == truth["counts"]
    for times in counted.times.values():
        assert all(one <= other for one, other in pairwise(times))
    for attack in truth["attacks"]:
        assert sorted(attack["per_account"]) == attack["accounts"]
        for account, told in attack["per_account"].items():
            assert counted.attack(account, set(told["message_ids"]), set(told["client_ips"])) == told
            parts = ("delivered", "bounced", "deferred", "expired", "unknown")
            assert sum(told[part] for part in parts) == told["addresses"]
    assert len(truth["attacks"]) == len(scenario.attacks)


@pytest.mark.parametrize("scenario", WITH_ATTACKS, ids=lambda scenario: scenario.name)
def test_the_truth_is_what_the_lines_say(scenario, tmp_path):
    small = replace(scenario, **SMALL)
    truth = write(small, tmp_path)
    check(small, truth, recount(small, tmp_path))


@pytest.mark.parametrize("name", ["honest-everything", "honest-list-filter", "honest-machines"])
def test_honest_logs_are_counted_right_too(name, tmp_path):
    small = replace(find(name), **SMALL)
    truth = write(small, tmp_path)
    assert truth["attacks"] == []
    check(small, truth, recount(small, tmp_path))


@pytest.fixture(scope="module")
def founding(tmp_path_factory):
    folder = tmp_path_factory.mktemp("founding")
    return folder, write(FOUNDING_CASE, folder)


def test_the_founding_case(founding):
    folder, truth = founding
    (attack,) = truth["attacks"]
    ((account, told),) = attack["per_account"].items()
    assert told["messages"] == told["addresses"] == 1220
    assert told["first_message_at"] == "2020-05-08T17:05:54+09:00"
    assert "2020-05-08T19:20" < told["last_message_at"] < "2020-05-08T19:40"
    assert truth["end"] == "2020-05-12T11:16:07+09:00"
    assert 150_000 <= truth["counts"]["lines"] <= 300_000
    assert not any(address.endswith(f"@{domain}") for address in told["recipients"] for domain in truth["org_domains"])
    assert told["delivered"] > 1000
    assert told["bounced"] > 30
    counted = recount(FOUNDING_CASE, folder)
    check(FOUNDING_CASE, truth, counted)
    theirs = [message for message in counted.messages if message.ip == "203.0.113.77"]
    assert Counter(message.account for message in theirs) == {account: 1220}
    assert max(message.size for message in theirs) - min(message.size for message in theirs) <= 60
    assert counted.reused > 0


def test_the_founding_case_is_rotated(founding):
    folder, _ = founding
    names = sorted(path.name for path in (folder / "logs").iterdir())
    assert names == ["mail.log", "mail.log.1", *(f"mail.log.{age}.gz" for age in range(2, 8))]
    assert json.loads((folder / "truth.json").read_text()) == founding[1]


def test_the_same_scenario_writes_the_same_bytes(tmp_path):
    scenario = replace(find("imap-first"), staff=8, days=42)
    for folder in ("one", "two"):
        write(scenario, tmp_path / folder)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*.*") if path.is_file()}
        for folder in ("one", "two")
    )
    assert one == two
    write(replace(scenario, seed=9), tmp_path / "three")
    assert (tmp_path / "three/truth.json").read_bytes() != one["truth.json"]


def test_every_attack_and_every_special_case_has_a_scenario():
    attacks = {attack.kind for scenario in SCENARIOS for attack in scenario.attacks if scenario.staff == 80}
    assert attacks == set(ATTACKS)
    names = {scenario.name for scenario in SCENARIOS}
    assert len(names) == len(SCENARIOS)
    assert {f"honest-{kind.replace('_', '-')}" for kind in SPECIALS} <= names


def test_some_expire_and_some_still_wait(tmp_path):
    truth = write(replace(find("slow"), **SMALL), tmp_path)
    (told,) = truth["attacks"][0]["per_account"].values()
    assert told["expired"]
    assert told["deferred"]


def test_hosts_have_logs_of_their_own(tmp_path):
    scenario = replace(find("small-account"), staff=8, days=42)
    write(replace(scenario, style=replace(scenario.style, hosts=3)), tmp_path)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["mx1", "mx2", "mx3"]


@pytest.mark.parametrize("lines", [20_000, 120_000])
def test_a_big_log_has_about_its_lines_and_an_attack(lines, tmp_path):
    truth = write(big(lines), tmp_path)
    assert 0.6 * lines < truth["counts"]["lines"] - 25_000 < 1.7 * lines
    (told,) = truth["attacks"][0]["per_account"].values()
    assert told["messages"] == 1220


def test_the_command_line(tmp_path, capsys):
    assert main(["--list"]) == 0
    assert "founding" in capsys.readouterr().out.split()
    assert main(["fast", str(tmp_path), "--staff", "6", "--days", "40", "--seed", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"] > 0
    assert json.loads((tmp_path / "truth.json").read_text())["seed"] == 3
    with pytest.raises(SystemExit):
        main(["no-such", str(tmp_path)])


def test_the_generator_knows_nothing_of_the_rest():
    words = "import sys, hikeshi.drill.scenarios; print([n for n in sys.modules if n.startswith('hikeshi.')])"
    loaded = run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert "hikeshi.drill.render" in loaded
    assert not {room for room in ("detect", "scope", "cases", "evidence") if f"hikeshi.{room}" in loaded}
    assert scenarios.__doc__
