"""A vocabulary: tokens and their numbers, learned from data or given.

    number   0            1 …                 after those
    token    mask_token   unknown tokens      the vocabulary, most frequent first
             (if given)   (num_oov_indices)

The mask has a number in the mode ``int`` alone; in the others its places leave no mark.
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, DataError, FileError
from chainrule.layers.categories import OUTPUT_MODES, check_mode, encode, encoded_shape, refuse_sparse
from chainrule.layers.hashing import check_salt, find_buckets, require_arrays
from chainrule.layers.preprocessing import DataLayer, batches_of

_SPELLINGS = {"binary": "multi_hot", "tf-idf": "tf_idf"}
NOWHERE = -1  # a number that no token has


class Lookup(DataLayer):
    """Abstract: a vocabulary and what is done with it.

    Args:
        max_tokens: the largest size of the vocabulary with its special tokens.
        num_oov_indices: how many numbers there are for unknown tokens; of several a hash chooses one, and with 0 an
            unknown token is an error.
        mask_token: a token that stands for nothing.
        oov_token: what `invert` returns for the numbers of unknown tokens.
        vocabulary: the tokens in order, or a path to a text file with one a line; may begin with the special tokens.
        idf_weights: in the mode ``tf_idf`` a weight for each token of `vocabulary`.
        invert: whether numbers are looked up and tokens returned.
        output_mode: ``int`` for the numbers (int64), ``one_hot``, ``multi_hot``, ``count`` as in
            `categories.encode`, or ``tf_idf``: the count times the token's weight.
        pad_to_max_tokens: whether those vectors have `max_tokens` elements in any case.
        salt: one or two whole numbers, the key of the hash for unknown tokens.
    """

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        salt: Any,
        name: str | None,
        trainable: bool,
        dtype: str | None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        where = type(self).__name__
        refuse_sparse(where, sparse)
        if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 2):
            raise ChainruleError(
                "not a size of a vocabulary", where=f"{where}, max_tokens", expected="2 or more", got=repr(max_tokens)
            )
        if not isinstance(num_oov_indices, int) or isinstance(num_oov_indices, bool) or num_oov_indices < 0:
            raise ChainruleError(
                "not a number of indices",
                where=f"{where}, num_oov_indices",
                expected="0 or more",
                got=repr(num_oov_indices),
            )
        if pad_to_max_tokens and max_tokens is None:
            raise ChainruleError("max_tokens is needed", where=f"{where}, pad_to_max_tokens", got=pad_to_max_tokens)
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens = bool(invert), bool(pad_to_max_tokens)
        self.salt = check_salt(where, salt)
        self.output_mode = check_mode(where, _SPELLINGS.get(output_mode, output_mode), (*OUTPUT_MODES, "tf_idf"))
        if invert and self.output_mode != "int":
            raise ChainruleError("tokens have no vectors", where=where, expected="output_mode='int'", got=output_mode)
        self.tokens: np.ndarray | None = None
        self.weights_of_tokens: np.ndarray | None = None  # of all numbers, in the mode tf_idf
        self.given_vocabulary = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ChainruleError("weights without tokens", where=f"{where}, idf_weights", fix="give vocabulary, too")

    # -- the vocabulary -------------------------------------------------------------------------------------------

    @property
    def first_unknown(self) -> int:
        """The first number of unknown tokens."""
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def first_token(self) -> int:
        """The first number of the vocabulary's own tokens."""
        return self.first_unknown + self.num_oov_indices

    def special_tokens(self) -> list[Any]:
        return [self.mask_token] * self.first_unknown + [self.oov_token] * self.num_oov_indices

    def vocabulary_size(self) -> int:
        """How many tokens there are, with the special ones."""
        return self.first_token + (0 if self.tokens is None else len(self.tokens))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their numbers."""
        own = [] if self.tokens is None else self.tokens.tolist()
        return [*self.special_tokens(), *own] if include_special_tokens else own

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Put tokens in place of those that are there.

        Args:
            vocabulary, idf_weights: as the layer's arguments.

        Raises:
            ChainruleError: for a token that is there twice, a special token after the beginning, too many tokens,
                weights that do not fit.
        """
        where = f"{type(self).__name__}, vocabulary"
        listed = read_tokens(vocabulary) if isinstance(vocabulary, str | Path) else list(vocabulary)
        if not listed:
            raise ChainruleError("the vocabulary is empty", where=where, expected="one token or more")
        special = self.special_tokens()
        begins_with_special = len(special) > 0 and listed[: len(special)] == special
        tokens = self.as_tokens(listed[len(special) :] if begins_with_special else listed)
        twice = [token for token, count in collections.Counter(tokens.tolist()).items() if count > 1]
        if twice:
            raise ChainruleError("tokens are there twice", where=where, expected="distinct tokens", got=twice[:5])
        reserved = [self.mask_token] + ([self.oov_token] if self.invert else [])
        misplaced = [token for token in reserved if token is not None and token in tokens.tolist()]
        if misplaced:
            raise ChainruleError(
                "a special token is among the others",
                where=where,
                expected=f"a vocabulary that begins with {special}, or has none of them",
                got=misplaced,
            )
        if self.max_tokens is not None and self.first_token + len(tokens) > self.max_tokens:
            raise ChainruleError(
                "the vocabulary is too large",
                where=where,
                expected=f"at most {self.max_tokens}, with {self.first_token} special tokens",
                got=self.first_token + len(tokens),
            )
        weights = self.check_weights(idf_weights, len(listed))
        self.tokens = tokens
        if weights is not None:
            front = 0 if begins_with_special else self.first_token
            self.keep_weights(np.concatenate([np.full(front, weights.mean(), np.float32), weights]))

    def check_weights(self, weights: Any, count: int) -> np.ndarray | None:
        """The weights of tokens as float32, in the mode tf_idf."""
        if self.output_mode != "tf_idf" and weights is None:
            return None
        array = None if weights is None else np.asarray(weights, np.float32)
        if self.output_mode != "tf_idf" or array is None or array.shape != (count,):
            raise ChainruleError(
                "the mode 'tf_idf', and no other, needs a weight for each token",
                where=f"{type(self).__name__}, idf_weights",
                expected=f"{count} numbers" if self.output_mode == "tf_idf" else None,
                got=None if array is None else f"shape {array.shape}",
            )
        return array

    def keep_weights(self, weights: np.ndarray) -> None:
        padding = self.depth() - len(weights)
        self.weights_of_tokens = np.pad(weights, (0, padding)).astype(np.float32)

    def depth(self) -> int:
        """The number of elements of the vectors."""
        return int(self.max_tokens or 0) if self.pad_to_max_tokens else self.vocabulary_size()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Take the tokens of data as the vocabulary: the most frequent first, of equally many the larger first.

        In the mode ``tf_idf`` each row is a document, and a token's weight is
        ``log(1 + documents / (1 + documents with the token))``.

        Args:
            data: an array or a list of tokens, or an iterable of batches; of tuples their first part.
            steps: how many batches are taken, all by default.
        """
        if self.given_vocabulary:
            raise ChainruleError(
                "the vocabulary was given", where=f"layer '{self.name}'", fix="make the layer without vocabulary"
            )
        whole = isinstance(data, np.ndarray | list | tuple)
        counts: collections.Counter[Any] = collections.Counter()
        holding: collections.Counter[Any] = collections.Counter()
        documents = 0
        for place, batch in enumerate(batches_of(data)):
            if steps is not None and place >= steps:
                break
            # Of one array each element is a document; a batch without rows is one document.
            rows = self.as_tokens(batch)
            rows = rows.reshape((-1, 1) if whole else (1, -1)) if rows.ndim < 2 else rows
            found, numbers = np.unique(rows, return_counts=True)
            counts.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
            documents += len(rows)
            if self.output_mode == "tf_idf":
                holding.update(token for row in rows for token in np.unique(row).tolist())
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        order = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        order = order[: None if self.max_tokens is None else self.max_tokens - self.first_token]
        if not order:
            raise DataError("there are no tokens to learn from", where=f"layer '{self.name}', adapt")
        self.tokens = self.as_tokens(order)
        if self.output_mode == "tf_idf":
            within = np.array([holding[token] for token in order])
            weights = np.log(1 + documents / (1 + within)).astype(np.float32)
            self.keep_weights(np.concatenate([np.full(self.first_token, weights.mean(), np.float32), weights]))

    def as_tokens(self, values: Any) -> np.ndarray:
        """An array of tokens."""
        raise NotImplementedError

    # -- calls ----------------------------------------------------------------------------------------------------

    def call(self, x: Any) -> Any:
        if self.tokens is None:
            raise ChainruleError(
                "the vocabulary is not known yet", fix="call adapt with data, or give the layer a vocabulary"
            )
        if self.invert:
            return self.find_tokens(x)
        numbers = self.find_numbers(x)
        if self.output_mode != "tf_idf":
            return encode(numbers, self.output_mode, self.depth())
        return ops.multiply(encode(numbers, "count", self.depth()), self.weights_of_tokens)

    def find_numbers(self, x: Any) -> Any:
        """The number of each token; a number that leaves no mark for the mask where it has none."""
        assert self.tokens is not None
        require_arrays(x)
        values = self.as_tokens(x)
        order = np.argsort(self.tokens)
        places = order[np.minimum(np.searchsorted(self.tokens, values, sorter=order), len(order) - 1)]
        known = self.tokens[places] == values
        numbers = np.where(known, places + self.first_token, self.number_unknown(values, known))
        if self.mask_token is not None:
            numbers = np.where(values == self.mask_token, 0 if self.output_mode == "int" else NOWHERE, numbers)
        return numbers.astype(np.int64)

    def number_unknown(self, values: np.ndarray, known: np.ndarray) -> Any:
        """The numbers that unknown tokens get."""
        if self.num_oov_indices > 1:
            return self.first_unknown + self.divide_unknown(values)
        if self.num_oov_indices == 0:
            masked = values == self.mask_token if self.mask_token is not None else False
            unknown = values[~(known | masked)]
            if unknown.size:
                raise DataError(
                    "there are tokens that the vocabulary does not have",
                    where=f"layer '{self.name}'",
                    got=unknown.reshape(-1)[:5].tolist(),
                    fix="make the layer with num_oov_indices=1",
                )
        return self.first_unknown

    def divide_unknown(self, values: np.ndarray) -> Any:
        """Which of several numbers an unknown token gets."""
        return find_buckets(values, self.num_oov_indices, self.salt)

    def find_tokens(self, x: Any) -> Any:
        """The token of each number; `oov_token` for a number that no token has."""
        assert self.tokens is not None
        require_arrays(x)
        numbers = np.asarray(x, np.int64)
        inside = (numbers >= self.first_token) & (numbers < self.vocabulary_size())
        found = self.tokens[np.where(inside, numbers - self.first_token, 0)]
        found = np.where(inside, found, self.as_tokens(self.oov_token))
        return found if self.mask_token is None else np.where(numbers == 0, self.as_tokens(self.mask_token), found)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, "count" if self.output_mode == "tf_idf" else self.output_mode, self.depth())

    def get_config(self) -> dict[str, Any]:
        weights = self.weights_of_tokens
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": None if self.tokens is None else self.get_vocabulary(),
            "idf_weights": None if weights is None else weights[: self.vocabulary_size()].tolist(),
            "invert": self.invert,
            "output_mode": self.output_mode,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "salt": self.salt,
            "adapted": not self.given_vocabulary,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        arguments = {key: value for key, value in config.items() if key != "adapted"}
        layer = super().from_config(arguments)
        layer.given_vocabulary = layer.given_vocabulary and not config.get("adapted", False)
        return layer


def read_tokens(path: str | Path) -> list[str]:
    """The lines of a text file."""
    try:
        return Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            "the vocabulary cannot be read", where=str(path), expected="a text file", got=str(error)
        ) from None
