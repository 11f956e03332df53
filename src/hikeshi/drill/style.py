# SPDX-License-Identifier: Apache-2.0
"""How a site's logs look: every choice that changes lines or files but not what happened."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LogStyle:
    """The choices of one site."""

    stamps: str = "rfc3164"  # rfc3164 | iso | rfc5424
    zone: str = "Asia/Tokyo"
    queue_ids: str = "short"  # short | long
    content_filter: bool = False
    hosts: int = 1  # submission hosts, each with its own log
    subjects: bool = False  # header_checks that log the Subject
    dovecot: bool = True
    dovecot_version: str = "2.3"  # 2.3 | 2.4
    chatty: bool = False  # TLS and LMTP connection lines
    files: str = "single"  # single | weekly
    queue_days: float = 5.0  # maximal_queue_lifetime

    def __post_init__(self) -> None:
        _one_of("stamps", self.stamps, ("rfc3164", "iso", "rfc5424"))
        _one_of("queue_ids", self.queue_ids, ("short", "long"))
        _one_of("dovecot_version", self.dovecot_version, ("2.3", "2.4"))
        _one_of("files", self.files, ("single", "weekly"))
        if not 1 <= self.hosts <= 3:
            raise ValueError("hosts must be 1, 2 or 3")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value}")
