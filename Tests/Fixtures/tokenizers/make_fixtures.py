#!/usr/bin/env python3
"""Generates the tokenizer fixtures: random text, small tokenizers trained on it, and hashes of the reference libraries' ids.

    python3 make_fixtures.py --smollm2 FOLDER --mistral tokenizer.model.v1

FOLDER has SmolLM2's tokenizer.json, as transformers writes it when it opens the GGUF file; --mistral is Mistral's first SentencePiece
model. Neither is stored here, only hashes of the ids that they give. Needs: tokenizers, sentencepiece (versions in meta.json).

Every line of text is one JSON string in lines.json. A hash file has, for each line (for the small tokenizers: each fifth), four hexadecimal digits: FNV-1a over
the ids as little-endian int32, its halves combined by exclusive or. Everything follows from SEED: running the script again gives the same files.
"""
import argparse, collections, copy, io, json, pathlib, random, struct, unicodedata

import sentencepiece
import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
SEED = 20260117
LINES = 12000

SCRIPTS = [
    (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x250, 0x2FF), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58F), (0x591, 0x5F4), (0x600, 0x6FF),
    (0x700, 0x74F), (0x780, 0x7BF), (0x900, 0x97F), (0x980, 0x9FE), (0xA00, 0xA76), (0xB80, 0xBFA), (0xE01, 0xE5B), (0xE81, 0xEDF),
    (0xF00, 0xFDA), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x13FF), (0x1780, 0x17F9),
    (0x1800, 0x18AA), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x2C00, 0x2DFF), (0x3041, 0x3096), (0x30A1, 0x30FF), (0x3105, 0x312F),
    (0x4E00, 0x9FFF), (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE70, 0xFEFC), (0xFF00, 0xFFEF),
    (0x10330, 0x1034A), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x20000, 0x2A6DF), (0x30000, 0x3134A),
]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", "\u00a0", "\u3000", "\u2028", "\u2029", "\u1680", "\u2003", "\u200a", "\u202f",
          "\u205f", "\u0085", "\x0b", "\x0c", " \n", "\n ", " \t ", "\u200b", "\ufeff", "\u180e", "\x1c", "\x1f", " \u00a0 "]
NUMBERS = "0123456789٠١٢٣٤٥٦٧٨٩०१२३४५๐๑๒①②③½¼¾⅓ⅣⅫ²³¹₀₁〇㊿𝟘𝟙𝟚௧௲೬〡〢〣🯰🯱፩፪𐄇𐄈᠐᠑"
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'VE", "'M", "'LL", "'D", "'Re", "'vE", "'lL", "'ſ", "’s", "'x", "''s", "'sa", "'rE"]
EMOJI = ["😀", "👍🏽", "👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇯🇵🇫🇷", "❤️", "☺️", "1️⃣", "🧑🏿‍🚀", "👩🏻‍❤️‍💋‍👨🏾", "🫠", "🪿", "⌚", "▶️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏻"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + list("¡¿«»“”‘’„…–—·•†‡§¶°€£¥₹₿©®™×÷±≠≤≥∞∑∫√∂∆←↑→↓⇒■□▲●★☆♥♪✓✗、。「」『』・！？：；（）।॥՞؟،؛٪")
MARKS = "\u0300\u0301\u0302\u0303\u0308\u0327\u0328\u0323\u0331\u0338\u20d0\u20dd\u05b0\u05bc\u064b\u0651\u093c\u094d\u0e31\u0e48\u3099\u309a\ufe0f\u200d\u200c\u034f\u1ab0"
DIRECTION = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
WORDS = ("the of and to in is was for with that his her this from which have been are were their would there one two three house river garden "
         "winter morning letter stone paper window music question answer doctor patient report balance account transfer signature password secret "
         "run walk write think remember forget open close small large quiet bright heavy under over between against during without because "
         "although however therefore nobody everything somewhere yesterday tomorrow electricity understanding extraordinary internationally").split()
CODE = ["def f(x):\n    return x ** 2", "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}", "#include <stdio.h>", "let x = y ?? z!", "SELECT * FROM t WHERE a>=10;",
        "<div class=\"a b\">&nbsp;</div>", "https://example.org/a_b?c=d&e=%20f#g", "foo.bar->baz::qux<T>()", "x = [1, 2, 3][::-1]", "__init__", "camelCaseName",
        "snake_case_name", "SCREAMING_CASE", "0xDEADBEEF", "1e-10", "3.14159", "$HOME/.config", "C:\\Users\\a", "a@b.example", "/* comment */", "// TODO: x",
        "\\n\\t\\\\", "{\"k\": [null, true, 1.5e3]}", "if(!a&&b||c){}", "...", "-->", "=====", "////", "    ", "\t\t", "`code`", "**bold**", "~~~", "<!-- -->"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<empty_output>", "<|im_end", "|im_end|>", "<s>", "</s>", "<unk>", "<0x0A>", "<|im_start|><|im_end|>"]


def scalar(r):
    while True:
        c = r.choice([r.randrange(0x110000), r.randrange(0x3000), r.randrange(0x10000), r.randrange(0x10000, 0x20000)])
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def word(r):
    low, high = r.choice(SCRIPTS) if r.random() < 0.6 else (0x61, 0x7A)
    text = "".join(chr(r.randint(low, high)) for _ in range(r.randint(1, 9)))
    if r.random() < 0.2:
        text = "".join(c + (r.choice(MARKS) * r.randint(1, 2) if r.random() < 0.4 else "") for c in text)
    return text


def piece(r):
    kind = r.random()
    if kind < 0.34:
        text = r.choice(WORDS)
        return r.choice([text, text, text, text.capitalize(), text.upper()])
    if kind < 0.50: return word(r)
    if kind < 0.58: return "".join(r.choice("0123456789" if r.random() < 0.7 else NUMBERS) for _ in range(r.randint(1, 8)))
    if kind < 0.64: return r.choice(WORDS) + r.choice(CONTRACTIONS) + r.choice(["", "", "s", " "])
    if kind < 0.70: return r.choice(EMOJI)
    if kind < 0.76: return "".join(r.choice(PUNCTUATION) for _ in range(r.randint(1, 4)))
    if kind < 0.82: return r.choice(CODE)
    if kind < 0.86: return "".join(scalar(r) for _ in range(r.randint(1, 4)))
    if kind < 0.88: return chr(r.choice([r.randrange(0x20), 0x7F, r.randrange(0x80, 0xA0)]))
    if kind < 0.90: return r.choice(DIRECTION) + word(r)
    if kind < 0.91: return chr(r.choice([r.randrange(0xE000, 0xF900), r.randrange(0xF0000, 0xFFFFE), 0xFFFE, 0xFFFF, 0xFDD0]))
    if kind < 0.93: return r.choice(SPECIAL)
    if kind < 0.95: return r.choice(["a", "ab", "=", " ", "\n", "0", "é", "字", "😀", "!", "'"]) * r.randint(2, 40)
    if kind < 0.96: return unicodedata.normalize(r.choice(["NFD", "NFC"]), word(r) + "éñüÅǖḍ̇각")
    if kind < 0.97: return "▁" * r.randint(1, 3) + r.choice(WORDS)
    return r.choice(MARKS) + r.choice(WORDS)


def line(r):
    parts = []
    for _ in range(min(12, 1 + int(r.expovariate(0.4)))):
        parts.append(piece(r))
        if r.random() < 0.75: parts.append(" " if r.random() < 0.6 else r.choice(SPACES))
    return "".join(parts)[:48]


def lines():
    r = random.Random(SEED)
    fixed = ["", " ", "  ", "\n", "a", " a", "  a", "a ", "▁", "▁a", "\u0000", "a\u0000b", "I'LL we'Re", "'ſ", "\r\n\r\n a", " \n a", "\t\ta", "1234567890", " 1 22 333 4444"]
    fixed += ["a" * 2000, "ab" * 700, " " * 500, "\n" * 300, "9" * 400, "é" * 300, "字" * 300, "😀" * 100, "'" * 200, "\u0301" * 200, "a\u0301" * 200]
    out = fixed + [line(r) for _ in range(LINES - len(fixed))]
    for text in out: text.encode("utf-8")
    return out


def fingerprint(ids):
    value = 0x811C9DC5
    for byte in struct.pack("<%di" % len(ids), *ids):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "%04x" % (value >> 16 ^ value & 0xFFFF)


def write_hashes(name, encode, texts):
    (HERE / (name + ".hashes")).write_text("".join(fingerprint(encode(text)) for text in texts) + "\n")


def write_json(name, value, ascii=True):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=ascii, separators=(",", ":")) + "\n")


def both(name, tokenizer, texts):
    write_hashes(name, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, texts)
    # Special tokens in the text as plain characters.
    tokenizer.encode_special_tokens = True
    write_hashes(name + "-plain", lambda text: tokenizer.encode(text, add_special_tokens=False).ids, texts)
    tokenizer.encode_special_tokens = False


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")


def byte_level(splits, **options):
    if splits is None:
        return pre_tokenizers.ByteLevel(add_prefix_space=options.get("prefix", False), use_regex=True)
    return pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=options.get("prefix", False), use_regex=options.get("regex", False))])


def train_byte_level(texts):
    """One small vocabulary; the variants differ in what surrounds it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1400, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], initial_alphabet=alphabet, show_progress=False))
    return json.loads(tokenizer.to_str())


def added(content, identifier, **flags):
    base = dict(id=identifier, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return base | flags


def byte_level_variants(base):
    size = max(list(base["model"]["vocab"].values()) + [t["id"] for t in base["added_tokens"]]) + 1
    def variant(pre, normalizer=None, words=False, extra=()):
        out = copy.deepcopy(base)
        out["pre_tokenizer"] = json.loads(pre.__getstate__().decode())
        out["normalizer"] = normalizer
        out["model"]["ignore_merges"] = words
        out["added_tokens"] += list(extra)
        return out
    split = lambda pattern: [pre_tokenizers.Split(Regex(pattern), "isolated")]
    flags = [(" river", {}), ("stone", {"single_word": True}), ("house", {"lstrip": True, "rstrip": True}), ("éx", {"normalized": True}),
             ("the question", {"special": True, "rstrip": True}), ("the ques", {})]
    # A token that the vocabulary has already keeps its id.
    flags = [added(text, base["model"]["vocab"].get(text, size + i), **options) for i, (text, options) in enumerate(flags)]
    return {
        "bytes-gpt2": variant(byte_level(None)),
        "bytes-digits": variant(byte_level([pre_tokenizers.Digits(individual_digits=True)], regex=True)),
        "bytes-llama3": variant(byte_level(split(LLAMA3)), words=True),
        "bytes-qwen2": variant(byte_level(split(QWEN2)), normalizer={"type": "NFC"}),
        "bytes-mixed": variant(byte_level([pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split("e", "merged_with_previous"),
                                           pre_tokenizers.Split("in", "merged_with_next"), pre_tokenizers.Split("  ", "removed"), pre_tokenizers.Split("..", "contiguous")], prefix=True, regex=True),
                               extra=flags),
    }


def train_sentencepiece(texts):
    # Only the most frequent characters, so that the others fall back to bytes.
    counts = collections.Counter("".join(texts))
    frequent = {c for c, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:400]} - set("\n\r\0")
    texts = ["".join(c for c in text if c in frequent) for text in texts]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([t for t in texts if t.strip()]), model_writer=model, model_type="bpe", vocab_size=1600,
        byte_fallback=True, character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        allow_whitespace_only_pieces=True, user_defined_symbols=["house", "ho", "▁▁"], num_threads=1, split_digits=True, minloglevel=2)
    return model.getvalue()


def character_variants(model):
    """tokenizer.json files with byte fallback, from the SentencePiece model's pieces."""
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocab = {sp.id_to_piece(i): i for i in range(sp.get_piece_size())}
    merges = []
    for i in range(sp.get_piece_size()):
        text = sp.id_to_piece(i)
        if sp.is_byte(i) or sp.is_control(i) or sp.is_unknown(i): continue
        pairs = [(text[:k], text[k:]) for k in range(1, len(text)) if text[:k] in vocab and text[k:] in vocab]
        merges += [(sp.get_score(i), list(pair)) for pair in sorted(pairs, key=lambda p: (vocab[p[0]], vocab[p[1]]))]
    merges = [pair for _, pair in sorted(merges, key=lambda m: -m[0])]
    tokens = [added(t, vocab[t], special=True) for t in ["<unk>", "<s>", "</s>"]]
    def variant(normalizer, pre, fallback=True, fuse=True):
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
                "normalizer": json.loads(normalizer.__getstate__().decode()) if normalizer else None,
                "pre_tokenizer": json.loads(pre.__getstate__().decode()) if pre else None, "post_processor": None, "decoder": None,
                "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                          "fuse_unk": fuse, "byte_fallback": fallback, "ignore_merges": False, "vocab": vocab, "merges": merges}}
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return {
        "pieces-prepend": variant(legacy, None),
        "pieces-first": variant(None, pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)),
        "pieces-words": variant(None, pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True), fallback=False, fuse=False),
    }


def templates(variants):
    """Each variant's tokenizer.json as text in which "@vocab" and "@merges" stand for what all variants share."""
    return {name: json.dumps({**value, "model": {**value["model"], "vocab": "@vocab", "merges": "@merges"}}) for name, value in variants.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smollm2", type=pathlib.Path)
    parser.add_argument("--mistral", type=pathlib.Path)
    arguments = parser.parse_args()
    texts = lines()
    write_json("lines.json", texts, ascii=False)
    some = texts[::5]
    training = [t for t in texts if len(t) < 100][:9000]

    base = train_byte_level(training)
    base["model"]["merges"] = [" ".join(pair) for pair in base["model"]["merges"]]  # the older spelling; pieces.json has pairs
    variants = byte_level_variants(base)
    write_json("bytes-vocab.json", base["model"]["vocab"])
    write_json("bytes-merges.json", base["model"]["merges"])
    write_json("bytes-variants.json", templates(variants))
    for name, value in variants.items(): both(name, Tokenizer.from_str(json.dumps(value)), some)

    model = train_sentencepiece(training)
    (HERE / "pieces.model").write_bytes(model)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    write_hashes("pieces-model-plain", sp.encode, texts)
    pieces = character_variants(model)
    base = pieces["pieces-prepend"]
    write_json("pieces-vocab.json", base["model"]["vocab"])
    write_json("pieces-merges.json", base["model"]["merges"])
    write_json("pieces-variants.json", templates(pieces))
    for name, value in pieces.items(): both(name, Tokenizer.from_str(json.dumps(value)), some)

    if arguments.smollm2:
        value = json.loads((arguments.smollm2 / "tokenizer.json").read_text())
        # The published tokenizer cuts out single digits first; the conversion from GGUF forgets `tokenizer.ggml.pre = smollm`.
        value["pre_tokenizer"] = json.loads(byte_level([pre_tokenizers.Digits(individual_digits=True)], regex=True).__getstate__().decode())
        both("smollm2", Tokenizer.from_str(json.dumps(value)), texts)
    if arguments.mistral:
        sp = sentencepiece.SentencePieceProcessor(model_file=str(arguments.mistral))
        write_hashes("mistral-plain", sp.encode, texts)
    write_json("meta.json", {"seed": SEED, "lines": len(texts), "tokenizers": tokenizers.__version__,
                             "sentencepiece": sentencepiece.__version__})


main()
