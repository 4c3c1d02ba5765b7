"""How much the guards find, and how often they are wrong: `make bench-guards DATA=…`."""
