# SPDX-License-Identifier: Apache-2.0
"""Every error that a user can meet. A message says what happened, where, and what to do.

HikeshiError
├── UsageError        exit 2: the call makes no sense
├── CaseError         exit 1: the case folder cannot be used
├── NothingToReadError  exit 1: no input held a single record
└── ConservationError exit 1: records went missing inside hikeshi (law 1)
"""


class HikeshiError(Exception):
    """Something went wrong that the user should know about."""

    exit_code = 1


class UsageError(HikeshiError):
    """The call makes no sense."""

    exit_code = 2


class CaseError(HikeshiError):
    """The case folder cannot be used."""


class NothingToReadError(HikeshiError):
    """No input held a single record."""


class ConservationError(HikeshiError):
    """Records went missing inside hikeshi: a defect of ours, so no result is given."""
