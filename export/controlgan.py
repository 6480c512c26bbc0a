"""ControlGAN's bundle: AttnGAN's graphs; the attentions are those of places, not of channels."""

from t2i.export import attngan

plans = attngan.plans
host = attngan.host
