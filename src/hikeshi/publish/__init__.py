# SPDX-License-Identifier: Apache-2.0
"""Case → what the public and the authorities are told, and by when. Start reading at `clocks/`."""
