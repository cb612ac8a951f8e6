#!/usr/bin/env python3
"""Writes a 1 MB GGUF model (llama architecture) with the standard library only.

    make_tiny_gguf.py OUT.gguf

Its weights are built, not trained, so that the net is an exact word-bigram model of a few sentences: one-hot
embeddings, attention and feed-forward all zero, and an output matrix that holds log P(next | current). It gives readable,
seeded text with a real end of sequence, at thousands of tokens a second: enough to test a protocol, not a model.
"""

import math
import struct
import sys

TEXT = ("the cat sat on the mat . the dog ran to the cat . a bird saw the dog and sang a song . the song was long and the cat "
        "slept . the dog slept on a mat and a bird sat on the dog . one two three four five six seven eight nine ten . "
        "hello world .").split()
CHAT_TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
                 "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
SPACE = "\u2581"  # SentencePiece's mark of a word's beginning
UNKNOWN, BOS, EOS, END_OF_TURN = 0, 1, 2, 4
NORMAL, IS_UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # token types
HEAD, FEED_FORWARD, CONTEXT = 32, 32, 4096
NEVER = -20.0  # log of a probability that counts as none

# GGUF's value types
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_F32, TENSOR_F16 = 0, 1
ALIGNMENT = 32


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    return kind, {UINT32: lambda: struct.pack("<I", value), FLOAT32: lambda: struct.pack("<f", value),
                  BOOL: lambda: struct.pack("<B", value), STRING: lambda: string(value)}[kind]()


def array(kind, items):
    body = b"".join(map(string, items)) if kind == STRING else struct.pack(
        f"<{len(items)}{'i' if kind == INT32 else 'f'}", *items)
    return ARRAY, struct.pack("<IQ", kind, len(items)) + body


def vocabulary():
    """(tokens, types, scores): control tokens, every byte, every prefix of every word, and the printable characters."""
    entries = {}

    def add(token, kind, score):
        entries.setdefault(token, (kind, score))

    add("<unk>", IS_UNKNOWN, 0.0)
    for token in ("<s>", "</s>", "<|im_start|>", "<|im_end|>"):
        add(token, CONTROL, 0.0)
    for byte in range(256):
        add(f"<0x{byte:02X}>", BYTE, 0.0)
    for word in sorted(set(TEXT)):
        # The tokenizer merges pair by pair: each prefix has to exist, and a longer one has to win.
        for length in range(2, len(word) + 2):
            add((SPACE + word)[:length], NORMAL, float(length))
    add(SPACE, NORMAL, -1.0)
    for code in range(33, 127):
        add(chr(code), NORMAL, -2.0)
    return list(entries), [kind for kind, _ in entries.values()], [score for _, score in entries.values()]


def bigrams(tokens):
    """Counts of what follows what, as rows of `current` over `next`."""
    index = {token: number for number, token in enumerate(tokens)}
    counts = [[0] * len(tokens) for _ in tokens]
    words = [index[SPACE + word] for word in TEXT]
    for current, following in zip(words, words[1:]):
        counts[current][following] += 1
    counts[index[SPACE + "."]][EOS] += 2  # a full stop is sometimes the end
    counts[words[-1]][EOS] += 1
    for row in counts:
        if not any(row):  # a newline, a letter, a prefix: a sentence begins
            for word, weight in (("the", 2), ("a", 1), ("hello", 1), ("one", 1)):
                row[index[SPACE + word]] += weight
    return counts


def tensors_of(counts, width):
    size = len(counts)
    embedding = bytearray(2 * width * size)
    output = bytearray(2 * width * size)
    for current, row in enumerate(counts):
        struct.pack_into("<e", embedding, 2 * (current * width + current), 1.0)
        total = sum(row)
        for following, count in enumerate(row):
            # The final norm scales the one-hot vector to length sqrt(width); this takes that out again.
            value = (math.log(count / total) if count else NEVER) / math.sqrt(width)
            struct.pack_into("<e", output, 2 * (following * width + current), value)

    def ones(length):
        return struct.pack(f"<{length}f", *[1.0] * length)

    yield "token_embd.weight", [width, size], TENSOR_F16, bytes(embedding)
    for name in ("attn_norm", "ffn_norm"):
        yield f"blk.0.{name}.weight", [width], TENSOR_F32, ones(width)
    for name, shape in (("attn_q", [width, HEAD]), ("attn_k", [width, HEAD]), ("attn_v", [width, HEAD]),
                        ("attn_output", [HEAD, width]), ("ffn_gate", [width, FEED_FORWARD]),
                        ("ffn_up", [width, FEED_FORWARD]), ("ffn_down", [FEED_FORWARD, width])):
        yield f"blk.0.{name}.weight", shape, TENSOR_F16, bytes(2 * shape[0] * shape[1])
    yield "output_norm.weight", [width], TENSOR_F32, ones(width)
    yield "output.weight", [width, size], TENSOR_F16, bytes(output)


def metadata(tokens, types, scores, width):
    values = {
        "general.architecture": scalar(STRING, "llama"), "general.type": scalar(STRING, "model"),
        "general.name": scalar(STRING, "tiny-bigram"), "general.file_type": scalar(UINT32, TENSOR_F16),
        "tokenizer.ggml.model": scalar(STRING, "llama"), "tokenizer.ggml.tokens": array(STRING, tokens),
        "tokenizer.ggml.scores": array(FLOAT32, scores), "tokenizer.ggml.token_type": array(INT32, types),
        "tokenizer.ggml.bos_token_id": scalar(UINT32, BOS), "tokenizer.ggml.eos_token_id": scalar(UINT32, EOS),
        "tokenizer.ggml.unknown_token_id": scalar(UINT32, UNKNOWN), "tokenizer.ggml.eot_token_id": scalar(UINT32, END_OF_TURN),
        "tokenizer.ggml.add_bos_token": scalar(BOOL, True), "tokenizer.chat_template": scalar(STRING, CHAT_TEMPLATE),
        "llama.attention.layer_norm_rms_epsilon": scalar(FLOAT32, 1e-5),
    }
    for key, value in {"context_length": CONTEXT, "embedding_length": width, "block_count": 1, "feed_forward_length": FEED_FORWARD,
                       "attention.head_count": 1, "attention.head_count_kv": 1, "attention.key_length": HEAD,
                       "attention.value_length": HEAD, "rope.dimension_count": HEAD, "vocab_size": len(tokens)}.items():
        values[f"llama.{key}"] = scalar(UINT32, value)
    return values


def padding(length):
    return bytes(-length % ALIGNMENT)


def write(path, values, tensors):
    out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)))
    for key, (kind, data) in values.items():
        out += string(key) + struct.pack("<I", kind) + data
    offset = 0
    for name, shape, kind, data in tensors:
        out += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += len(data) + len(padding(len(data)))
    out += padding(len(out))
    for *_, data in tensors:
        out += data + padding(len(data))
    with open(path, "wb") as file:
        file.write(out)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tokens, types, scores = vocabulary()
    width = -(-len(tokens) // 64) * 64
    write(sys.argv[1], metadata(tokens, types, scores, width), list(tensors_of(bigrams(tokens), width)))


main()
