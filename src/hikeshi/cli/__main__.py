# SPDX-License-Identifier: Apache-2.0
"""`python -m hikeshi.cli` is the command line too."""

from hikeshi.cli import main

main()
