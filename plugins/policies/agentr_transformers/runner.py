"""One forward pass of a causal language model with attention over a :class:`~agentr_transformers.kv.Slab`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agentr_core import PolicyFailure, UsageError
from agentr_transformers.graphs import Graphs
from agentr_transformers.kv import Layout, Slab
from agentr_transformers.runtime import torch, transformers
from agentr_transformers.threads import Threads


class Runner:
    """A loaded model: its forward pass, the masks it takes, and what it keeps for each token.

    Masks are built here from the positions of columns, so prompts of different lengths, gaps between a cached prefix
    and what is new, and sliding windows are one rule. ``context``: tokens that a row has at the most (None: any
    number). ``interrupted`` is asked before each pass.
    """

    def __init__(self, model: Any, context: int | None = None, interrupted: Callable[[], bool] = lambda: False) -> None:
        self._model, self._interrupted = model, interrupted
        self._last = None if context is None else context - 1
        #: The model's configuration, and where it is.
        self.config = model.config
        self.device: torch.device = model.device
        self._cache = _cache_argument(model)
        self._threads = Threads(model)
        #: Where a step can be recorded.
        self.graphs = Graphs(self.device) if self.device.type == "cuda" else None
        self._window, self._mixed = _sliding(model.config.get_text_config())
        try:
            self.layouts, self._like, self.vocabulary = _probe(model)
        except torch.OutOfMemoryError:
            raise
        except Exception as cause:  # models without attention raise whatever comes of a cache that is not theirs
            raise unservable(model.config, _OTHER_STATES) from cause

    @property
    def token_bytes(self) -> int:
        """Memory of one token's keys and values."""
        numbers = sum(layout.heads * (layout.key_dim + layout.value_dim) for layout in self.layouts)
        return numbers * self._like.element_size()

    @property
    def windowed(self) -> bool:
        """True where a column is out of sight again once it is far enough behind."""
        return self._window is not None

    def slab(self, rows: int, columns: int, length: int = 0) -> Slab:
        """Room for ``rows`` of ``columns``, of which ``length`` are in use."""
        return Slab(self.layouts, rows, columns, length, self._like)

    @property
    def like(self) -> torch.Tensor:
        """An empty tensor of the model's device and arithmetic."""
        return self._like

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, mask: Any, slab: Slab, keep: int = 1) -> torch.Tensor:
        """Logits [R, keep, vocabulary] after the last of ``ids`` [R, S] at ``positions`` [R, S] (-1: padding).

        A row that has ended counts on until it is dropped; its position stays at the last one there is.
        """
        self.check()
        with self._threads.for_tokens(ids.numel()):
            output = self._model(
                input_ids=ids,
                position_ids=positions.clamp(0, self._last),
                attention_mask=mask,
                use_cache=True,
                logits_to_keep=keep,
                **{self._cache: slab.cache},
            )
        logits: torch.Tensor = output.logits
        return logits

    def check(self) -> None:
        """:class:`~agentr_core.PolicyFailure` where the policy is being closed."""
        if self._interrupted():
            raise PolicyFailure("the model was stopped in the middle of an answer")

    def logprobs(self, prompt: list[int], completion: list[int]) -> list[float]:
        """The log-probability of each token of ``completion`` after ``prompt``, in one pass without a cache."""
        ids = torch.tensor([[*prompt, *completion]], device=self.device)
        output = self._model(input_ids=ids, use_cache=False, logits_to_keep=len(completion) + 1)
        logprobs = output.logits[0, :-1].float().log_softmax(-1)
        return [float(value) for value in logprobs.gather(1, ids[0, len(prompt) :, None])[:, 0]]

    def alone(self, ids: Sequence[int], copies: int = 1) -> torch.Tensor:
        """The logits [vocabulary] after ``ids`` as the model itself computes them: no cache, mask or positions of ours.

        With more ``copies`` in the pass they differ by no more than rounding.
        """
        output = self._model(input_ids=torch.tensor([list(ids)] * copies, device=self.device), use_cache=False)
        last: torch.Tensor = output.logits[0, -1].float()
        return last

    def mask(self, queries: torch.Tensor, keys: torch.Tensor) -> Any:
        """What columns at positions ``keys`` [R, T] each of ``queries`` [R, S] sees: 0 or the smallest number.

        [R, 1, S, T]; by kind of layer where the model mixes kinds. Padding sees only padding: no row is empty.
        """
        query, key = queries[:, :, None], keys[:, None, :]
        visible = (key <= query) & ((key < 0) == (query < 0))
        if self._window is None:
            return self.additive(visible)
        near = self.additive(visible & (query - key < self._window))
        return {"full_attention": self.additive(visible), "sliding_attention": near} if self._mixed else near

    def additive(self, visible: torch.Tensor) -> torch.Tensor:
        """The mask for ``visible`` [R, S, T]: 0 where it is true, else the smallest number; [R, 1, S, T]."""
        mask = torch.zeros_like(visible, dtype=self._like.dtype)
        return mask.masked_fill_(~visible, torch.finfo(self._like.dtype).min)[:, None]


def _sliding(config: Any) -> tuple[int | None, bool]:
    """The window of sliding attention (None: there is none), and whether other layers see everything."""
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {"full_attention", "sliding_attention"}:
        raise unservable(config, _OTHER_STATES)
    window = getattr(config, "sliding_window", None)
    if kinds:
        return (window, True) if "sliding_attention" in kinds else (None, False)
    return window, False


_OTHER_STATES = "it keeps other states than keys and values"


def unservable(config: Any, reason: str) -> UsageError:
    """The one sentence for a model that loads and yet cannot be answered for."""
    return UsageError(
        f"the transformers policy does not serve models of type '{config.model_type}' ({reason}); use another model, "
        "or let a server answer for this one (--policy openai)"
    )


def _cache_argument(model: Any) -> str:
    """What the model calls its cache: transformers renames ``past_key_values`` to ``cache``, model by model."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


@torch.inference_mode()
def _probe(model: Any) -> tuple[list[Layout], torch.Tensor, int]:
    """What each layer keeps, an empty tensor of its kind, and the size of the vocabulary: seen by one small pass."""
    cache = transformers.DynamicCache()
    ids = torch.zeros((1, 2), dtype=torch.long, device=model.device)
    logits = model(input_ids=ids, use_cache=True, **{_cache_argument(model): cache}).logits
    layers = [(layer.keys, layer.values) for layer in cache.layers]
    layouts = [Layout(keys.shape[1], keys.shape[3], values.shape[3]) for keys, values in layers]
    return layouts, layers[0][0].new_empty(0), logits.shape[-1]
