"""The first stages of embedding inversion behind one block, as a PyTorch programmer would write them: relaxed vocabulary and free embeddings.

The attacker knows the embedding and block 0, and the states y of 10 documents of 64 tokens behind block 0. `STEPS` steps of Adam move
softmax logits over 256 candidates a position, or the embeddings themselves, until block 0 turns them into y. Autograd through frozen
weights; documents have one length, so the batch has no padding. fedsea-bench runs the same steps on the same ids and candidates.
"""
import torch

DOCUMENTS, LENGTH, CANDIDATES, STEPS = 10, 64, 256, 20
PENALTY, REFRESH = 0.1, 20


class Problem:
  """States behind block 0 of tokens whose ids and candidate lists follow from a formula, so that every peer has the same."""

  def __init__(self, model):
    self.model, self.block = model, model.model.layers[0]
    for parameter in model.parameters():
      parameter.requires_grad_(False)
    self.table = model.model.embed_tokens.weight
    rows = torch.arange(DOCUMENTS * LENGTH)
    ordinary = len(self.table) - 17
    self.ids = 17 + rows * 7919 % ordinary
    # The truth is candidate 0 of its row.
    self.lists = 17 + (rows[:, None] * 7919 + torch.arange(CANDIDATES)[None] * 104729) % ordinary
    x = self.table[self.ids].view(DOCUMENTS, LENGTH, -1)
    self.rotary = model.model.rotary_emb(x, torch.arange(LENGTH)[None])
    with torch.no_grad():
      self.y = self.states(x)
    self.spread = self.y[:, 1:].flatten(0, 1).var(0, unbiased=False).clamp(min=1e-8)
    squares = self.y.square().mean(-1, keepdim=True)
    self.scale = (squares / squares.flatten().sort().values[DOCUMENTS * LENGTH // 2]).clamp(min=1)
    self.floor = 1e-6 * squares

  def states(self, x):
    out = self.block(x, position_embeddings=self.rotary, attention_mask=None)
    return out[0] if isinstance(out, tuple) else out

  def loss(self, x, done):
    """Negative log-likelihood of y in nats with a softening that falls from 1 to 1e-3."""
    residual = self.states(x.view(DOCUMENTS, LENGTH, -1)) - self.y
    return (residual.square() / (2 * (self.floor + 1e-3 ** done * self.scale * self.spread))).sum()

  def descend(self, values, embeddings, rate, stepped=lambda step: None, penalty=lambda: 0):
    """`STEPS` steps of Adam on `values`, which must descend."""
    optimizer = torch.optim.Adam([values], lr=rate, betas=(0.9, 0.9), eps=1e-12, foreach=True)
    losses = []
    for step in range(STEPS):
      done = step / STEPS
      optimizer.param_groups[0]["lr"] = rate * 0.1 ** done
      optimizer.zero_grad(set_to_none=True)
      loss = self.loss(embeddings(done), done) + penalty()
      loss.backward()
      optimizer.step()
      stepped(step)
      losses.append(loss.item())  # a loop that stops at the noise floor reads every loss
    with torch.no_grad():
      check(losses[0], self.loss(embeddings(1), 0).item())

  def relaxed_vocabulary(self):
    logits = torch.zeros(self.lists.shape, requires_grad=True)
    listed = self.table[self.lists]  # [N, K, C], gathered once
    self.descend(logits, lambda done: torch.bmm((logits / (0.5 * 0.1 ** done)).softmax(-1)[:, None], listed)[:, 0], rate=0.3)

  def free_embedding(self):
    mean, low, high = self.table.mean(0), self.table.amin(0), self.table.amax(0)
    x = mean.repeat(DOCUMENTS * LENGTH, 1).requires_grad_()
    weight = PENALTY / (self.table - mean).square().mean()
    unit = torch.nn.functional.normalize(self.table - mean, dim=-1)
    attractors = None

    def stepped(step):
      nonlocal attractors
      with torch.no_grad():
        x.clamp_(low, high)
        if (step + 1) % REFRESH == 0:
          attractors = self.table[torch.cat([((part - mean) @ unit.T).argmax(-1) for part in x.split(256)])]

    self.descend(x, lambda done: x, rate=0.1 * (self.table - mean).square().mean().sqrt().item(), stepped=stepped,
                 penalty=lambda: 0 if attractors is None else weight / 2 * (x - attractors).square().sum())


def check(first, last):
  """A loop that does not descend is no measurement."""
  if not last < 0.9 * first:
    raise SystemExit(f"embedding inversion does not descend: {first:.4g} to {last:.4g} nats at softening 1")


def measure(model, meter):
  problem = Problem(model)
  rows = DOCUMENTS * LENGTH * STEPS
  meter.rate(f"relaxed vocabulary p=1, {CANDIDATES} candidates", rows, "positions/s", problem.relaxed_vocabulary)
  meter.rate("free embedding p=1", rows, "positions/s", problem.free_embedding)
