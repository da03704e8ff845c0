"""Writes metrics_reference.json: references for Tests/LeakageMetricsTests from rouge_score, sacrebleu, nltk and numpy on generated pseudo-text.

Run: python metrics_reference.py   (needs rouge_score, sacrebleu, nltk, numpy; versions are recorded in the file)
"""
import collections
import importlib.metadata
import json
import pathlib
import random
import sys

import nltk
import numpy
import sacrebleu
from nltk.translate import bleu_score
from rouge_score import rouge_scorer
from rouge_score import tokenize as rouge_tokenize

RNG = random.Random(7_102_024)
ROUGE = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
SYLLABLES = "ka lo mi ren tu sha vel dor ing est quo za pi ul nor".split()
ODD = [
    "1,234.5", "3.14", "-7", "2024-06-01", "don't", "e.g.", "...", "well-known", "A&B", "&amp;", "&lt;b&gt;", "&quot;x&quot;", "<skipped>",
    "naïve", "nai\u0308ve", "ÜBER", "straße", "\u212aelvin", "\u0130stanbul", "Привет", "мир,", "你好。", "漢字", "🙂", "👩\u200d👧", "e\u0301", "\u00e9",
    "x\u00a0y", "tab\there", "nul\x00l", "a\x1cb", "a\u2028b", "line-\nbreak", "new\nline", "(a)", "[b]", "{c}", "50%", "$9.99", "a/b", "C++", "#1",
    "@me", "^_^", "`q`", "~", "|", "\\", "a,b", "1.a", "a.1", ",5", "5,", "5-", "--", "1-2-3", "a..b", ".,.,", "؟", "١٢٣", "\ufb01sh", "\r\n", "A", "I",
]
VOCABULARY = ["".join(RNG.choice(SYLLABLES) for _ in range(RNG.randint(1, 3))) for _ in range(60)] + ["the", "The", "of", "of,", "end."] * 3


def words(n, odd):
    return [RNG.choice(ODD) if RNG.random() < odd else RNG.choice(VOCABULARY) for _ in range(n)]


def corrupt(source, rate):
    out = []
    for word in source:
        kind = RNG.random() / max(rate, 1e-9)
        if kind > 1:
            out.append(word)
        elif kind < 0.5:
            out.append(RNG.choice(VOCABULARY))
        elif kind < 0.6:
            out += [word, word]
        elif kind < 0.7:
            out.append(RNG.choice(ODD))
    if RNG.random() < rate and len(out) > 3:
        i, j = sorted(RNG.sample(range(len(out)), 2))
        out[i:j] = out[i:j][::-1]
    return out


def pairs():
    result = []
    for odd in (0, 0.1, 0.5, 1):
        for rate in (0, 0.1, 0.3, 0.6, 1):
            for n in (1, 3, 8, 40):
                truth = words(n, odd)
                guess = corrupt(truth, rate)
                joint = RNG.choice([" ", " ", "  ", ""]) if odd == 1 else " "
                result.append((joint.join(truth), joint.join(guess)))
    result += [(odd, odd) for odd in ODD]
    result += [("", ""), ("", "something"), ("something", ""), (" \n", "\t"), ("。。。", "。。"), ("a", "a"), ("a b", "b a"), ("the the the the the", "the")]
    result += [("the " * 300, "the " * 299 + "cat"), ("end. ", "end.\n\u2028"), (" ".join(words(200, 0.05)), " ".join(words(180, 0.05)))]
    return result


def token_sequences(i):
    n = [0, 1, 2, 7, 63, 64, 65, 130][i % 8]
    truth = [RNG.randrange(5 if i % 3 else 5000) for _ in range(n)]
    guess = [t if RNG.random() < 0.7 else RNG.randrange(6) for t in truth]
    if i % 5 == 1:
        guess = guess[: n // 2]
    if i % 5 == 2:
        guess = guess[1:] + [3, 3, 3]
    return truth, guess


def splitmix(seed):
    state, mask = seed, 2**64 - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def bootstrap(rows, seed, resamples, aggregate):
    draws, n = splitmix(seed), len(rows)
    replicates = [aggregate([rows[(next(draws) * n) >> 64] for _ in range(n)]) for _ in range(resamples)]
    low, high = numpy.quantile(replicates, [0.025, 0.975])
    return {"mean": aggregate(rows), "lower": low, "upper": high, "stderr": float(numpy.std(replicates, ddof=1)), "n": n}


def main():
    # Only A-Z, the Kelvin sign and the dotted capital I become ASCII letters when lower-cased; the Swift tokenizer relies on it.
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code <= 0xDFFF and code > 127:
            ascii_part = [c for c in chr(code).lower() if c.isascii()]
            assert not ascii_part or code in (0x130, 0x212A), hex(code)
    spaces = [c for c in range(sys.maxunicode + 1) if chr(c).isspace()]

    bleu = sacrebleu.BLEU()
    documents = []
    for i, (truth, guess) in enumerate(pairs()):
        rouge = ROUGE.score(truth, guess)
        score = bleu.corpus_score([guess], [[truth]])
        truth_words, guess_words = truth.split(), guess.split()
        matched = all(bleu_score.modified_precision([truth_words], guess_words, n).numerator for n in range(1, 5))
        truth_tokens, guess_tokens = token_sequences(i)
        overlap = sum((collections.Counter(truth_tokens) & collections.Counter(guess_tokens)).values())
        longest = max(len(truth_tokens), len(guess_tokens))
        documents.append({
            "truth": truth, "guess": guess, "truth_tokens": truth_tokens, "guess_tokens": guess_tokens,
            "rouge_words": len(rouge_tokenize.tokenize(truth, None)),
            "rouge": [rouge["rouge1"].fmeasure, rouge["rouge2"].fmeasure, rouge["rougeL"].fmeasure],
            "bleu": score.score, "bleu_statistics": [score.sys_len, score.ref_len] + score.counts + score.totals,
            "unsmoothed": float(bleu_score.sentence_bleu([truth_words], guess_words)) if matched else 0.0,
            "char_edit": nltk.edit_distance(truth, guess) / max(len(truth), len(guess), 1) if len(truth) < 2000 else None,
            "accuracy": sum(a == b for a, b in zip(truth_tokens, guess_tokens)) / max(1, len(truth_tokens)),
            "bag": 2 * overlap / max(1, len(truth_tokens) + len(guess_tokens)),
            "token_edit": nltk.edit_distance(truth_tokens, guess_tokens) / max(1, longest),
        })
    truths, guesses = [d["truth"] for d in documents], [d["guess"] for d in documents]

    def corpus(picks):
        return bleu.corpus_score([p["guess"] for p in picks], [[p["truth"] for p in picks]]).score

    some = documents[20:60:3]
    names = ("rouge_score", "sacrebleu", "nltk", "numpy")
    fixture = {
        "versions": {name: importlib.metadata.version(name) for name in names},
        "spaces": spaces,
        "documents": documents,
        "corpus_bleu": bleu.corpus_score(guesses, [truths]).score,
        "signature": str(bleu.get_signature()),
        "subset": {"first": 20, "end": 60, "step": 3},
        "bootstrap_accuracy": bootstrap([d["accuracy"] for d in some if d["truth_tokens"]], 42, 2000, lambda rows: sum(rows) / len(rows)),
        "bootstrap_bleu": bootstrap(some, 42, 100, corpus),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(fixture, indent=None, separators=(",", ":")).replace('{"truth"', '\n{"truth"') + "\n")
    print(path, path.stat().st_size, fixture["corpus_bleu"], fixture["signature"], [hex(s) for s in spaces])


main()
