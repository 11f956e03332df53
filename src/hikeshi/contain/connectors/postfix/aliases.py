# SPDX-License-Identifier: Apache-2.0
"""Where the server itself sends an account's mail: virtual aliases, which are shown and never touched.

No intruder in a mailbox can write them, and behind them stands whoever runs the server.
"""

import re

from hikeshi.contain.connectors.postfix.instance import Instance
from hikeshi.contain.contract import Shown, Target


def shown(instance: Instance, target: Target) -> list[Shown]:
    """Look the account up in every map of virtual aliases.

    Raises:
        ConnectorError: Postfix's configuration cannot be read, or LaterError.

    """
    own = {*target.own_domains, target.account.rpartition("@")[2]}
    found = []
    for table in re.findall(r"\{[^}]*\}|[^\s,{}]+(?:\{[^}]*\})?", instance.setting("virtual_alias_maps")):
        given = instance.run("postmap", "-q", target.account, table, fine=(1,)).out
        outside = [one for one in re.split(r"[\s,]+", given.strip()) if one and one.rpartition("@")[2] not in own]
        if outside:
            found.append(_one(target.account, table, ", ".join(outside)))
    return found


def _one(account: str, table: str, outside: str) -> Shown:
    return Shown(
        "postfix",
        account,
        table,
        {"en": f"a virtual alias sends mail of {account} to {outside}", "ja": f"別名設定により {outside} へ送られます"},
        {
            "en": "It is the server's own, which no mailbox can change: ask whoever runs the server.",
            "ja": "サーバー側の設定で、メールボックスからは変えられません。管理者に確認してください。",
        },
    )
