# SPDX-License-Identifier: Apache-2.0
"""Zones by name, and the zone of the machine."""

from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.basics.zones import machine_zone, zone


@pytest.mark.parametrize(("name", "hours"), [("Asia/Tokyo", 9), ("UTC", 0), ("America/New_York", -5)])
def test_a_zone_by_its_name(name, hours):
    """As in January, when nobody saves daylight there."""
    assert datetime(2026, 1, 5, tzinfo=zone(name)).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize("name", ["Mars/Base", "", "Asia", "../../etc/passwd", "/etc/localtime", "a\0b", "日本"])
def test_no_zone_is_a_mistake_of_the_call(name):
    """Also for folders of the data base and for paths that lead out of it; the message says what to give."""
    with pytest.raises(UsageError, match="no such time zone; give an IANA name"):
        zone(name)


@pytest.mark.parametrize("named", ["Asia/Tokyo", ":Asia/Tokyo"])
def test_the_machines_zone_is_tz(named, monkeypatch):
    """With or without the colon that POSIX allows."""
    monkeypatch.setenv("TZ", named)
    name, found = machine_zone()
    assert name == "Asia/Tokyo"
    assert datetime(2026, 1, 5, tzinfo=found).utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("named", ["JST-9", "Asia", "/no/where"])
def test_a_tz_that_is_no_name_is_utc(named, monkeypatch):
    """Rather than a guess."""
    monkeypatch.setenv("TZ", named)
    assert machine_zone() == ("UTC", UTC)


def test_without_tz_the_machine_has_some_zone(monkeypatch):
    """Whatever /etc/localtime is, its name and its zone agree."""
    monkeypatch.delenv("TZ", raising=False)
    name, found = machine_zone()
    assert name == "UTC" or str(found) == name
