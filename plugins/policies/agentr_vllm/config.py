"""Configuration of the vLLM policy. Light: neither torch nor vllm is imported here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from agentr_core import PluginConfig

#: What the policy says itself; ``engine`` may not say it again.
OWN_ARGUMENTS = frozenset(
    {"model", "dtype", "max_model_len", "max_num_seqs", "tensor_parallel_size", "enable_lora", "logprobs_mode"}
)


class VLLMConfig(PluginConfig):
    """Which model answers, how much memory its engine may take, and how it computes."""

    model: str = Field("smollm2-135m", min_length=1, description="a short name, a model folder, or a hub id")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="arithmetic; 'auto' is float32 on a CPU and that of the model's files on a GPU"
    )
    context_length: int | None = Field(None, ge=2, description="tokens of prompt and completion (default: the model's)")
    kv_cache_mb: int | None = Field(
        None,
        ge=1,
        description="an engine's memory for keys and values, in MB (default: 2048; on a GPU by gpu_memory_utilization)",
    )
    gpu_memory_utilization: float = Field(
        0.9, gt=0.0, le=1.0, description="share of a GPU's memory that weights, keys and values may take"
    )
    max_num_seqs: int = Field(256, ge=1, description="completions computed at a time")
    block_size: int | None = Field(
        None, ge=1, description="tokens that are cached together (default: 32; on a GPU vLLM's own choice)"
    )
    enforce_eager: bool | None = Field(
        None, description="do not compile the model; compiling takes minutes on a CPU (default: true; on a GPU false)"
    )
    engines: Literal["auto"] | int = Field(
        "auto",
        description="how many engines answer, each with a copy of the model; 'auto' is one for each GPU that can be "
        "used, or for each tensor_parallel_size of them, and one without GPUs",
    )
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share one copy of the model")
    threads: int | None = Field(
        None, ge=1, description="CPU threads of an engine (default: all cores, shared out among the engines)"
    )
    lora: bool = Field(
        False, description="serve adapters of the trainer over their base model, whose engine then runs on between them"
    )
    lora_rank: int = Field(64, ge=1, description="the largest rank of an adapter, with lora")
    restarts: int = Field(3, ge=0, description="how often a request is asked again after its engine died")
    template_options: dict[str, Any] = Field(
        default_factory=dict,
        description="values for the chat template, e.g. enable_thinking=false, for training too; and "
        "reasoning='strip', 'keep' (<think> blocks of earlier turns stay in the prompt) or 'off', date='2024-07-26'",
    )
    trust_remote_code: bool = Field(False, description="run code that comes with a hub model")
    engine: dict[str, Any] = Field(default_factory=dict, description="further arguments of vLLM's AsyncEngineArgs")

    @field_validator("engines")
    @classmethod
    def _at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be 'auto' or at least 1")
        return value

    @field_validator("engine")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(OWN_ARGUMENTS & value.keys()):
            raise ValueError(f"may not hold {', '.join(taken)}: the policy sets that by settings of its own")
        return value
