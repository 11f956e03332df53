# SPDX-License-Identifier: Apache-2.0
"""The public page of a case: a folder of plain files for any web server. No script, no request to anybody, no cookie.

`pages.py` draws, `build.py` checks every byte for what must not go out and writes, `preview.py` shows it on loopback.
"""
