# SPDX-License-Identifier: Apache-2.0
"""Logs in, sealed tables out.

`reading` opens, unpacks, numbers and counts; `sources` say which lines mean what; `assembly` makes messages of
records; `lake` keeps the tables as Parquet; `seal` keeps the digests. Start at `tables` to see what comes out.
"""
