"""The settings that all trainers of models on disk have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from agentr_core import PluginConfig


class TrainingSettings(PluginConfig):
    """How the weights of a model are changed. The defaults are for a model of a few million parameters on a CPU."""

    learning_rate: float = Field(default=3e-4, gt=0.0, description="peak learning rate of AdamW")
    epochs: tuple[float, ...] = Field(default=(2.0,), min_length=1, description="by iteration; the last one repeats")
    trained_tokens: int | None = Field(
        default=None,
        ge=1,
        description="in place of epochs: about so many tokens that carry loss, rows as often or as seldom as it takes",
    )
    batch_size: int = Field(default=16, ge=1, description="rows in one step, of all processes")
    accumulate: int = Field(default=1, ge=1, description="steps whose gradients are added up before an update")
    max_length: int = Field(default=1024, ge=16, description="tokens of a row at the most; longer ones are left out")
    schedule: Literal["cosine", "linear", "constant"] = Field(default="cosine", description="of the learning rate")
    warmup_ratio: float = Field(default=0.05, ge=0.0, lt=1.0, description="share of the steps with a rising rate")
    weight_decay: float = Field(default=0.0, ge=0.0, description="of AdamW")
    clip: float = Field(default=1.0, gt=0.0, description="largest norm of the gradient")
    group_by_length: bool = Field(default=True, description="batch rows of like length: less padding")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="arithmetic; auto is bf16 where the hardware has it"
    )
    weights: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16 halves the memory of weights and optimizer, and loses small updates"
    )
    lora: bool = Field(default=False, description="train low-rank adapters, merged into the weights at the end")
    lora_rank: int = Field(default=16, ge=1, description="rank of the adapters")
    lora_alpha: int = Field(default=32, ge=1, description="scale of the adapters")
    gradient_checkpointing: bool = Field(default=False, description="compute activations twice to save memory")
    save_steps: int = Field(default=50, ge=1, description="steps between checkpoints that a killed run goes on from")
    template_options: dict[str, Any] = Field(
        default_factory=dict, description="values for the chat template; in a run leave it empty: the policy's are used"
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        default="auto",
        description="processes that share out each step; auto is one for each GPU, as far as they divide batch_size. "
        "Changes no result",
    )
    sharding: Literal["ddp", "fsdp2", "zero3"] = Field(
        default="ddp",
        description="of several processes: each holds the whole model (ddp), or a part of it (fsdp2; zero3 of "
        "DeepSpeed). Changes no result",
    )
    accelerate: str | None = Field(
        default=None, description="your own file of accelerate config, in place of sharding. Changes no result"
    )
    log_steps: int = Field(default=1, ge=1, description="steps between reported metrics")

    @field_validator("epochs", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @field_validator("epochs")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(epochs > 0 for epochs in value):
            raise ValueError("must be more than 0 in each iteration")
        return value

    def epochs_at(self, iteration: int) -> float:
        """Epochs of a 1-based iteration."""
        return self.epochs[min(iteration, len(self.epochs)) - 1]
