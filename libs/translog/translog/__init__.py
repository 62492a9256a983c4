"""A transparency log an auditor can check without trusting its operator.

Merkle tree (RFC 6962, RFC 9162), signed notes, checkpoints and tiles (C2SP), the store, fsck and offline proofs. Imports nothing but
the standard library and `cryptography`, so that the code that verifies is small enough to be read; `postgresql`, an extra, needs psycopg.
"""
