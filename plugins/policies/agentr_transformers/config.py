"""Configuration of the transformers policy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentr_core import PluginConfig


class TransformersConfig(PluginConfig):
    """Which model answers, where it runs, and how much memory it may take."""

    model: str = Field("tiny", description="'tiny', 'smollm2-135m', a model folder, or a hub id")
    device: str = Field("auto", description="'auto' (a GPU where there is one), 'cpu', 'cuda', 'cuda:1'")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="arithmetic; 'auto' is float32 on a CPU and bfloat16 on a GPU"
    )
    attention: Literal["auto", "sdpa", "eager"] = Field(
        "auto", description="attention implementation; 'auto' is sdpa, or eager where the model has no other"
    )
    threads: int | None = Field(None, ge=1, description="CPU threads of the model (default: torch's own choice)")
    max_rows: int = Field(256, ge=1, description="completions computed at a time")
    batch_mb: int | None = Field(
        None, ge=1, description="memory for keys and values of one batch, in MB (default: 2048; half of a GPU's free)"
    )
    prefill_tokens: int = Field(8192, ge=1, description="prompt tokens computed in one forward pass")
    prefix_cache_mb: int | None = Field(
        None,
        ge=0,
        description="memory for keys and values of earlier prompts, in MB; 0 computes every prompt whole "
        "(default: a quarter of the main memory that is free; an eighth of a GPU's)",
    )
    static_cache: bool | None = Field(
        None,
        description="decode over buffers of a fixed size; on a GPU a step is then recorded once and replayed as a CUDA "
        "graph (default: on a GPU); never with sliding windows",
    )
    context_length: int | None = Field(None, ge=2, description="tokens of prompt and completion (default: the model's)")
    template_options: dict[str, Any] = Field(
        default_factory=dict,
        description="values for the chat template, e.g. enable_thinking=false, for training too; and "
        "reasoning='strip', 'keep' (<think> blocks of earlier turns stay in the prompt) or 'off', date='2024-07-26'",
    )
    trust_remote_code: bool = Field(False, description="run code that comes with a hub model")
