"""Generates Tests/Fixtures/checkpoints: tiny models and random quantised blocks, with values from Python.

    python3 Tests/Fixtures/checkpoints.py        (torch, transformers, safetensors, gguf)

dequantisation.gguf  random blocks of every stored type beside `gguf.quants.dequantize` of them, as `<type>.expected`
llama-tied/          f32, tied head, grouped heads, Llama-3 rope scaling; llama-tied.gguf is the same model as llama.cpp's converter lays it out
mistral-f16/         f16, untied head, sliding window
qwen2-sharded/       bf16, biases, two or more shards and their index
expected.json        per model: configuration and, per tensor, shape, the first and last value and the sum of |value|
"""

import json, math, pathlib, shutil
import gguf, numpy as np, torch, transformers
from gguf import GGMLQuantizationType as Q
from safetensors import safe_open

OUT = pathlib.Path(__file__).parent / "checkpoints"
SCALES = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0xBC00, 0x2E66, 0x1234, 0x9ABC], dtype=np.uint16)


def dequantisation(rng):
    writer = gguf.GGUFWriter(OUT / "dequantisation.gguf", "test")
    writer.add_array("test.tokens", ["a", "é", "", "Ġthe"])
    writer.add_array("test.scores", [0.5, -1.25])
    writer.add_array("test.types", [1, -2, 3])
    writer.add_bool("test.flag", True)
    writer.add_uint64("test.large", 2**63 + 1)
    writer.add_int8("test.small", -5)
    writer.add_float64("test.double", math.pi)
    scale_offsets = {Q.Q8_0: [0], Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q4_K: [0, 2], Q.Q6_K: [208]}
    for kind, offsets in scale_offsets.items():
        length, size = gguf.GGML_QUANT_SIZES[kind]
        rows, per_row = (4, 1) if length == 256 else (6, 2)
        blocks = rng.integers(0, 256, (rows * per_row, size), dtype=np.uint8)
        for offset in offsets:
            blocks[:, offset : offset + 2] = rng.choice(SCALES, (len(blocks), 1)).view(np.uint8)
        blocks[0, -16 if kind != Q.Q6_K else -34 :][:16] = 0xFF
        raw = blocks.reshape(rows, per_row * size)
        expected = gguf.quants.dequantize(raw, kind)
        assert np.isfinite(expected).all() and expected.shape == (rows, per_row * length)
        writer.add_tensor(f"{kind.name.lower()}", raw, raw_dtype=kind)
        writer.add_tensor(f"{kind.name.lower()}.expected", expected)
    halves = rng.choice(np.arange(65536, dtype=np.uint16)[(np.arange(65536) & 0x7C00) != 0x7C00], 333)
    halves[: len(SCALES)] = SCALES
    halves[-4:] = [0x7C00, 0xFC00, 0x03FF, 0x8001]  # infinities and subnormals
    writer.add_tensor("f16", halves.view(np.float16)[None, :])
    writer.add_tensor("f16.expected", halves.view(np.float16).astype(np.float32)[None, :])
    brains = rng.integers(0, 65536, 333, dtype=np.uint16)
    brains[(brains & 0x7F80) == 0x7F80] = 0x7F80
    writer.add_tensor("bf16", brains[None, :].view(np.uint8), raw_dtype=Q.BF16)
    writer.add_tensor("bf16.expected", (brains.astype(np.uint32) << 16).view(np.float32)[None, :])
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()


def permute(w, heads):  # convert_hf_to_gguf.py, LlamaModel.permute
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def to_gguf(model, path):
    c, state = model.config, {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(c.num_hidden_layers), writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size), writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads), writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_rope_freq_base(c.rope_parameters["rope_theta"]), writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_vocab_size(c.vocab_size), writer.add_rope_dimension_count(c.head_dim)
    writer.add_bos_token_id(c.bos_token_id), writer.add_eos_token_id(c.eos_token_id)
    # convert_hf_to_gguf.py, LlamaModel.generate_extra_tensors
    rope = c.rope_parameters
    base, dim, factor = rope["rope_theta"], c.head_dim, rope["factor"]
    low, high, old = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    freqs, factors = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)), []
    for freq in freqs:
        wavelen = 2 * math.pi / freq
        if wavelen < old / high:
            factors.append(1)
        elif wavelen > old / low:
            factors.append(factor)
        else:
            smooth = (old / wavelen - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    assert len({round(float(f), 3) for f in factors}) > 2
    writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, c.num_hidden_layers)
    for key, value in state.items():
        if key == "lm_head.weight" and c.tie_word_embeddings:
            continue
        if key.endswith("q_proj.weight"):
            value = permute(value, c.num_attention_heads)
        if key.endswith("k_proj.weight"):
            value = permute(value, c.num_key_value_heads)
        writer.add_tensor(names.get_name(key, try_suffixes=(".weight", ".bias")), np.ascontiguousarray(value))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()


def save(name, config, kind, dtype, **options):
    torch.manual_seed(len(name))
    model = kind(config).to(dtype)
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.add_(torch.randn_like(p) * 0.1)  # biases and gains that differ
    model.save_pretrained(OUT / name, **options)
    tensors = {}
    for path in sorted((OUT / name).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for key in file.keys():
                t = file.get_tensor(key).double()
                tensors[key] = {
                    "shape": list(t.shape), "first": t.flatten()[0].item(), "last": t.flatten()[-1].item(), "sum": t.abs().sum().item()}
    return model, tensors


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    dequantisation(np.random.default_rng(7))
    expected = {}
    size = dict(vocab_size=48, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    rope = dict(rope_type="llama3", rope_theta=1000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    llama = transformers.LlamaConfig(**size, max_position_embeddings=512, tie_word_embeddings=True, rope_parameters=rope)
    model, expected["llama-tied"] = save("llama-tied", llama, transformers.LlamaForCausalLM, torch.float32)
    to_gguf(model, OUT / "llama-tied.gguf")
    mistral = transformers.MistralConfig(**size, max_position_embeddings=256, sliding_window=16, head_dim=8)
    _, expected["mistral-f16"] = save("mistral-f16", mistral, transformers.MistralForCausalLM, torch.float16)
    qwen2 = transformers.Qwen2Config(**size, max_position_embeddings=256, bos_token_id=3, eos_token_id=[4, 5])
    _, expected["qwen2-sharded"] = save("qwen2-sharded", qwen2, transformers.Qwen2ForCausalLM, torch.bfloat16, max_shard_size="16KB")
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


main()
