"""Renders an audit event, as the fields of its leaf, in formats that others read: OCSF, CSV and CEF. Plain Python."""
