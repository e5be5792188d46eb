"""The WSGI application that uWSGI and Flask's development server load."""

import gc
import os

from productator.app import create_app
from productator.config import Settings
from productator.errors import ConfigError
from productator.ops import logging, uwsgi_log

try:
    settings = Settings.load(os.environ.get("PRODUCTATOR_CONFIG"), os.environ)
except ConfigError as error:
    raise SystemExit(f"productator: {error}") from error
logging.configure(settings.log_format, uwsgi_log.application_output())
app = create_app(settings)
# What is loaded by now stays. Collecting it again delayed some answers by 40 ms.
gc.collect()
gc.freeze()
