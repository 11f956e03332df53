# SPDX-License-Identifier: Apache-2.0
"""Every error that users meet has an exit code of the command line's promise."""

import pytest

from hikeshi.basics import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.HikeshiError, 1),
        (errors.UsageError, 2),
        (errors.CaseError, 1),
        (errors.NothingToReadError, 1),
        (errors.ConservationError, 1),
    ],
)
def test_exit_codes_of_errors(error, code):
    """And its message is what the user reads."""
    with pytest.raises(errors.HikeshiError, match=r"^what, where, what to do$") as caught:
        raise error("what, where, what to do")
    assert caught.value.exit_code == code


def test_the_tree_in_the_docstring_is_the_tree():
    """Every class is named there with its exit code."""
    told = errors.__doc__
    for name, one in vars(errors).items():
        if isinstance(one, type) and one is not errors.HikeshiError:
            (line,) = [line for line in told.splitlines() if f"── {name}" in line]
            assert f"exit {one.exit_code}:" in line
