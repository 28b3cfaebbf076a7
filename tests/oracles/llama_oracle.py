"""Logits of GGUF models by llama.cpp itself, through its C interface.

Takes the folder of its libraries (libllama*.so of the npm package @node-llama-cpp/linux-x64 3.22.1, llama.cpp of September 2026) and
reads one JSON object a line from standard input, {"model": PATH, "tokens": [...], "context": N, "logits": PATH}. Every prompt is
computed in one batch with an f32 cache and without flash attention. The logits of all its tokens are written to the named file as
float32, and the answer is one line, {"vocabulary": N} or {"error": MESSAGE}.
"""

import ctypes as c
import glob
import json
import os
import sys

F32 = 0
NO_FLASH_ATTENTION = 0


class ModelParams(c.Structure):
    _fields_ = [
        ("devices", c.c_void_p), ("overrides", c.c_void_p), ("n_gpu_layers", c.c_int32), ("split_mode", c.c_int), ("load_mode", c.c_int),
        ("lazy_mode", c.c_int), ("main_gpu", c.c_int32), ("tensor_split", c.c_void_p), ("progress", c.c_void_p), ("progress_data", c.c_void_p),
        ("kv_overrides", c.c_void_p), ("vocab_only", c.c_bool), ("check_tensors", c.c_bool), ("use_extra_bufts", c.c_bool),
        ("no_host", c.c_bool), ("no_alloc", c.c_bool), ("load_mtp", c.c_bool),
    ]


class ContextParams(c.Structure):
    _fields_ = [
        *[(name, c.c_uint32) for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs_max", "n_outputs_max_per_seq")],
        ("n_threads", c.c_int32), ("n_threads_batch", c.c_int32),
        *[(name, c.c_int) for name in ("ctx_type", "rope_scaling_type", "pooling_type", "attention_type", "flash_attn_type")],
        *[(name, c.c_float) for name in ("rope_freq_base", "rope_freq_scale", "ext_factor", "attn_factor", "beta_fast", "beta_slow")],
        ("yarn_orig_ctx", c.c_uint32), ("defrag_thold", c.c_float), ("cb_eval", c.c_void_p), ("cb_eval_data", c.c_void_p),
        ("type_k", c.c_int), ("type_v", c.c_int), ("abort", c.c_void_p), ("abort_data", c.c_void_p),
        *[(name, c.c_bool) for name in ("embeddings", "offload_kqv", "no_perf", "op_offload", "swa_full", "kv_unified")],
        ("samplers", c.c_void_p), ("n_samplers", c.c_size_t), ("ctx_other", c.c_void_p),
    ]


class Batch(c.Structure):
    _fields_ = [
        ("n_tokens", c.c_int32), ("token", c.POINTER(c.c_int32)), ("embd", c.c_void_p), ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.POINTER(c.c_int32)), ("seq_id", c.POINTER(c.POINTER(c.c_int32))), ("logits", c.POINTER(c.c_int8)),
    ]


LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
said = []
# Kept alive for as long as the library may call it.
log = LOG(lambda level, text, data: said.append(text.decode(errors="replace")))


def load(folder):
    for name in ("libggml-base*.so", "libggml.v*.so", "libllama.v*.so"):
        for path in glob.glob(os.path.join(folder, name)):
            library = c.CDLL(path, mode=c.RTLD_GLOBAL)
    results = {
        "llama_model_default_params": ModelParams, "llama_context_default_params": ContextParams, "llama_batch_init": Batch,
        "llama_model_load_from_file": c.c_void_p, "llama_init_from_model": c.c_void_p, "llama_model_get_vocab": c.c_void_p,
        "llama_vocab_n_tokens": c.c_int32, "llama_get_logits_ith": c.POINTER(c.c_float), "llama_decode": c.c_int32,
    }
    for name, result in results.items():
        getattr(library, name).restype = result
    library.llama_log_set(log, None)
    library.ggml_backend_load_all_from_path(folder.encode())
    library.llama_backend_init()
    return library


def failed(what):
    return RuntimeError(f"{what}: {''.join(said)[-600:]}")


def run(llama, request):
    said.clear()
    params = llama.llama_model_default_params()
    params.n_gpu_layers = 0
    # Repacked weights would have arithmetic of their own.
    params.use_extra_bufts = False
    llama.llama_model_load_from_file.argtypes = [c.c_char_p, ModelParams]
    model = llama.llama_model_load_from_file(request["model"].encode(), params)
    if not model:
        raise failed("not loaded")
    context = None
    try:
        tokens, length = request["tokens"], max(request["context"], 1)
        options = llama.llama_context_default_params()
        options.n_ctx = length
        options.n_batch = options.n_ubatch = max(len(tokens), 32)
        options.n_threads = options.n_threads_batch = 1
        options.flash_attn_type, options.type_k, options.type_v = NO_FLASH_ATTENTION, F32, F32
        options.swa_full = True
        llama.llama_init_from_model.argtypes = [c.c_void_p, ContextParams]
        context = llama.llama_init_from_model(model, options)
        if not context:
            raise failed("no context")
        return decode(llama, model, context, tokens, request["logits"])
    finally:
        if context:
            llama.llama_free(c.c_void_p(context))
        llama.llama_model_free(c.c_void_p(model))


def decode(llama, model, context, tokens, path):
    batch = llama.llama_batch_init(c.c_int32(len(tokens)), c.c_int32(0), c.c_int32(1))
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    llama.llama_decode.argtypes = [c.c_void_p, Batch]
    status = llama.llama_decode(context, batch)
    if status != 0:
        raise failed(f"llama_decode gave {status}")
    vocabulary = llama.llama_vocab_n_tokens(c.c_void_p(llama.llama_model_get_vocab(c.c_void_p(model))))
    with open(path, "wb") as file:
        for i in range(len(tokens)):
            row = llama.llama_get_logits_ith(c.c_void_p(context), c.c_int32(i))
            file.write(bytes(c.cast(row, c.POINTER(c.c_float * vocabulary)).contents))
    llama.llama_batch_free.argtypes = [Batch]
    llama.llama_batch_free(batch)
    return {"vocabulary": vocabulary}


def main():
    # What the library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    llama = load(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = run(llama, json.loads(line))
        except RuntimeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
