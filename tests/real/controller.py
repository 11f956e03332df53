# SPDX-License-Identifier: Apache-2.0
"""A real Active Directory domain controller, Samba's, in one folder and on a loopback address of its own.

Only its LDAP service runs. Samba's ports are fixed, so every controller has its own address of 127.0.0.0/8. Nothing
outside the folder is written, and when `stop` returns the last process is gone.
"""

import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from directory import Authority, run
from servers import until

PACKAGES = ("samba-ad-dc", "samba-ad-provision", "ldb-tools", "openssl")
BASE = "DC=example,DC=test"
SERVICE, SERVICE_PASSWORD = "hikeshi@example.test", "Hikeshi-of-the-test-1"
_KEEPER = Path(__file__).with_name("keeper.py")
_PORTS = (389, 636, 3268, 3269)


class Controller:
    """One domain controller; `twin` makes another that starts from the same database and never replicates."""

    def __init__(self, root: Path, authority: Authority) -> None:
        self.root, self.authority, self.address = root, authority, _address()
        self.url = f"ldaps://{self.address}"
        self.settings = root / "etc" / "smb.conf"
        self.log = root / "samba.out"
        self._server: subprocess.Popen[bytes] | None = None

    def provision(self) -> None:
        """Make a new domain."""
        self.root.mkdir(mode=0o700, parents=True)
        run(
            "samba-tool", "domain", "provision", "--realm=EXAMPLE.TEST", "--domain=EXAMPLE", "--server-role=dc",
            "--dns-backend=NONE", f"--targetdir={self.root}", "--host-name=dc1", f"--host-ip={self.address}",
            "--option=server services=ldap", "--option=bind interfaces only=yes", "--option=logging=stdout",
        )  # fmt: skip
        self._configure()

    def twin(self, root: Path) -> "Controller":
        """Give another controller of the same domain, as the database stands now; this one must not be running."""
        other = Controller(root, self.authority)
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("*.sock", "*.lock", "msg.*", "ldapi"))
        other._configure(self.root)
        return other

    def serve(self) -> None:
        """Start it; returns when it answers."""
        with self.log.open("ab") as out:
            self._server = subprocess.Popen(
                [sys.executable, _KEEPER, "samba", "-i", "--model=single", "-s", self.settings],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        until(self._answers, "the domain controller answers", 60)

    def stop(self) -> None:
        """Stop it; no process of it is left."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(20)
            self._server = None

    def tool(self, *words: object) -> str:
        """Run samba-tool on the database of this controller, as its administrator would at the console."""
        return run("samba-tool", *words, "-H", self.root / "private" / "sam.ldb", "-s", self.settings)

    def change(self, ldif: str) -> None:
        """Change entries, past every check that the service makes."""
        run("ldbmodify", "-H", self.root / "private" / "sam.ldb", "--configfile", self.settings, text=ldif)

    def read(self, name: str, *attributes: str) -> dict[str, list[str]]:
        """Read attributes of the account of this sAMAccountName, with names in small letters."""
        found: dict[str, list[str]] = {}
        for line in run("ldbsearch", "-H", self.root / "private" / "sam.ldb", "--configfile", self.settings, "-s", "sub", f"(sAMAccountName={name})",
                        *attributes).splitlines():  # fmt: skip
            attribute, _, value = line.partition(": ")
            if value and not line.startswith(("#", "dn:", "ref:")):
                found.setdefault(attribute.lower(), []).append(value)
        return found

    def _answers(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            raise RuntimeError(f"samba has ended: {self.log.read_text()[-3000:]}")
        with socket.socket() as trial:
            return trial.connect_ex((self.address, 636)) == 0

    def _configure(self, old: Path | None = None) -> None:
        """Let it listen on its own address only, with a certificate of its own."""
        key, certificate = self.authority.issue(self.address)
        text = self.settings.read_text().split("[sysvol]")[0].replace(str(old or self.root), str(self.root))
        kept = [line for line in text.splitlines() if line.split("=")[0].strip() not in ("interfaces", "tls keyfile",
                "tls certfile", "tls cafile", "pid directory")]  # fmt: skip
        own = f"""
	interfaces = {self.address}/8
	pid directory = {self.root}
	tls keyfile = {key}
	tls certfile = {certificate}
	tls cafile = {self.authority.ca}
"""
        at = kept.index("[global]") + 1
        self.settings.write_text("\n".join([*kept[:at], own, *kept[at:]]) + "\n")


def _address() -> str:
    """Find a loopback address on which nobody listens at LDAP's ports."""
    while True:
        address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        for port in _PORTS:
            with socket.socket() as trial:
                if trial.connect_ex((address, port)) == 0:
                    break
        else:
            return address
