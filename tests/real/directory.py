# SPDX-License-Identifier: Apache-2.0
"""A real OpenLDAP server from Debian in one folder: on loopback, with TLS, the ppolicy overlay and cn=config.

Nothing outside the folder is written, no port is fixed, and when `stop` returns the last process is gone. The
configuration is changed as administrators do it, by LDIF over the local socket (`configure`).
"""

import base64
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from servers import free_ports, until

PACKAGES = ("slapd", "ldap-utils", "openssl")
BASE = "dc=example,dc=test"
#: the directory's own manager, and the account that hikeshi is given
MANAGER, SERVICE = f"cn=manager,{BASE}", f"cn=hikeshi,ou=services,{BASE}"
MANAGER_PASSWORD, SERVICE_PASSWORD = "manager of the test", "hikeshi of the test"
_KEEPER = Path(__file__).with_name("keeper.py")
_SCHEMAS = ("core", "cosine", "inetorgperson", "nis")
#: an attribute of the kind that mail servers look forwards up in, under the arc for examples (2.999, X.660)
_FORWARDS = """
dn: cn=forwards,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: forwards
olcAttributeTypes: ( 2.999.5.1 NAME 'mailForwardingAddress'
  EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
olcObjectClasses: ( 2.999.5.2 NAME 'mailUser' SUP top AUXILIARY MAY mailForwardingAddress )
"""
_POLICY = f"""
dn: cn=policy,{BASE}
objectClass: organizationalRole
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
"""
_NEW = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A certificate authority of the tests."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700)
        self.root, self.ca = root, root / "ca.pem"
        run(*_NEW, "-x509", "-days", "2", "-subj", "/CN=Authority of a test", "-keyout", root / "ca.key",
            "-out", self.ca, "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip

    def issue(self, address: str) -> tuple[Path, Path]:
        """Give the files of a key and of a certificate for an address."""
        key, certificate, request, names = (
            self.root / f"{address}.{end}" for end in ("key", "pem", "request", "names")
        )
        names.write_text(f"subjectAltName=IP:{address},DNS:localhost\n")
        run(*_NEW, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey", self.root / "ca.key",
            "-CAcreateserial", "-extfile", names, "-out", certificate)  # fmt: skip
        return key, certificate


class Directory:
    """One slapd that holds `entries` (LDIF) below BASE, with the ppolicy overlay unless `ppolicy` is False.

    `policy` are more lines of the default password policy; None for an overlay without any policy. With `whole`, `entries`
    is all there is, as another directory's `dump` gives it.
    """

    def __init__(
        self,
        root: Path,
        authority: Authority,
        entries: str,
        *,
        ppolicy: bool = True,
        policy: str | None = "",
        whole: bool = False,
    ) -> None:
        self.root, self.entries, self.ppolicy, self.policy, self.whole = root, entries, ppolicy, policy, whole
        self.authority = authority
        self.port, self.tls_port = free_ports(2)
        self.url, self.tls_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.socket = f"ldapi://{quote(str(root / 'socket'), safe='')}"
        self.log = root / "slapd.log"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Lay everything out and start it; returns when it answers."""
        for folder in (self.root, self.root / "config", self.root / "data"):
            folder.mkdir(mode=0o700)
        for number, ldif in (("0", self._configuration()), ("1", self._data())):
            run("/usr/sbin/slapadd", "-F", self.root / "config", "-n", number, text=ldif)
        self.serve()

    def serve(self) -> None:
        """Start the server with what its database holds."""
        urls = f"{self.url} {self.tls_url} {self.socket}"
        with self.log.open("ab") as out:
            self._server = subprocess.Popen(
                [sys.executable, _KEEPER, "/usr/sbin/slapd", "-d", "256", "-F", self.root / "config", "-h", urls],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        until(self._answers, "slapd answers")

    def stop(self) -> None:
        """Stop it; no process of it is left."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(20)
            self._server = None

    def configure(self, ldif: str) -> None:
        """Change the configuration as root, as the administrator would."""
        run("ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", self.socket, text=ldif)

    def modify(self, ldif: str) -> None:
        """Change entries as the directory's manager."""
        run("ldapmodify", "-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-H", self.socket, text=ldif)

    def read(self, dn: str, *attributes: str) -> dict[str, list[str]]:
        """Read attributes as the directory's manager; an entry that is not there raises CalledProcessError."""
        return self._read("-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-b", dn, "-s", "base", *_wanted(attributes))

    def configuration(self, dn: str, *attributes: str) -> dict[str, list[str]]:
        """Read attributes of the configuration."""
        return self._read("-Q", "-Y", "EXTERNAL", "-b", dn, "-s", "base", *_wanted(attributes))

    def find(self, wanted: str) -> str:
        """Give the DN of the one entry that fits the filter."""
        return next(iter(self._rows("-x", "-D", MANAGER, "-w", MANAGER_PASSWORD, "-b", BASE, wanted, "1.1")["dn"]))

    def dump(self) -> str:
        """Give all entries as LDIF, with what the server itself keeps of them."""
        return run("/usr/sbin/slapcat", "-F", self.root / "config", "-n", "1")

    def lets_in(self, dn: str, password: str) -> bool:
        """Tell whether a bind with this password succeeds."""
        command = ["ldapwhoami", "-x", "-D", dn, "-w", password, "-H", self.socket]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _read(self, *options: str) -> dict[str, list[str]]:
        rows = self._rows(*options)
        rows.pop("dn")
        return rows

    def _rows(self, *options: str) -> dict[str, list[str]]:
        """Read one entry by ldapsearch, with names in small letters."""
        found: dict[str, list[str]] = {}
        for line in run("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-H", self.socket, *options).splitlines():
            if line.partition(" ")[0].endswith("::"):
                name, _, coded = line.partition(":: ")
                value = base64.b64decode(coded).decode()
            else:
                name, _, value = line.partition(": ")
            if value:
                found.setdefault(name.lower(), []).append(value)
        return found

    def _answers(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            raise RuntimeError(f"slapd has ended: {self.log.read_text()[-3000:]}")
        command = ["ldapwhoami", "-Q", "-Y", "EXTERNAL", "-H", self.socket]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _configuration(self) -> str:
        key, certificate = self.authority.issue("127.0.0.1")
        overlay = f"""
dn: olcOverlay=ppolicy,olcDatabase={{1}}mdb,cn=config
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
{"" if self.policy is None else f"olcPPolicyDefault: cn=policy,{BASE}"}
"""
        return f"""dn: cn=config
objectClass: olcGlobal
cn: config
olcTLSCACertificateFile: {self.authority.ca}
olcTLSCertificateFile: {certificate}
olcTLSCertificateKeyFile: {key}

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: ppolicy

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

{"".join(Path(f"/etc/ldap/schema/{name}.ldif").read_text() + chr(10) for name in _SCHEMAS)}
{_FORWARDS}
dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcAccess: to * by dn.exact=gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth manage by * none

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcSuffix: {BASE}
olcRootDN: {MANAGER}
olcRootPW: {MANAGER_PASSWORD}
olcDbDirectory: {self.root / "data"}
olcDbIndex: objectClass,entryUUID,mail eq
olcDbNoSync: TRUE
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by self read by * none
{overlay if self.ppolicy else ""}"""

    def _data(self) -> str:
        if self.whole:
            return self.entries
        policy = "" if self.policy is None or not self.ppolicy else f"{_POLICY.rstrip()}\n{self.policy}\n"
        return f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=services,{BASE}
objectClass: organizationalUnit
ou: services

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: hikeshi
userPassword: {SERVICE_PASSWORD}

{policy}
{self.entries}"""


@contextmanager
def directory(root: Path, entries: str, *, authority: Authority | None = None, **more: Any) -> Iterator[Directory]:
    """Have a directory of its own for a while."""
    root.mkdir(parents=True, exist_ok=True)
    made = Directory(root / "slapd", authority or Authority(root / "tls"), entries, **more)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _wanted(attributes: Sequence[str]) -> Sequence[str]:
    return ("(objectClass=*)", *attributes)


def run(*command: object, text: str | None = None) -> str:
    """Run a command and give what it says; raises RuntimeError with all of it where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stdout}{done.stderr}")
    return done.stdout
