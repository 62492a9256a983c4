"""Verdicts over what went in and what came out, by readers that no service knows.

`balance` judges a day and `account` a campaign, both pure; `evidence` and `commitments` read topics and the audit log for them, once
`audited` says that everything is there; `traces` asks the tracing UI.
"""
