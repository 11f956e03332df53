# SPDX-License-Identifier: Apache-2.0
"""The same model at the submission port, and over a log that is being written: notice, hold, ask."""
