"""The first GAN's loss, non-saturating form.

Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, arXiv:1406.2661, eq. 1 and section 3.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from dowgan.objectives.objective import OBJECTIVES, Batch, Critic, Generator, Objective, Windows
from dowgan.space import OBJECTIVE_SPACES, Real


@OBJECTIVES.add("bce")
class Bce(Objective):
    """Binary cross-entropy on logits: -log D(x) = softplus(-logit), -log(1 - D(x)) = softplus(logit)."""

    def critic_loss(self, critic: Critic, fake: Windows, batch: Batch) -> Float[Tensor, ""]:
        return softplus(-critic(batch.real)).mean() + softplus(critic(fake)).mean()

    def generator_loss(self, generator: Generator, critic: Critic, batch: Batch) -> Float[Tensor, ""]:
        return softplus(-critic(generator(batch.noise))).mean()


OBJECTIVE_SPACES.add("bce")({"train.beta1": Real(0.0, 0.9)})
