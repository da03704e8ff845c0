"""llama.cpp on the checkpoint as it is stored."""
import itertools
import random

from llama_cpp import Llama

from peers import NEW_TOKENS, PROMPT


def measure(gguf, meter):
  def load():
    return Llama(str(gguf), n_ctx=1024, n_batch=512, n_threads=meter.threads, n_threads_batch=meter.threads, verbose=False)

  def load_and_answer():
    model = load()
    next(greedy(model, model.tokenize(PROMPT.encode(), add_bos=False)))
    model.close()

  meter.seconds("load and first token", load_and_answer)
  llm = load()
  draw = random.Random(0)
  tokens = [draw.randrange(17, llm.n_vocab()) for _ in range(512)]
  meter.rate("prefill 512, last logits", 512, "tokens/s", lambda: llm.eval(tokens), prepare=llm.reset)

  def after_32():
    llm.reset()
    llm.eval(tokens[:32])

  def decode():  # the 33rd token is fed first: 64 steps, 64 samples
    for _ in itertools.islice(llm.generate(tokens[32:33], reset=False, temp=0.0), 64):
      pass

  meter.rate("decode 64 after 32", 64, "tokens/s", decode, prepare=after_32)
  llm.reset()
  ids = list(itertools.islice(greedy(llm, llm.tokenize(PROMPT.encode(), add_bos=False)), NEW_TOKENS))
  meter.text(llm.detokenize(ids, special=True).decode(errors="replace"), ids)


def greedy(llm, prompt):
  """The most probable ids one after another; does not stop at an end token."""
  return llm.generate(prompt, temp=0.0, repeat_penalty=1.0)
