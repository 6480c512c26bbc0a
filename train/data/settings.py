"""Which pictures and captions to train on."""

from dataclasses import dataclass
from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
Traits = Literal["told", "free"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Settings:
    """A data set, as `t2i-train` and `recipe.json` spell it."""

    kind: Literal["birds", "folder", "cub", "classes"]
    """Drawn birds, a folder in the imagefolder layout, the files of CUB-200-2011, or a folder of
    folders of pictures, one a class."""
    folder: str | None = None
    """Where the pictures lie; drawn birds need none."""
    condition: Literal["caption", "class", "vector"] = "caption"
    """What decides a picture: a caption, the name of its class (a drawn bird's is its colour), or
    the vector of a caption that was made elsewhere."""
    embeddings: str | None = None
    """File of these vectors, keyed by caption: .npz or .hdf5."""
    labels: bool = False
    """Every picture must have a class, of two or more."""
    px: tuple[int, ...] = (64, 128, 256)
    """Sides of the pictures in a batch, smallest first."""
    words: int = 18
    """Longest caption; of a longer one so many words are picked at random, in their order."""
    characters: int | None = None
    """Captions are read letter by letter, and cut after so many; None = word by word."""
    tokens: int | None = None
    """Captions are read as byte pairs, and cut after so many tokens, their beginning and their end
    included; None = word by word."""
    pairs: int = 49_408
    """How many ids byte pairs have at most; they are learnt from the captions."""
    merges: str | None = None
    """File of byte pairs to take instead: CLIP's `bpe_simple_vocab_16e6.txt.gz`."""
    vocabulary: str | None = None
    """File to read captions by, a `tokenizer.json`, in place of what the captions themselves say:
    words that it lacks are unknown."""
    count: int = 8000
    """How many drawn birds make an epoch."""
    facing: Literal["both", "right"] = "both"
    """`right`: every drawn bird looks right, and turning it is the last step at run time."""
    traits: Traits = "told"
    """What drawn birds are like: as often as captions tell it, or free of each other."""
    captions_fraction: float = 1.0
    """Share of the pictures whose captions are known. The rest, among which a folder may have
    pictures without any, is only looked at."""
    unpaired: bool = False
    """With each batch come as many pictures of the whole, with or without captions, by themselves.
    """
    retold: bool = False
    """With each picture comes another of its captions; a drawn bird is told in other words."""
    further: int = 0
    """Drawn birds: captions of yet other birds that come with each picture, without theirs."""
    crop: bool = True
    """Photographs: a random window out of a picture 76/64 as large, mirrored every other time.
    Otherwise the square in its middle."""
    min_word_count: int = 1
    """Words that are rarer in the captions of a folder are unknown."""
    seed: int = 0
    """Which drawn birds."""
