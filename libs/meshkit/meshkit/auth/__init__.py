"""Who may do what: bearer tokens of people and systems, and policies in Cedar. Deny is the default."""
