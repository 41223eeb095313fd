"""Text generation: text that a language model writes after each epoch, to see what its loss means.

T time, V tokens in the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.text import MARKS, spelled
from engine.training.evaluation import evaluating

TOKENS = 160
"""Number of tokens to generate."""

_CONTEXT = 64
"""Most tokens that the network sees of the text so far. With more, generating would cost more than a short epoch."""


class TextGenerator:
    """Generates text with a network, one token after the other.

    Random numbers come from a separate generator that follows from seed and epoch; the run's generator is not used.

    Args:
        temperature: divides the logits before they become probabilities; with 0 the most likely token is chosen.
    """

    def __init__(self, dataset: Dataset, device: str, seed: int, temperature: float) -> None:
        self.vocabulary = dataset.vocabulary
        self.device = device
        self.seed = seed
        self.temperature = temperature
        self.token = dataset.description.token
        first = dataset.validation if len(dataset.validation) else dataset.train
        window: Tensor = dataset.x[first[:1]][0]
        self.begin = window[:_CONTEXT].long().tolist()
        self.longest = dataset.description.input_shape[0]

    def generate(self, network: nn.Module, epoch: int) -> str:
        """Continue the first validation text with `TOKENS` tokens."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**32)
        tokens = list(self.begin)
        with evaluating(network):
            for _ in range(TOKENS):
                seen = torch.tensor([tokens[-min(_CONTEXT, self.longest) :]], device=self.device)
                scores = network(seen)[0, -1].float().cpu()
                scores[: len(MARKS)] = -torch.inf
                tokens.append(self._sample(scores, generator))
        return spelled((self.vocabulary[token] for token in tokens[len(self.begin) :]), self.token)

    def _sample(self, scores: Tensor, generator: torch.Generator) -> int:
        if self.temperature == 0 or not bool(scores[len(MARKS) :].isfinite().all()):
            return int(scores.argmax())
        probabilities = torch.softmax(scores / self.temperature, 0)
        return int(torch.multinomial(probabilities, 1, generator=generator))
