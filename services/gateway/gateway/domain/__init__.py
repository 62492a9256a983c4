"""What a route is and how calls are metered; pure."""
