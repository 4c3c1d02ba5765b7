"""What the audit log is proven by. `leaves`, `tree`, `tiles` and `notes` are pure: they run without this project."""
