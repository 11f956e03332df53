# SPDX-License-Identifier: Apache-2.0
"""For all tests: speed is measured by `make bench`, and a busy machine makes no test fail."""

from hypothesis import settings

settings.register_profile("ours", deadline=None)
settings.load_profile("ours")
