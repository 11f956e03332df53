# SPDX-License-Identifier: Apache-2.0
"""hikeshi (火消し), the fire brigade for mailbox takeovers. The tour, in the order of the story.

1. `evidence` reads logs: every record counted once, lines split into columns, records assembled into messages.
2. `model` is the arithmetic: what a mail weighs as evidence of another hand, in nats, and the score that adds it up.
3. `detect` weighs every mail of every account and finds the incidents, with exactly the mails that belong to them.
4. `scope` says whom they reached, where the addresses came from, and what the intruder had and left.
5. `cases` is the centre: the folder that a person opens, with a report in it, and the store of facts, decisions and receipts.
6. `guard` does the same while it happens, at the submission port, and holds.
7. `contain` closes the accounts: plan, approve, run, verify, undo. `notify` tells everyone, one
   by one; `publish` tells the public and keeps the clocks of the law; `wording` is what their texts have in common.
8. `playbook` tells the story as code, and `cli` is its door. `drill` invents companies and attacks to rehearse on, and
   `testing` far sides that cannot be had.
"""
