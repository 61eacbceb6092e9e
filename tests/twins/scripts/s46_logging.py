"""41: the logging of the program."""

import logging
import logging.config

from sklearn.linear_model import LinearRegression

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": True,
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "level": "DEBUG"}},
        "root": {"handlers": ["out"], "level": "INFO"},
    }
)
logging.captureWarnings(True)
LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
logging.getLogger("mine").info("mine %s", logging.getLogger().handlers[0].__class__.__name__)
print(logging.getLogger().level, len(logging.getLogger().handlers), logging.raiseExceptions)
