# SPDX-License-Identifier: Apache-2.0
"""The milter protocol and the sockets it comes through; a mail put together out of it."""
