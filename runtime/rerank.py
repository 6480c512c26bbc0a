"""Of many pictures of a caption the ones that match it best.

Source: DALL-E, Ramesh et al. 2021, section 2.6.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from t2i.runtime import terminal
from t2i.runtime.jobs import Drawn
from t2i.runtime.matching import Matcher


def best(drawn: Iterable[Drawn], matcher: Matcher, keep: int) -> Iterator[Drawn]:
    """The `keep` best pictures of each caption, best first; no more of them are ever held.

    Args:
        drawn: the pictures of a caption one after another.
    """
    for _, pictures in groupby(drawn, key=lambda each: each.job.line):
        kept: list[tuple[float, Drawn]] = []
        count, caption = 0, ""
        for each in pictures:
            if not count:
                caption = each.job.caption
                (wanted,) = matcher.captions([caption])
            (code,) = matcher.pictures([each.pixels])
            kept.append((float(code @ wanted), each))
            kept = sorted(kept, key=lambda pair: -pair[0])[:keep]
            count += 1
        cosines = " … ".join(f"{cosine:.3f}" for cosine in dict.fromkeys((kept[0][0], kept[-1][0])))
        terminal.say(f"{caption[:60]}: {len(kept)} of {count} kept, cosines {cosines}")
        yield from (each for _, each in kept)
