"""Takes the audit log to a SIEM: how events are framed, and how they travel. `actions/siem_deliveries.py` drives it."""
