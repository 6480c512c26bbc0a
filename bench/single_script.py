"""What a program does with a single file, and ONNX Runtime alone.

python bench/single_script.py birds.onnx
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1])
caption, seed = np.array(["a red bird"], dtype=object), np.array([0])
(image,) = session.run(["image"], {"caption": caption, "seed": seed})
Image.fromarray(image[0]).save("bird.png")
