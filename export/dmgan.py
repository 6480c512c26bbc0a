"""DM-GAN's bundle: AttnGAN's, whose attentions are the memories' key addressing."""

from t2i.export import attngan

plans = attngan.plans
host = attngan.host
