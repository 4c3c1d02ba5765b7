"""Bundles: exports of an audit log that anyone can verify without this project: docs/audit-bundles.md."""
