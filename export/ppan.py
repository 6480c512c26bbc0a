"""PPAN's bundle: HDGAN's graphs, of which the second draws all levels of the pyramid at once."""

from t2i.export import hdgan

plans = hdgan.plans
host = hdgan.host
