# SPDX-License-Identifier: Apache-2.0
"""The least rights in a directory's own language: LDIF for OpenLDAP's cn=config, commands for Active Directory.

What is printed for OpenLDAP can be piped into ldapmodify as it stands; its comments are for people.
"""

from typing import Final

from hikeshi.contain.connectors.ldap.flavours import Flavour
from hikeshi.contain.connectors.ldap.options import Options

#: extended right "Reset Password", attribute userAccountControl, class user ([MS-ADTS] 5.1.3.2.1, [MS-ADA3], [MS-ADSC])
_RESET: Final = "00299570-246d-11d0-a768-00aa006e0529"
_CONTROL: Final = "bf967a68-0de6-11d0-a285-00aa003049e2"
_USER: Final = "bf967aba-0de6-11d0-a285-00aa003049e2"


def setup(options: Options, flavour: Flavour) -> str:
    """Say how to give our account what it needs."""
    return _openldap_setup(options, flavour) if flavour.identity == "entryUUID" else _ad_setup(options)


def teardown(options: Options, flavour: Flavour) -> str:
    """Say how to take it away again."""
    if flavour.identity == "entryUUID":
        return _openldap_teardown(options, flavour)
    lines = [
        "# Active Directory: take away what setup gave. hikeshi cannot do this itself, and should not be able to.",
        f'dsacls "{options.base}" /R "{options.bind}"',
        f"# Then delete the account {options.bind}: the rights of one that is gone are nobody's. With Samba that is all:",
        "samba-tool user delete ACCOUNT",
    ]
    return "\n".join(lines) + "\n"


def _rules(options: Options, flavour: Flavour) -> list[str]:
    """Give the access rules of OpenLDAP, in their order."""
    below, us = f'to dn.subtree="{options.base}"', f'by dn.exact="{options.bind}"'
    password = "=wc" if options.reset_password else "=c"
    reads = dict.fromkeys(
        ("entry", "objectClass", "entryUUID", "modifyTimestamp", "modifiersName", "pwdChangedTime",
         *flavour.groups, *options.mail_attributes)
    )  # fmt: skip
    rules = [
        f"{below} attrs=userPassword {us} {password} by * break",
        f"{below} attrs=pwdAccountLockedTime {us} =wrsc by * break",
        f"{below} attrs={','.join(reads)} {us} =rsc by * break",
    ]
    if options.forward_attributes:
        rules.append(f"{below} attrs={','.join(options.forward_attributes)} {us} =wrsc by * break")
    return rules


_DATABASE: Final = "dn: olcDatabase={1}mdb,cn=config"


def _openldap_setup(options: Options, flavour: Flavour) -> str:
    adds = [f"add: olcAccess\nolcAccess: {{{place}}}{rule}" for place, rule in enumerate(_rules(options, flavour))]
    return f"""\
# OpenLDAP: the least that hikeshi needs, on every server. Read it, then, as root on the server:
#   ldapmodify -Q -Y EXTERNAL -H ldapi:///
# First: {options.bind} must exist, with a userPassword of its own that nothing else uses.
# Which database holds {options.base}, if it is not {{1}}mdb:
#   ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -b cn=config '(olcSuffix=*)' olcSuffix
# The rules come first, and "by * break" leaves everybody else as before. userPassword: w sets one, c lets the
# ppolicy overlay answer whether an account is usable; no right here reads a password.
# A lock counts only where the ppolicy overlay stands over the database and the policy has pwdLockout TRUE.
{_DATABASE}
changetype: modify
{f"{chr(10)}-{chr(10)}".join(adds)}
"""


def _openldap_teardown(options: Options, flavour: Flavour) -> str:
    rules = list(enumerate(_rules(options, flavour)))
    gone = [f"delete: olcAccess\nolcAccess: {{{place}}}{rule}" for place, rule in reversed(rules)]
    return f"""\
# OpenLDAP: take away what setup gave, on every server, as root:
#   ldapmodify -Q -Y EXTERNAL -H ldapi:///
# The numbers in braces are places in the list; if rules were put before ours since, write theirs:
#   ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -o ldif-wrap=no -b cn=config '(olcAccess=*)' olcAccess
# hikeshi cannot do this itself, and should not be able to. Then delete {options.bind}.
{_DATABASE}
changetype: modify
{f"{chr(10)}-{chr(10)}".join(gone)}
"""


def _ad_setup(options: Options) -> str:
    lines = [
        f"# Active Directory: the least that hikeshi needs. Make an ordinary account {options.bind} that is in no",
        "# administrative group, with a long password that nothing else uses; then delegate, in a console of an",
        f"# administrator, for the user accounts below {options.base}:",
        f'dsacls "{options.base}" /I:S /G "{options.bind}:RPWP;userAccountControl;user"',
        *(
            [f'dsacls "{options.base}" /I:S /G "{options.bind}:CA;Reset Password;user"']
            if options.reset_password
            else []
        ),
        *(f'dsacls "{options.base}" /I:S /G "{options.bind}:RPWP;{name};user"' for name in options.forward_attributes),
        *_samba(options),
        "# Members of protected groups (adminCount=1) stay out of reach by design; an administrator disables those by hand.",
        "# Reading is what every account may do by default. ldaps:// needs a certificate on every domain controller.",
    ]
    return "\n".join(lines) + "\n"


def _samba(options: Options) -> list[str]:
    """Give the same for a domain of Samba's."""
    rights = f"(OA;CIIO;RPWP;{_CONTROL};{_USER};SID)"
    if options.reset_password:
        rights += f"(OA;CIIO;CR;{_RESET};{_USER};SID)"
    return [
        "# With Samba instead, SID being what `samba-tool user show ACCOUNT --attributes=objectSid` says:",
        f'samba-tool dsacl set --objectdn="{options.base}" --action=allow --sddl="{rights}"',
    ]
