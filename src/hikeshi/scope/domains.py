# SPDX-License-Identifier: Apache-2.0
"""Which domains are ours, and which are free mail: a person's own mailbox rather than an organisation's."""

from collections.abc import Sequence

from hikeshi.evidence.lake import Lake

#: large free-mail services, Japan's mobile carriers among them; the site's own list will differ at the edges
FREEMAIL = frozenset(
    {
        "126.com",
        "163.com",
        "aol.com",
        "au.com",
        "docomo.ne.jp",
        "excite.co.jp",
        "ezweb.ne.jp",
        "fastmail.com",
        "foxmail.com",
        "free.fr",
        "gmail.com",
        "gmx.at",
        "gmx.ch",
        "gmx.de",
        "gmx.net",
        "goo.jp",
        "googlemail.com",
        "hotmail.co.jp",
        "hotmail.co.uk",
        "hotmail.com",
        "hotmail.de",
        "hotmail.fr",
        "hotmail.it",
        "i.softbank.jp",
        "icloud.com",
        "inbox.lv",
        "laposte.net",
        "libero.it",
        "live.com",
        "live.jp",
        "mac.com",
        "mail.com",
        "mail.goo.ne.jp",
        "mail.ru",
        "me.com",
        "msn.com",
        "naver.com",
        "nifty.com",
        "orange.fr",
        "outlook.com",
        "outlook.de",
        "outlook.fr",
        "outlook.jp",
        "pm.me",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "rakuten.jp",
        "rediffmail.com",
        "rocketmail.com",
        "seznam.cz",
        "sina.com",
        "softbank.ne.jp",
        "t-online.de",
        "tuta.io",
        "tutanota.com",
        "vodafone.ne.jp",
        "wanadoo.fr",
        "web.de",
        "wp.pl",
        "yahoo.co.in",
        "yahoo.co.jp",
        "yahoo.co.uk",
        "yahoo.com",
        "yahoo.de",
        "yahoo.fr",
        "yahoo.it",
        "yahoo.ne.jp",
        "yandex.com",
        "yandex.ru",
        "ybb.ne.jp",
        "ymail.ne.jp",
        "ymail.com",
        "ymobile.ne.jp",
        "zoho.com",
    }
)


def own_domains(lake: Lake, given: Sequence[str]) -> tuple[str, ...]:
    """Give the organisation's domains and leave them in the table `own_domains`.

    Those that the user gives; else the domains of its accounts and of at least one in twenty of the mails they send.
    """
    if given:
        domains = [domain.lower().lstrip("@") for domain in given]
    else:
        found = lake.sql.execute("""
            WITH names AS (
                SELECT lower(split_part(account, '@', 2)) AS domain FROM messages
                WHERE account IS NOT NULL AND contains(account, '@') AND accepted
                UNION ALL
                SELECT lower(split_part(mail_from, '@', 2)) FROM messages
                WHERE account IS NOT NULL AND NOT contains(account, '@') AND contains(mail_from, '@') AND accepted
            )
            SELECT domain FROM names GROUP BY domain
            HAVING count(*) >= 0.05 * (SELECT count(*) FROM names) ORDER BY count(*) DESC, domain""").fetchall()
        domains = [str(row[0]) for row in found]
    lake.sql.execute("CREATE OR REPLACE TEMP TABLE own_domains (domain VARCHAR)")
    for domain in domains:
        lake.sql.execute("INSERT INTO own_domains VALUES (?)", [domain])
    lake.sql.execute("CREATE OR REPLACE TEMP TABLE freemail AS SELECT unnest(?) AS domain", [sorted(FREEMAIL)])
    return tuple(domains)
