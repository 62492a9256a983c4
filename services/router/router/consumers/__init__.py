"""Events that the router follows."""
