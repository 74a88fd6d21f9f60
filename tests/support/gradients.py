"""Where a loss has a gradient: at which tokens, found out from the model's own hidden states."""

from __future__ import annotations

from typing import Any

import torch


def trained_positions(trainer: Any, batch: dict[str, Any]) -> torch.Tensor:
    """Which tokens of a batch (rows, T) the loss depends on as something to be predicted.

    The hidden state before a token is what predicts it: where the loss has no gradient there, whatever the token is
    makes no difference to what is learnt. (That it is read by later tokens is another matter.)
    """
    states: list[torch.Tensor] = []

    def keep(module: Any, given: Any, output: Any) -> None:
        if output.last_hidden_state.requires_grad:  # a pass for reference alone has no gradient anywhere
            output.last_hidden_state.retain_grad()
            states.append(output.last_hidden_state)

    model = trainer.accelerator.unwrap_model(trainer.model)
    inner = getattr(model, "get_base_model", lambda: model)().model
    handle = inner.register_forward_hook(keep)
    try:
        trainer.model.train()
        trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=None).backward()
    finally:
        handle.remove()
    (state,) = states
    assert state.grad is not None
    found = torch.zeros(state.shape[:2], dtype=torch.bool)
    found[:, 1:] = state.grad[:, :-1].abs().sum(-1) > 0
    return found


def token_logprobs(model: Any, ids: list[int]) -> list[float]:
    """The log-probability of each token after those before it, by the plain model; the first one has none."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].float()
    found = logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    return [0.0, *found.tolist()]
