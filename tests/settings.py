"""The project's settings with data, secrets and the embedded server apart from those of `make run`."""

import os

os.environ.setdefault("VAR_DIR", os.path.join(os.path.dirname(os.path.dirname(__file__)), "var", "test"))
os.environ.setdefault("SECRET_KEY", "tests-only")
os.environ.setdefault("KEY_PEPPERS", "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
os.environ.setdefault("ROOT_KEYS", "1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
os.environ.setdefault("BACKUP_KEYS", "1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=")
os.environ.setdefault("KEYS_BACKUP_KEYS", "1:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=")

from config.settings import *  # noqa: F403 - the same settings, by definition

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
