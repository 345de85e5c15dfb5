"""Django settings. Everything that differs between machines comes from environment variables (docs/configure.md)."""

from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF

from novaops.env import env_bool, env_int, env_list, env_secret, env_str

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = False
SECRET_KEY = env_secret("NOVAOPS_SECRET_KEY")
SECRET_KEY_FALLBACKS = env_list("NOVAOPS_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env_list("NOVAOPS_HOSTS")
# Where people reach NovaOps: what links in messages begin with.
OWN_URL = env_str("NOVAOPS_URL", f"https://{ALLOWED_HOSTS[0] if ALLOWED_HOSTS else 'localhost'}").rstrip("/")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

# The declared environments of Nova, and the control address of a sandbox where there is one.
NOVA_TOML = Path(env_str("NOVAOPS_NOVA_TOML", str(BASE_DIR / "nova.toml")))
SANDBOX_URL = env_str("NOVAOPS_SANDBOX_URL", "")
POSTMORTEM_ROOT = Path(env_str("NOVAOPS_POSTMORTEM_ROOT", str(BASE_DIR)))
# Instead of AWS, who has the certificates that SNS signs with: of a sandbox only.
SNS_CERTIFICATES = env_str("NOVAOPS_SNS_CERTIFICATES", "") if SANDBOX_URL else ""
# So many verified deliveries a minute each web process takes from one source before it asks for patience.
HOOKS_A_MINUTE = env_int("NOVAOPS_HOOKS_A_MINUTE", 60000, minimum=1)
# The sandbox runs on plain HTTP on the loopback address; everywhere else only HTTPS is spoken.
HTTPS = not SANDBOX_URL

INSTALLED_APPS = [
    "novaops.access",
    "novaops.audit",
    "novaops.outbox",
    "novaops.runbook",
    "dashboard",
    "incidents",
    "backups",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "template_partials",
    *(["novaops.sandbox"] if SANDBOX_URL else []),
]

MIDDLEWARE = [
    "novaops.live.quick",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "novaops.access.middleware.headers",
    "dashboard.health.alive",
    "novaops.access.middleware.newer_session",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "novaops.access.middleware.storable",
    "novaops.access.middleware.idle_sessions",
    "novaops.access.middleware.htmx_redirects",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "novaops.access.factors.lead_to_enrolment",
]

ROOT_URLCONF = "novaops.urls"
WSGI_APPLICATION = "novaops.wsgi.application"
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
                "dashboard.context_processors.bar",
            ],
            "builtins": ["dashboard.templatetags.nova", "template_partials.templatetags.partials"],
        },
    }
]

DATABASES = {
    "default": {
        **dj_database_url.parse(env_str("DATABASE_URL")),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "options": "-c statement_timeout=15s -c idle_in_transaction_session_timeout=60s -c lock_timeout=10s",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env_str("REDIS_URL")
REDIS_TIMEOUTS = {"socket_timeout": 1, "socket_connect_timeout": 1}
CACHES = {
    "default": {
        "BACKEND": "novaops.live.Cache",
        "LOCATION": REDIS_URL,
        "OPTIONS": REDIS_TIMEOUTS,
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# Sign-in (SECURITY: local accounts, argon2, no self-registration).
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "novaops.access.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("NOVAOPS_PROXY_COUNT", 0 if SANDBOX_URL else 1)

# A second factor: an authenticator app, security keys and passkeys; recovery codes for the day both are lost.
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ADAPTER = "novaops.access.factors.Adapter"
MFA_FORMS = {
    "add_webauthn": "novaops.access.key_forms.AddKeyForm",
    "authenticate_webauthn": "novaops.access.key_forms.SignInKeyForm",
    "reauthenticate_webauthn": "novaops.access.key_forms.ConfirmKeyForm",
}
MFA_TOTP_ISSUER = "NovaOps"
# One step of 30 s either way: RFC 6238, section 5.2 allows for clocks that drift.
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
# Whoever may change anything needs one before anything else; the sandbox's accounts have their password only.
FACTOR_REQUIRED = env_bool("NOVAOPS_REQUIRE_FACTOR", HTTPS)

# Sessions end after two hours without use and twelve hours in any case (ASVS 7.3.1, 7.3.2).
SESSION_IDLE_S = 2 * 3600
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME = "__Host-nova_s" if HTTPS else "nova_s"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-nova_c" if HTTPS else "nova_c"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"

SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        "report-uri": "/csp-report",
        **({"upgrade-insecure-requests": True} if HTTPS else {}),
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env_str("NOVAOPS_STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "novaops.bundles.BundleFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Pages ask for hashed names only: what is kept twice is compressed twice.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Celery as RELIABILITY measured it: early acknowledgement, no results, short socket timeouts, one task at a time.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {**REDIS_TIMEOUTS, "health_check_interval": 10}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TASK_SOFT_TIME_LIMIT = 25
CELERY_TASK_TIME_LIMIT = 35
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 25
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ROUTES = {"novaops.runbook.tasks.*": {"queue": "runs"}, "*": {"queue": "watch"}}
# Longer than a task may take (CELERY_TASK_TIME_LIMIT), so that a living worker never loses its lease.
RUN_LEASE_S = env_int("NOVAOPS_RUN_LEASE_S", 40, minimum=1)
SWEEP_EVERY_S = env_int("NOVAOPS_SWEEP_EVERY_S", 5, minimum=1)
# Where NovaOps says once a minute that all of it lives, so that somebody outside hears when it does not.
WATCHMAN_URL = env_str("NOVAOPS_WATCHMAN_URL", "")
# So many requests a minute a token makes before it is told to wait.
API_REQUESTS_A_MINUTE = env_int("NOVAOPS_API_REQUESTS_A_MINUTE", 300, minimum=1)
# A message that nobody took in time is worth nothing: the next one asks the same.
CELERY_BEAT_SCHEDULE = {
    "sweep-runs": {
        "task": "novaops.runbook.tasks.sweep",
        "schedule": SWEEP_EVERY_S,
        "options": {"expires": SWEEP_EVERY_S},
    },
    "sweep-messages": {
        "task": "novaops.outbox.tasks.sweep",
        "schedule": SWEEP_EVERY_S,
        "options": {"expires": SWEEP_EVERY_S},
    },
    "collect": {"task": "dashboard.tasks.collect_due", "schedule": 1.0, "options": {"expires": 2}},
    "watch-rounds": {"task": "dashboard.tasks.watch_rounds", "schedule": 5.0, "options": {"expires": 5}},
    "pulse": {
        "task": "dashboard.tasks.pulse",
        "schedule": 10.0,
        "kwargs": {"beat": True},
        "options": {"expires": 30},
    },
    "tell-watchman": {"task": "dashboard.tasks.tell_watchman", "schedule": 60.0, "options": {"expires": 30}},
    "collect-backups": {"task": "backups.tasks.collect_due", "schedule": 2.0, "options": {"expires": 4}},
    "read-inbox": {"task": "dashboard.tasks.read_inbox", "schedule": 1.0, "options": {"expires": 2}},
    "tell-unmuted": {"task": "dashboard.tasks.tell_unmuted", "schedule": 15.0, "options": {"expires": 15}},
    "poll-queues": {"task": "dashboard.tasks.poll_queues", "schedule": 2.0, "options": {"expires": 4}},
    "forget-old": {"task": "dashboard.tasks.forget_old", "schedule": 600.0, "options": {"expires": 600}},
    "start-drills": {"task": "backups.tasks.start_drills", "schedule": 3600.0, "options": {"expires": 600}},
    "publish-head": {"task": "novaops.runbook.tasks.publish_head", "schedule": 3600.0, "options": {"expires": 600}},
    "remind-updates": {"task": "incidents.tasks.remind_updates", "schedule": 30.0, "options": {"expires": 30}},
    "keep-postmortems": {"task": "incidents.tasks.keep_postmortems", "schedule": 60.0, "options": {"expires": 60}},
    "attach-logs": {"task": "incidents.tasks.attach_logs", "schedule": 15.0, "options": {"expires": 15}},
    "fold-words": {"task": "incidents.tasks.fold_words", "schedule": 10.0, "options": {"expires": 10}},
    "roll-up": {"task": "dashboard.tasks.roll_up", "schedule": 60.0, "options": {"expires": 60}},
    "keep-samples": {"task": "dashboard.tasks.keep_samples", "schedule": 3600.0, "options": {"expires": 600}},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("NOVAOPS_LOG_LEVEL", "INFO")},
    "loggers": {
        # What these meet is in the message's row.
        **{name: {"level": "CRITICAL"} for name in ("httpx2", "pagerduty", "slack_sdk")},
        # At DEBUG it would log what it sends, secrets in it.
        "botocore": {"level": "INFO"},
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
