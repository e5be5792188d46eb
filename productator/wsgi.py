"""The WSGI application that uWSGI and Flask's development server load."""

import gc
import os

from productator.app import create_app
from productator.config import Settings
from productator.errors import ConfigError
from productator.ops import logging, processors, tracing, uwsgi_log

try:
    import uwsgi
except ImportError:  # another server
    uwsgi = None

if uwsgi is not None:
    # Before it starts any other thread.
    processors.keep_to_one(uwsgi.worker_id(), workers=uwsgi.numproc)
    processors.finish_turns()
try:
    settings = Settings.load(os.environ.get("PRODUCTATOR_CONFIG"), os.environ)
    traces = tracing.start(settings.traces_address, service="productator-api")
except ConfigError as error:
    raise SystemExit(f"productator: {error}") from error
logging.configure(settings.log_format, uwsgi_log.application_output())
app = create_app(settings)
if traces is not None:
    app.wsgi_app = traces.traced(app.wsgi_app)  # type: ignore[method-assign]
    traces.watch_statements()
# What is loaded by now stays. Collecting it again delayed some answers by 40 ms.
gc.collect()
gc.freeze()
