"""The one public door: authenticates, authorises, meters and forwards. It decides nothing."""
