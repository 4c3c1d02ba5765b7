"""Backups of the databases: made, kept, restored, and tried out."""
