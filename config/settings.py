"""Every setting, read once from the environment. `docs/operations.md` lists what may be set."""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from config import embedded
from config.env import BASE_DIR, VAR_DIR, choice, choices, env, integer, kms_keys, program, secret, versioned_keys

django_stubs_ext.monkeypatch()

# --- this installation ------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY", generate=lambda: secrets.token_urlsafe(50))
KEY_PEPPERS = versioned_keys("KEY_PEPPERS")  # HMAC keys that API key secrets are stored under
KEY_PEPPER_CURRENT = integer("KEY_PEPPER_CURRENT", default=0)
"""The version that secrets are hashed under; 0: the newest. Set it while not every process has the newest yet."""
if KEY_PEPPER_CURRENT and KEY_PEPPER_CURRENT not in KEY_PEPPERS:
    raise ImproperlyConfigured(f"KEY_PEPPER_CURRENT is {KEY_PEPPER_CURRENT}, which KEY_PEPPERS does not have.")
ROOT_KEY_PROVIDER = choice("ROOT_KEY_PROVIDER", default="environment", among=("environment", "kms"))
ROOT_KEYS = versioned_keys("ROOT_KEYS", needed=ROOT_KEY_PROVIDER == "environment")
"""Encrypt tenants' keys, and secrets that must be readable again. With `kms` only what is left from before."""
KMS_KEYS = kms_keys("KMS_KEYS", besides=ROOT_KEYS) if ROOT_KEY_PROVIDER == "kms" else {}
BACKUP_KEYS = versioned_keys("BACKUP_KEYS")
KEYS_BACKUP_KEYS = versioned_keys("KEYS_BACKUP_KEYS")
"""Encrypt backups of the data, and those of the keys. Whoever is to restore needs them: keep them elsewhere too."""
TENANT_KEY_DAYS = integer("TENANT_KEY_DAYS", default=365, most=36_500)  # then it is rotated; 0: never
SIGNING_KEY_DAYS = integer("SIGNING_KEY_DAYS", default=365, most=36_500)  # then the next one signs; 0: never
KEY_ROTATION_DAYS = integer("KEY_ROTATION_DAYS", default=90, most=3650)
"""After how many days the secret of an API key is replaced, where its tenant does not say; 0: never."""
KEY_OVERLAP_DAYS = integer("KEY_OVERLAP_DAYS", default=7, least=1, most=90)
"""How long an old secret works beside the new one, where its tenant does not say."""
PLANE = choice("PLANE", default="all", among=("all", "data", "control"))
BIND_HOST = env.str("BIND_HOST", default="127.0.0.1")
PORT = integer("PORT", default=8000, least=1, most=65535)
DEMO = env.bool("DEMO", default=True)  # whether `manage.py up` fills an installation without tenants
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", BIND_HOST])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
"""Networks whose X-Forwarded-For is believed; empty: the peer's own address counts."""

# --- data plane -------------------------------------------------------------------------------------------------

BODY_LIMIT_BYTES = integer("BODY_LIMIT_BYTES", default=20 * 2**20, least=1024)
BODY_TIMEOUT_S = integer("BODY_TIMEOUT_S", default=30, least=1)
MAX_IN_FLIGHT = integer("MAX_IN_FLIGHT", default=2000, least=1)
FAILED_KEYS_PER_MINUTE = integer("FAILED_KEYS_PER_MINUTE", default=60, most=60_000)
"""Wrong API keys per client network and process; 0: as many as they like."""
NEW_SUBJECTS_PER_MINUTE = integer("NEW_SUBJECTS_PER_MINUTE", default=6000, least=1)
"""End users never seen before, per tenant and process: what a tenant may add to the table of people at most."""
API_WRITES_PER_MINUTE = integer("API_WRITES_PER_MINUTE", default=600, least=1)
"""What one key may record at the control plane's API; withdrawals are not counted."""
MAX_CONTENT_BYTES = integer("MAX_CONTENT_BYTES", default=4 * 2**20, least=1024)
"""The most of one request and its answer that is stored; of larger ones nothing is."""
CONTENT_QUEUE_BYTES = integer("CONTENT_QUEUE_BYTES", default=64 * 2**20, least=2**20)
CONTENT_QUEUE_MOST = integer("CONTENT_QUEUE_MOST", default=10_000, least=1)
"""How much content waits in a process to be stored; what comes beyond is dropped."""
WATCHDOG_END_AFTER_S = integer("WATCHDOG_END_AFTER_S", default=0)
"""After how long a transaction that pins the ledger is ended; 0: never."""
WATCHDOG_SPARES = env.list("WATCHDOG_SPARES", default=["pg_dump", "pg_dumpall", "pg_basebackup"])
"""Roles and application names whose transactions are never ended. Replication never is."""
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
"""What `/metrics` asks for as a bearer token; without one it answers private networks only."""
POLICY_NOTIFICATIONS = env.bool("POLICY_NOTIFICATIONS", default=True)
"""False where LISTEN cannot work (a pooler in transaction mode): changes then take effect by polling, within 1 s."""

# --- leaked keys ----------------------------------------------------------------------------------------------------

LEAKED_KEYS = choice("LEAKED_KEYS", default="revoke", among=("revoke", "rotate"))
"""What becomes of a key whose secret was seen where it does not belong; the secret is dead at once either way."""

# --- providers' credentials ----------------------------------------------------------------------------------------

CREDENTIAL_POLL_S = integer("CREDENTIAL_POLL_S", default=60, least=5)
"""How often providers' secrets are looked up where they are kept, and those that wait are tested again."""
CREDENTIAL_KEEP_DAYS = integer("CREDENTIAL_KEEP_DAYS", default=7)
"""How long one that was replaced can be used again; then it is destroyed."""
CREDENTIAL_FILES_DIR = env.str("CREDENTIAL_FILES_DIR", default=str(VAR_DIR / "credentials"))
CREDENTIAL_AWS_PREFIX = env.str("CREDENTIAL_AWS_PREFIX", default="portcullis/")
CREDENTIAL_VAULT_URL = env.str("CREDENTIAL_VAULT_URL", default="").rstrip("/")
CREDENTIAL_VAULT_MOUNT = env.str("CREDENTIAL_VAULT_MOUNT", default="secret")
CREDENTIAL_VAULT_PREFIX = env.str("CREDENTIAL_VAULT_PREFIX", default="portcullis/")
"""What may be read as a provider's secret: whoever may change providers could have anything else sent to one."""

# --- apps -------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "gateway",
    "billing",
    "billing.ledger",
    "accounts",
    "compliance",
    "compliance.keyring",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config.apps.PortcullisAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "config.middleware.RequestId",
    "config.middleware.ClientAddress",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- databases --------------------------------------------------------------------------------------------------

POOL = {"min_size": 0, "max_size": integer("DATABASE_POOL_SIZE", default=8, least=2), "timeout": 10}


def _embedded(name: str) -> dict[str, Any]:
    return {"NAME": name, "USER": "postgres", "EMBEDDED": str(VAR_DIR / "postgres")}


def _with_name(url: str, suffix: str) -> str:
    """The same URL with `suffix` behind its database's name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + suffix))


def _databases() -> dict[str, dict[str, Any]]:
    if url := env.str("DATABASE_URL", default=""):
        ledger_url = env.str("LEDGER_DATABASE_URL", default=_with_name(url, "_ledger"))
        keys_url = env.str("KEYS_DATABASE_URL", default=_with_name(url, "_keys"))
        urls = {"default": url, "ledger": ledger_url, "keys": keys_url}
        databases = {alias: environ.Env.db_url_config(each) for alias, each in urls.items()}
    else:
        names = {"default": "portcullis", "ledger": "portcullis_ledger", "keys": "portcullis_keys"}
        databases = {alias: _embedded(name) for alias, name in names.items()}
    for database in databases.values():
        database["ENGINE"] = "config.postgres"
        # Tells whose a connection is, in pg_stat_activity and to billing/actions/watchdog.py.
        named = {"application_name": f"portcullis {program()}"}
        database["OPTIONS"] = {**named, **database.get("OPTIONS", {}), "pool": POOL}
        database["CONN_MAX_AGE"] = 0
        database["CONN_HEALTH_CHECKS"] = True  # or the pool would hand out what a restart of the server has cut
    # Pages show what budgets have used, and must not wait long for a ledger, or for keys, that are down.
    for alias in ("ledger", "keys"):
        databases[alias]["OPTIONS"]["pool"] = {**POOL, "timeout": 2}
    return databases


DATABASES = _databases()
DATABASE_ROUTERS = ["config.routers.AppRouter"]

CACHES = {
    "default": env.cache_url("CACHE_URL")
    if env.str("CACHE_URL", default="")
    else {"BACKEND": "config.cache.PostgresCache", "LOCATION": "django_cache", "OPTIONS": {"MAX_ENTRIES": 10_000}}
}
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.W001"]  # config.cache has the atomic increment that it asks for

# --- people -----------------------------------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"
USE_THOUSAND_SEPARATOR = True

# --- what browsers get ------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_USE_FINDERS = True
HTTPS_ONLY = env.bool("HTTPS_ONLY", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SESSION_COOKIE_AGE = 12 * 3600
SESSION_ENGINE = "config.sessions"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],  # the admin's theme evaluates expressions (Alpine)
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# --- admin ------------------------------------------------------------------------------------------------------

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Portcullis",
    "SITE_HEADER": "Portcullis",
    "SITE_SUBHEADER": "LLM governance",
    "SITE_URL": None,
    "SITE_ICON": "config.navigation.logo",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.navigation.logo"}],
    "STYLES": ["config.navigation.stylesheet"],
    "ENVIRONMENT": "config.navigation.clock",
    "DASHBOARD_CALLBACK": "config.dashboard.overview",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
    "SIDEBAR": {"show_search": True, "command_search": False, "navigation": "config.navigation.sidebar"},
}

# --- REST API and its schema ------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Portcullis",
    "DESCRIPTION": "Governed access to language models, in OpenAI's form.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_URLCONF": "config.api_urls",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": ["gateway.http.schema.add_components"],
}

# --- how long usage is kept -------------------------------------------------------------------------------------

USAGE_MONTHS_KEPT = integer("USAGE_MONTHS_KEPT", default=25, most=1200)  # before this month; 0: for ever

# --- erasures ---------------------------------------------------------------------------------------------------

ERASURE_LEDGER = env.list("ERASURE_LEDGER", default=[str(VAR_DIR / "erasures" / "ledger.jsonl")])
"""Files that each hold the whole ledger of erasures. At least one belongs where no restore of a database reaches."""

# --- backups ----------------------------------------------------------------------------------------------------

BACKUP_DAYS = integer("BACKUP_DAYS", default=7, least=1, most=36_500)
BACKUP_WEEKS = integer("BACKUP_WEEKS", default=4, most=5_200)
KEYS_BACKUP_DAYS = integer("KEYS_BACKUP_DAYS", default=7, least=1, most=36_500)
"""For how long backups of the data, and of the keys, are kept; certificates of erasure say so."""
BACKUP_PLACE = env.str("BACKUP_PLACE", default=str(VAR_DIR / "backups" / "data"))
KEYS_BACKUP_PLACE = env.str("KEYS_BACKUP_PLACE", default=str(VAR_DIR / "backups" / "keys"))
"""Folders, or `s3://bucket/prefix`. The two do not belong on the same medium."""
PG_BIN = env.str("PG_BIN", default=embedded.programs_dir())
"""The folder of pg_dump and pg_restore; by default those of the embedded server."""
DRILL_DATABASE_URL = env.str("DRILL_DATABASE_URL", default="")
"""A server for the scratch databases of restore drills; without one, the servers of the databases themselves."""

# --- audit log --------------------------------------------------------------------------------------------------

AUDIT_SINKS = choices("AUDIT_SINKS", default=("files",), among=("files", "s3"))
"""Where checkpoints go besides the database."""
AUDIT_FILES_DIR = Path(env.str("AUDIT_FILES_DIR", default=str(VAR_DIR / "checkpoints")))
AUDIT_S3_BUCKET = env.str("AUDIT_S3_BUCKET", default="")
AUDIT_S3_PREFIX = env.str("AUDIT_S3_PREFIX", default="checkpoints")
AUDIT_S3_ENDPOINT = env.str("AUDIT_S3_ENDPOINT", default="")
AUDIT_S3_DAYS = integer("AUDIT_S3_DAYS", default=2557, least=1, most=36_500)
"""For how long each checkpoint is locked there: seven years."""
if "s3" in AUDIT_SINKS and not AUDIT_S3_BUCKET:
    raise ImproperlyConfigured("AUDIT_SINKS names s3, which needs AUDIT_S3_BUCKET: a bucket made with object lock.")

# --- what subject requests leave behind --------------------------------------------------------------------------

EXPORTS_DIR = VAR_DIR / "exports"
"""Where exports lie, each encrypted under the key of the person whom it is about."""

# --- what is sent to people and programs ------------------------------------------------------------------------

EMAIL = env.email_url("EMAIL_URL", default="consolemail://")
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = EMAIL["EMAIL_HOST"], EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_USER"], EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_TLS", False), EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="portcullis@localhost")
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
"""Where people reach the admin, for the links in mails; without it mails have none."""
SIEM_INSIDE = env.bool("SIEM_INSIDE", default=False)
"""Whether the audit log may be delivered without TLS, and to addresses that are not public: a SIEM next door."""
WEBHOOKS_INSIDE = env.bool("WEBHOOKS_INSIDE", default=False)
"""Whether webhooks may go to http and to addresses that are not public: for tests, and for receivers next door."""

# --- scheduled tasks --------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")

# --- logs -------------------------------------------------------------------------------------------------------

LOG_LEVEL = choice("LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL}
