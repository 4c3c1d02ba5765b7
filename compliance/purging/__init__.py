"""How what is due is counted and removed. `compliance/actions/purges.py` performs it."""
