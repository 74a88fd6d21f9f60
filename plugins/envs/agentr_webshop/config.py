"""Settings of the ``webshop`` environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentr_core import EnvironmentConfig


class WebShopConfig(EnvironmentConfig):
    """Settings of the ``webshop`` environment."""

    data: str = Field(
        "generated", min_length=1, description="generated (made from a seed) or a folder with WebShop's files"
    )
    products: int = Field(1000, ge=1, le=1_000_000, description="products of the generated catalogue")
    seed: int = Field(0, ge=0, description="seed of the generated catalogue")
    rules: Literal["original", "strict"] = Field(
        "original",
        description="original: WebShop's texts and quirks to the byte; strict: says why an action is refused",
    )
    mode: Literal["text", "text_rich"] = Field(
        "text", description="text: texts joined by [SEP]; text_rich: a line each, marking buttons and what was clicked"
    )
    goals: Literal["synthetic", "human"] = Field(
        "synthetic", description="synthetic: one for each combination of options; human: instructions people wrote"
    )
    price_seed: int = Field(233, ge=0, description="seed of the prices drawn from price ranges")
    goal_seed: int = Field(233, ge=0, description="seed of the price ceilings and of the goals' order (AgentGym: 233)")
    show_attrs: bool = Field(False, description="show a product's attributes behind a button of its page")
    debug_prefixes: bool = Field(
        False, description="take the original's hidden searches: <r>, <c> CATEGORY, <q> WORDS (they leak what to buy)"
    )
    max_steps: int = Field(100, ge=0, description="steps after which an episode is truncated; 0: never")
