"""How services hand evidence to audit. The one place in meshkit that knows finmesh.audit."""
