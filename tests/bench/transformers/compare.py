"""compare.py [MODEL]: weft's transformers-like surface against transformers itself, by the same calls, with torch.

The bundled model, and models of random weights of other architectures with its tokenizer: greedy ids of one row and of
batches padded on either side, where they end, what they are padded with, types, shapes, logits. Needs torch and
transformers; PYTHONPATH must have a built package (build/python). Prints a table and exits 1 if anything differs.
"""

import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers
import weft

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = ROOT / "models/bundled/tiny-stories-neox"
TEXTS = ["Once upon a time", "Tom had", "The little dog was very happy, because", "Lily"]
SMALL = {"vocab_size": 4096, "pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0, "tie_word_embeddings": False}
OTHERS = {
    "llama": transformers.LlamaConfig(
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        **SMALL,
    ),
    "gpt2": transformers.GPT2Config(n_embd=64, n_layer=3, n_head=4, n_positions=256, **SMALL),
    "mistral": transformers.MistralConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        max_position_embeddings=256,
        sliding_window=8,
        **SMALL,
    ),
}


def random_model(config, folder):
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    for parameter in model.parameters():
        parameter.data.mul_(3)  # far from uniform, so that no two tokens are nearly as probable
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (TINY / name).exists():
            shutil.copy(TINY / name, folder)


class Comparison:
    """One folder, opened by both; ``rows`` are what was compared and whether it was the same."""

    def __init__(self, name, path):
        self.name, self.rows = name, []
        self.theirs = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        self.ours = weft.AutoModelForCausalLM.from_pretrained(path, exact=True)
        self.their_tokenizer = transformers.AutoTokenizer.from_pretrained(path, padding_side="left")
        self.our_tokenizer = weft.AutoTokenizer.from_pretrained(path)
        if self.their_tokenizer.pad_token is None:  # as everybody does it
            self.their_tokenizer.pad_token = self.their_tokenizer.eos_token
            self.our_tokenizer.pad_token = self.our_tokenizer.eos_token

    def same(self, what, ours, theirs):
        """Equal in value, type, shape and device."""
        equal = type(ours) is type(theirs)
        if equal and isinstance(ours, torch.Tensor):
            kind = (ours.dtype, ours.device, tuple(ours.shape)) == (theirs.dtype, theirs.device, tuple(theirs.shape))
            equal = kind and bool((ours == theirs).all())
        elif equal:
            equal = ours == theirs
        if not equal:
            print(f"{self.name}: {what}:\n  weft         {ours!r}\n  transformers {theirs!r}")
        self.rows.append((what, equal))

    def generations(self, what, inputs, **options):
        with torch.no_grad():
            theirs = self.theirs.generate(**inputs, do_sample=False, **options)
        ours = self.ours.generate(**inputs, do_sample=False, **options)
        self.same(what, ours, theirs)
        return theirs

    def tokenizers(self):
        for side in ("left", "right"):
            self.their_tokenizer.padding_side = self.our_tokenizer.padding_side = side
            ours = self.our_tokenizer(TEXTS, return_tensors="pt", padding=True)
            theirs = self.their_tokenizer(TEXTS, return_tensors="pt", padding=True)
            for key in ("input_ids", "attention_mask"):
                self.same(f"tokenizer, padded on the {side}: {key}", ours[key], theirs[key])
        self.their_tokenizer.padding_side = self.our_tokenizer.padding_side = "left"
        for name in ("eos_token", "eos_token_id", "pad_token", "pad_token_id", "bos_token", "unk_token_id"):
            self.same(f"tokenizer.{name}", getattr(self.our_tokenizer, name), getattr(self.their_tokenizer, name))
        ids = theirs["input_ids"]
        for skip in (False, True):
            decode = {"skip_special_tokens": skip}
            self.same(
                f"batch_decode, skip_special_tokens={skip}",
                self.our_tokenizer.batch_decode(ids, **decode),
                self.their_tokenizer.batch_decode(ids, **decode),
            )

    def run(self):
        self.tokenizers()
        one = self.their_tokenizer(TEXTS[:1], return_tensors="pt")
        batch = self.their_tokenizer(TEXTS, return_tensors="pt", padding=True)
        for inputs in (one, batch):
            inputs.pop("token_type_ids", None)
        rows = len(batch["input_ids"])
        new = self.generations("one row, 40 tokens", one, max_new_tokens=40)
        self.generations("without a mask", {"input_ids": one["input_ids"]}, max_new_tokens=5)
        self.generations("one token", one, max_new_tokens=1)
        self.generations("four rows padded on the left", batch, max_new_tokens=24, pad_token_id=0)
        end = int(new[0, one["input_ids"].shape[1] + 4])
        self.generations("ended by a token", one, max_new_tokens=20, eos_token_id=end, pad_token_id=3)
        self.generations("rows that end apart", batch, max_new_tokens=30, eos_token_id=[end, 13], pad_token_id=5)
        self.generations("eos of several, none to pad with", batch, max_new_tokens=30, eos_token_id=[end, 13])
        self.generations("repetition_penalty", one, max_new_tokens=20, repetition_penalty=1.3)
        int32 = {"input_ids": one["input_ids"].int()}
        self.generations("ids of 32 bits", int32, max_new_tokens=3)
        with torch.no_grad():
            positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)  # transformers asks its caller for them
            theirs = self.theirs(**batch, position_ids=positions).logits
        ours = self.ours(**batch).logits
        keep = batch["attention_mask"].bool()
        same = (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
        error = float((ours[keep] - theirs[keep]).abs().max() / theirs[keep].abs().max())
        self.rows.append((f"logits of {rows} rows, largest error {error:.1e} of the largest", same and error < 1e-4))
        array = self.ours.generate(batch["input_ids"].numpy(), batch["attention_mask"].numpy(), max_new_tokens=4)
        self.same("numpy arrays give numpy arrays", type(array), np.ndarray)
        return self.rows


def main():
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, weft {weft.__version__}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        models = {"tiny-stories-neox": pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else TINY}
        for name, config in OTHERS.items():
            models[name] = pathlib.Path(folder) / name
            random_model(config, models[name])
        for name, path in models.items():
            rows = Comparison(name, path).run()
            wrong = [what for what, equal in rows if not equal]
            failed += len(wrong)
            print(f"{name}: {len(rows) - len(wrong)} of {len(rows)} the same{': not ' + '; '.join(wrong) if wrong else ''}")
            print("\n".join(f"  {what}" for what, _ in rows if what.startswith("logits")))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
