# SPDX-License-Identifier: Apache-2.0
"""How it is doing: counters for Prometheus, structured logs."""
