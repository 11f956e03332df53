# SPDX-License-Identifier: Apache-2.0
import csv
from random import Random

import pytest

from hikeshi.drill import company


def test_one_seed_makes_one_company():
    one, same, other = company.build(5, 40), company.build(5, 40), company.build(6, 40)
    assert one == same
    assert one.people != other.people


def test_addresses_are_distinct_and_invented():
    firm = company.build(1, 300)
    emails = [person.email for person in firm.people] + [contact.email for contact in firm.book]
    assert len(emails) == len(set(emails))
    assert all(email.endswith(".example") for email in emails)


def test_a_quarter_of_the_book_is_at_free_mail_hosts():
    book = company.build(1, 80).book
    free = sum(contact.email.split("@")[1] in company.FREE_MAIL for contact in book)
    assert 0.05 < free / len(book) < 0.4


def test_volumes_and_novelty_differ_widely():
    people = company.build(1, 300).people
    volumes = sorted(person.volume for person in people)
    assert volumes[0] >= 0.2
    assert volumes[-1] <= 60
    assert volumes[-30] > 8 * volumes[30]
    novelty = sorted(person.novelty for person in people)
    assert novelty[-30] > 5 * novelty[30]


def test_colleagues_know_each_other_both_ways():
    people = {person.email: person for person in company.build(1, 60).people}
    for person in people.values():
        assert all(person.email in people[other].inside for other in person.inside)


def test_strangers_are_strangers():
    firm = company.build(1, 10)
    book = {contact.email for contact in firm.book}
    rng = Random(1)
    strangers = [firm.stranger(rng) for _ in range(500)]
    assert len(set(strangers)) == 500
    assert not book & set(strangers)


def test_the_directory_has_staff_and_customers(tmp_path):
    firm = company.build(1, 12)
    firm.write_directory(tmp_path / "directory.csv")
    with (tmp_path / "directory.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "email", "company"]
    assert len(rows) == 12 + len(firm.book)


def test_early_ranks_are_drawn_more_often():
    rng = Random(1)
    draws = [company.zipf(rng, range(100)) for _ in range(5000)]
    assert set(draws) <= set(range(100))
    assert draws.count(0) > 5 * draws.count(20) > 0
    assert company.zipf(rng, ["only"]) == "only"


@pytest.mark.parametrize("staff", [4, 5001])
def test_sizes_out_of_range_are_refused(staff):
    with pytest.raises(ValueError, match="staff"):
        company.build(1, staff)
