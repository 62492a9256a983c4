"""Documents as a bank or an insurer has them, written by us, the same each time: terms in two versions, a policy, a report, a scan."""
