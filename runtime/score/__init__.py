"""How well pictures are drawn, in numbers that carry their protocol.

>>> t2i.score.psnr("a.png", "b.png"), t2i.score.ssim(pixels, others, luma=True)
"""

from t2i.runtime.score.similarity import psnr, ssim, ssim_map

__all__ = ["psnr", "ssim", "ssim_map"]
