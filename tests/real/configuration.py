# SPDX-License-Identifier: Apache-2.0
"""What real Postfix and Dovecot are told: their configuration files, for one host in one folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers import MailServer

DOMAIN = "example.test"
#: a domain of ours whose lists local(8) expands, which makes new messages of them
LISTS = "lists.example.test"
#: what the host listens on. All of the second row take mail of those who have signed in: with no content filter, with
#: one behind the queue, with one behind the queue and lists expanded after it, with one before the queue. The third row
#: is where a filter hands mail back, and where Dovecot hands on what its own submission service took.
PORTS = (
    "smtp", "imap", "pop3", "dovecot_submission",
    "submission", "filtered", "filtered_first", "proxied",
    "back", "back_last", "relay",
)  # fmt: skip
DAEMONS = Path("/usr/lib/postfix/sbin")


def files(host: "MailServer") -> dict[str, str]:
    """Give the content of every file of the configuration folder by name."""
    return {
        "main.cf": _main_cf(host),
        "master.cf": _master_cf(host),
        "dovecot.conf": _dovecot_conf(host),
        "mailboxes": "".join(f"{account} here\n" for account in host.accounts),
        "forwards": "".join(f"{name} {to}\n" for name, to in host.forwards.items()),
        "lists": "".join(f"{name} {to}\n" for name, to in host.lists.items()),
        "header_checks": host.header_checks,
        "held": "",
        "denied": "",
        "passwords": "".join(f"{account}:{{PLAIN}}{secret}::::::\n" for account, secret in host.accounts.items()),
    }


def sendmail(port: int) -> str:
    """Give a sendmail for Dovecot, which may not call the real one: Postfix takes our configuration from root alone.

    It lets the one who answers at `port` call it.
    """
    return _SENDMAIL.format(port=port)


def _main_cf(host: "MailServer") -> str:
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": host.queue,
        "data_directory": host.root / "data",
        "daemon_directory": DAEMONS,
        "maillog_file": host.mail_log,
        "maillog_file_prefixes": host.root,
        "myhostname": f"mx.{DOMAIN}",
        "mydestination": LISTS,
        "mynetworks": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "smtpd_peername_lookup": "no",
        "smtp_host_lookup": "native",
        "disable_dns_lookups": "yes",
        "relayhost": f"[127.0.0.1]:{host.outside.port}",
        "recipient_delimiter": "+",
        "alias_maps": f"texthash:{host.etc}/lists",
        "virtual_mailbox_domains": DOMAIN,
        "virtual_mailbox_maps": f"texthash:{host.etc}/mailboxes",
        "virtual_alias_maps": f"texthash:{host.etc}/forwards",
        "virtual_transport": f"lmtp:unix:{host.run}/lmtp",
        "header_checks": f"regexp:{host.etc}/header_checks",
        "smtpd_sender_restrictions": f"check_sasl_access texthash:{host.etc}/held",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": host.run / "auth",
        "smtpd_error_sleep_time": "0",
        "in_flow_delay": "0",
        **host.main,
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _master_cf(host: "MailServer") -> str:
    services = [
        *(_service(f"127.0.0.1:{host.ports[name]}", "inet", "smtpd", given) for name, given in _doors(host).items()),
        _service("scan", "unix", "smtp", {"smtp_send_xforward_command": "yes"}),
        _service("local", "unix", "local", unprivileged="n"),
        _service("pickup", "unix", "pickup", wakeup="60", limit="1"),
        _service("qmgr", "unix", "qmgr", wakeup="300", limit="1"),
        _service("postlog", "unix-dgram", "postlogd", limit="1"),
        _service("anvil", "unix", "anvil", limit="1"),
        _service("scache", "unix", "scache", limit="1"),
        *(_service(name, "unix", command, limit="0") for name, command in _INTERNAL.items()),
    ]
    return "".join(services)


def _doors(host: "MailServer") -> dict[str, dict[str, str]]:
    """Give what is set for every port of Postfix."""
    submission = {
        "syslog_name": "postfix/submission",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_recipient_restrictions": "",
        "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
        **host.submission,
    }
    back = {
        "mynetworks": "127.0.0.0/8",
        "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
        "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    }
    checked = "no_header_body_checks,no_unknown_recipient_checks,no_milters"
    scan = {"content_filter": f"scan:[127.0.0.1]:{host.filter.port}"}
    return {
        "smtp": {},
        "submission": submission,
        "filtered": submission | scan,
        "filtered_first": submission | scan | {"receive_override_options": "no_address_mappings"},
        "proxied": submission | {"smtpd_proxy_filter": f"127.0.0.1:{host.filter.port}"},
        "back": back | {"receive_override_options": f"{checked},no_address_mappings"},
        "back_last": back | {"receive_override_options": checked},
        # Dovecot says by XCLIENT who has signed in with it, and from where.
        "relay": {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject",
        },
    }


def _dovecot_conf(host: "MailServer") -> str:
    listeners = "\n".join(
        f"service {name} {{\n  inet_listener {inet} {{\n    port = {host.ports[port]}\n  }}\n}}"
        for name, inet, port in (
            ("imap-login", "imap", "imap"),
            ("pop3-login", "pop3", "pop3"),
            ("submission-login", "submission", "dovecot_submission"),
        )
    )
    by_smtp = f"submission_host = 127.0.0.1:{host.ports['back']}" if host.redirects_by == "smtp" else ""
    return _DOVECOT.format(root=host.root, relay=host.ports["relay"], listeners=listeners, redirects=by_smtp)


def _service(
    name: str, kind: str, command: str, options: Mapping[str, str] | None = None, *,
    unprivileged: str = "-", wakeup: str = "-", limit: str = "-",
) -> str:  # fmt: skip
    """Give the lines of one service in master.cf; nothing is chrooted."""
    private = "n" if kind == "inet" or name in ("pickup", "cleanup", "qmgr", "showq", "postlog") else "-"
    given = "".join(f"\n  -o {{ {option} = {value} }}" for option, value in (options or {}).items())
    return f"{name} {kind} {private} {unprivileged} n {wakeup} {limit} {command}{given}\n"


_INTERNAL = {
    "cleanup": "cleanup",
    "rewrite": "trivial-rewrite",
    "bounce": "bounce",
    "defer": "bounce",
    "trace": "bounce",
    "proxymap": "proxymap",
    "smtp": "smtp",
    "lmtp": "lmtp",
    "showq": "showq",
    "error": "error",
    "retry": "error",
    "discard": "discard",
}

_SENDMAIL = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
{{ echo "$*"; sed 's/^\\./../'; echo .; }} >&3
read -r code <&3
exit "$code"
"""

_DOVECOT = """
protocols = imap pop3 lmtp submission
listen = 127.0.0.1
base_dir = {root}/dovecot/run
state_dir = {root}/dovecot/state
log_path = {root}/log/dovecot.log
import_environment = TZ
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
# Penalties for wrong passwords would only make the tests slow.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  deny = yes
  args = {root}/etc/denied
}}
passdb {{
  driver = passwd-file
  args = {root}/etc/passwords
}}
userdb {{
  driver = passwd-file
  args = {root}/etc/passwords
  default_fields = uid=nobody gid=nogroup home={root}/homes/%u
}}
mail_location = maildir:~/Maildir
first_valid_uid = 1
service auth {{
  unix_listener {root}/dovecot/auth {{
    mode = 0600
    user = postfix
  }}
}}
service lmtp {{
  unix_listener {root}/dovecot/lmtp {{
    mode = 0600
    user = postfix
  }}
}}
{listeners}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_trusted = yes
recipient_delimiter = +
sendmail_path = {root}/sendmail
{redirects}
protocol lmtp {{
  mail_plugins = sieve
  postmaster_address = postmaster@example.test
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
"""
