"""CLIP score: how near pictures are to their own captions."""

from collections.abc import Sequence

import numpy as np

from t2i.runtime.errors import ScoreError
from t2i.runtime.score.protocol import Value
from t2i.runtime.score.retrieval import cosines
from t2i.runtime.score.sets import Captions, Setting
from t2i.runtime.sessions import Arrays


class ClipScore:
    """Compares each picture with its own caption."""

    outputs = ("code",)
    ranked_by = "how near it lies to its own caption"

    def __init__(self, setting: Setting) -> None:
        """Reads all captions.

        Raises:
            ScoreError: pictures have no captions, or the extractor reads none.
        """
        captions = setting.source.captions
        if not captions:
            raise ScoreError(
                f"clip needs the captions of the pictures, and {setting.source.name} has none",
                hint="score what `t2i-run --captions FILE` wrote, draw with --model, or tell the "
                'captions in a metadata.jsonl: {"file_name": "1.png", "text": "a red bird"}',
            )
        setting.extractor.require(*self.outputs)
        texts = {text: place for place, text in enumerate({each.text: 0 for each in captions})}
        self.places = [texts[caption.text] for caption in captions]
        self.sentences = setting.extractor.sentences(list(texts))
        self.scores: list[float] = []

    def see(self, captions: Captions, seen: Arrays) -> None:
        for place, code in zip(captions, seen["code"], strict=True):
            assert place is not None, "its source has captions"
            own = self.sentences[self.places[place]]
            self.scores.append(100 * max(0.0, float(cosines(code[None], own[None])[0, 0])))

    def by_picture(self) -> Sequence[float]:
        return self.scores

    def value(self) -> Value:
        return Value(
            float(np.mean(self.scores)),
            float(np.std(self.scores)) if len(self.scores) > 1 else None,
            reference="the pictures' own captions",
            options={"captions": len(self.sentences), "prompt": ""},
        )
