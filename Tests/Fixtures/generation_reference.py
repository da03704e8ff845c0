"""Writes generation_reference.json: references for Tests/TasksTests from rouge_score and CoQA's evaluation rule on generated pseudo-text.

Run: python generation_reference.py   (needs rouge_score; its version is recorded in the file)
"""
import collections
import importlib.metadata
import json
import pathlib
import random
import re
import string

from rouge_score import rouge_scorer

RNG = random.Random(20_261_125)
KINDS = ["rouge1", "rouge2", "rougeL"]
ROUGE = rouge_scorer.RougeScorer(KINDS, use_stemmer=False)
WORDS = (
    "the The a A an An, the, cat dog lake ran ran. slept deep! don't dont two 2 1,000 1000 yes No no. --- ' \u00dcber na\u00efve th\u00e9a "
    "a\u0301 the\u2014end \u4f60\u597d x\u00a0y and theory \u0130x th-e A.N. \u00bd caf\u00e9 \u2019a\u2019 _a_ a_b"
).split(" ")


def normalised(text):
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(?:the|an|a)\b", " ", kept).split()


def f1(reference, guess):
    if not reference or not guess:
        return float(reference == guess)
    overlap = sum((collections.Counter(reference) & collections.Counter(guess)).values())
    if overlap == 0:
        return 0.0
    precision, recall = overlap / len(guess), overlap / len(reference)
    return 2 * precision * recall / (precision + recall)


def left_out(values):
    """Each reference is left out once; the best of the others is averaged."""
    if len(values) == 1:
        return values[0]
    return sum(max(values[:i] + values[i + 1 :]) for i in range(len(values))) / len(values)


def sentence():
    return " ".join(RNG.choice(WORDS) for _ in range(RNG.choice([0, 1, 1, 2, 3, 5, 9])))


def case():
    references = [sentence() for _ in range(RNG.choice([1, 1, 2, 3, 4]))]
    text = RNG.choice([sentence(), RNG.choice(references), RNG.choice(references).upper() + ".", RNG.choice(references) + " " + sentence()])
    found = [ROUGE.score(reference, text) for reference in references]
    guess, words = normalised(text), [normalised(reference) for reference in references]
    return {
        "text": text,
        "references": references,
        "rouge": [max(scores[kind].fmeasure for scores in found) for kind in KINDS],
        "f1": left_out([f1(reference, guess) for reference in words]),
        "em": left_out([float(reference == guess) for reference in words]),
    }


cases = [case() for _ in range(160)]
out = {"rouge_score": importlib.metadata.version("rouge_score"), "cases": cases}
file = pathlib.Path(__file__).with_name("generation_reference.json")
file.write_text(json.dumps(out, ensure_ascii=True, indent=0) + "\n")
