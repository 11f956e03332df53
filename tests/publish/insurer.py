# SPDX-License-Identifier: Apache-2.0
"""A rule of one's own, in a file as users write them."""

OWN = """
regime = "insurer"
title = { en = "Cyber insurance", ja = "サイバー保険" }

[[rules]]
id = "insurer-notice"
version = "policy 2026"
stage = { en = "notice of loss", ja = "事故通知" }
force = "contract"
valid_from = 2026-01-01
reporter = { en = "the insured", ja = "被保険者" }
to = { en = "the insurer", ja = "保険会社" }
starts = ["confirmed"]
period = { length = 2, unit = "business_days", first_day = "excluded" }
zone = "Asia/Tokyo"

[rules.closed]
weekdays = ["sat", "sun"]
holidays = "JP"

[rules.source]
law = "policy"
article = "clause 14"
url = "https://insurer.example/policy"
verified_on = 2026-02-01
"""
