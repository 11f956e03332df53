# SPDX-License-Identifier: Apache-2.0
"""Telling people out of band: whom, how, and in which words."""
