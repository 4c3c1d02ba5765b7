"""Evidence for a period, as a file that verifies offline: what was so, and what was done."""
