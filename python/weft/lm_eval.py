"""Weft in EleutherAI's lm-evaluation-harness: importing this registers the model class "weft" (docs/evaluation.md).

    python -m weft.lm_eval --model weft --model_args pretrained=PATH,device=vulkan,dtype=float32 --tasks lambada_openai

is the harness's own program with the class registered. It needs the package lm_eval, not torch. Texts are tokenised,
split, truncated and cut as the harness's Hugging Face class does it; weft.scoring does the rest.
"""

from __future__ import annotations

import warnings
from typing import Any

from lm_eval.api.model import TemplateLM  # type: ignore[import]
from lm_eval.api.registry import register_model  # type: ignore[import]
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs  # type: ignore[import]
from lm_eval.utils import simple_parse_args_string  # type: ignore[import]
from tqdm import tqdm

from . import scoring
from .chat import ChatTemplate
from .device import Device, split_specs
from .errors import InvalidError, NotFoundError, UnsupportedError
from .model import Model
from .sampling import Sampling

__all__ = ["WeftLM"]

DTYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "auto": None}


@register_model("weft")
class WeftLM(TemplateLM):  # type: ignore[misc]
    """A model on a device, or on several.

    pretrained: a Hugging Face folder or a GGUF file. device: what the program's --device takes ("vulkan:1",
    "vulkan:0,cpu"), or a list of such. dtype: torch's names, or any of the library's ("q8_0"); auto: as in the files.
    With float32 all of the arithmetic and the cache are so, unless kv or exact say otherwise. threads: of the CPU,
    unless device says so itself. max_length: tokens of a text; None: the model's. batch_size: texts at once; auto: 64.
    cells: see weft.scoring.scoring_plan. chat_template_args, enable_thinking: variables of the chat template.
    """

    def __init__(
        self,
        pretrained: str,
        device: str | list[str] | None = None,
        dtype: str | None = "auto",
        threads: int | None = None,
        kv: str | None = None,
        exact: bool | None = None,
        max_length: int | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        cells: int = 0,
        add_bos_token: bool | None = None,
        prefix_token_id: int | None = None,
        max_gen_toks: int = 256,
        chat_template_args: dict[str, Any] | None = None,
        enable_thinking: bool | None = None,
    ) -> None:
        super().__init__()
        self._model = Model(pretrained)
        self._tokens = self._model.tokenizer
        self._dtype = dtype if dtype is None else DTYPES.get(str(dtype), str(dtype))
        self._device = device if isinstance(device, str) else ",".join(device or ["cpu"])
        self.batch_size = _batch_size(batch_size, max_batch_size)
        devices = Device.open_all(_with_threads(self._device, threads))
        plan = scoring.scoring_plan(
            self._model,
            devices,
            dtype=self._dtype,
            kv=kv,
            exact=self._dtype == "f32" if exact is None else exact,
            context=max_length or 0,
            sequences=self.batch_size,
            cells=cells,
        )
        self.scorer = scoring.Scorer(plan)
        for opened in devices:
            opened.close()  # they stay open as long as the scorer
        self.max_length, self.max_gen_toks = self.scorer.max_length, max_gen_toks
        self._add_bos, self._prefix = add_bos_token, prefix_token_id
        self._chat_args = dict(chat_template_args or {})
        if enable_thinking is not None:
            self._chat_args["enable_thinking"] = enable_thinking

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> WeftLM:
        """create_from_arg_obj of the text that stands behind --model_args."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None) -> WeftLM:
        """model_args count before the program's options, whose defaults (cuda:0, batches of 1) mean nothing here."""
        given = {k: v for k, v in (additional_config or {}).items() if v is not None}
        if str(given.get("device", "cuda")).startswith("cuda"):
            given.pop("device", None)
        if str(given.get("batch_size")) == "1":
            del given["batch_size"]
        return cls(**{**given, **arg_dict})

    # ---- tokens ----

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        for token in (self._tokens.named("eos"), self._model.eos):
            if token is not None:
                return token
        raise NotFoundError(f"{self._model.path}: no token ends a text; say which as prefix_token_id")

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text without a context."""
        if self._prefix is not None:
            return self._prefix
        bos = self._tokens.named("bos")
        return self.eot_token_id if bos is None else bos

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_kwargs: Any) -> list[int]:
        """The ids of a text."""
        special = self._add_bos if add_special_tokens is None else add_special_tokens
        if add_special_tokens is None and string.startswith(self._tokens.decode([self.prefix_token_id])):
            special = False
        return self._encode(string, special)

    def _encode(self, string: str, special: bool | None) -> list[int]:
        """special: whether tokens stand around the text; None: as the files say."""
        if special is False:
            ids = self._tokens.encode(string, bos=False, template=False)
        else:
            ids = self._tokens.encode(string)
        return [int(token) for token in ids]

    # ---- chat templates ----

    @property
    def tokenizer_name(self) -> str:
        """What the harness tells its caches of requests apart by."""
        return str(self._model.path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The text of the model's template, or of that of a name, as the harness writes it beside its results."""
        if not chat_template:
            return ""
        if chat_template is True:
            return self._model.chat_template.text()
        return ChatTemplate(str(self._model.path), chat_template).text()

    def apply_chat_template(self, chat_history: list[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        """The prompt of a conversation. Without add_generation_prompt the last message is begun and goes on.

        A template that refuses a conversation with a system message is asked once more without, as the harness's
        Hugging Face class does it.
        """

        def applied(messages: list[dict[str, Any]]) -> str:
            return self._model.apply_chat_template(
                messages,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
                **self._chat_args,
            )

        others = [message for message in chat_history if message["role"] != "system"]
        try:
            return applied(chat_history)
        except InvalidError as error:
            if len(others) == len(chat_history):
                raise
            warnings.warn(f"without the system message, which is refused: {error}", RuntimeWarning, stacklevel=2)
            return applied(others)

    # ---- what the harness asks ----

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **_kwargs: Any
    ) -> list[tuple[float, bool]]:
        pairs = [(context, continuation) for _, context, continuation in requests]
        with tqdm(total=len(pairs), disable=disable_tqdm, desc="Running loglikelihood requests") as bar:
            scores = self.scorer.loglikelihoods(pairs, bar.update)
        answers = [(s.logprob, s.greedy) for s in scores]
        for (text, _, _), answer in zip(requests, answers):
            if text is not None:
                self.cache_hook.add_partial("loglikelihood", text, answer)
        return answers

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-likelihood of each whole text."""
        texts = [self.tok_encode(request.args[0]) for request in requests]
        n = sum(-(-len(text) // self.max_length) for text in texts)
        with tqdm(total=n, disable=disable_tqdm, desc="Running loglikelihood_rolling windows") as bar:
            totals = self.scorer.rolling(texts, self.prefix_token_id, bar.update)
        for request, total in zip(requests, totals):
            self.cache_hook.add_partial("loglikelihood_rolling", (request.args[0],), total)
        return totals

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """What continues each context."""
        groups: dict[str, list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault(repr(request.args[1]), []).append(i)
        texts = [""] * len(requests)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            for group in groups.values():
                contexts, options = [requests[i].args[0] for i in group], requests[group[0]].args[1]
                for i, text in zip(group, self._generate(contexts, options, bar.update)):
                    texts[i] = text
                    self.cache_hook.add_partial("generate_until", requests[i].args, text)
        return texts

    def _generate(self, contexts: list[str], options: dict[str, Any], told: scoring.Told) -> list[str]:
        given = normalize_gen_kwargs(options, self.max_gen_toks)
        eos = self._tokens.decode([self.eot_token_id])
        stop, n = handle_stop_sequences(given.pop("until"), eos=eos), given.pop("max_gen_toks")
        room = self.max_length - n
        if room < 1:
            raise InvalidError(f"max_gen_toks {n}: a text may have {self.max_length} tokens, with its prompt")
        prompts = [self._prompt(context)[-room:] for context in contexts]
        continued = self.scorer.generate(prompts, n, stop, _sampling(given), told)
        return [c.text for c in continued]

    def _prompt(self, context: str) -> list[int]:
        bos = self._tokens.named("bos")
        has = bos is not None and context.startswith(self._tokens.decode([bos]))
        return self._encode(context, False if has else self._add_bos)

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes beside its results."""
        return {"model_num_parameters": self._model.parameters, "model_dtype": self._dtype or "as in the files"}


def _with_threads(device: str, threads: int | None) -> str:
    specs = split_specs(device)
    if threads is not None:
        cpus = [i for i, spec in enumerate(specs) if spec.partition(",")[0] == "cpu" and ",threads=" not in spec]
        for i in cpus:
            specs[i] += f",threads={threads}"
    return ",".join(specs)


def _batch_size(given: int | str | None, most: int | None) -> int:
    if given is None or str(given).startswith("auto"):
        return most or 64
    if not str(given).isdecimal() or not int(given):
        raise InvalidError(f"batch_size is auto or a number above 0, not {given!r}")
    return int(given)


def _sampling(options: dict[str, Any]) -> Sampling | None:
    """How tokens are picked; None: the most probable one."""
    known = {"temperature", "top_k", "top_p", "min_p", "repetition_penalty"}
    options = dict(options)
    samples = options.pop("do_sample", False)
    unknown = sorted(set(options) - known)
    if unknown:
        raise UnsupportedError(f"generation options {', '.join(unknown)}: there are {', '.join(sorted(known))}")
    penalty = float(options.pop("repetition_penalty", 1.0))
    if not samples and penalty == 1.0:
        return None
    if not samples:
        options = {"temperature": 0.0}
    return Sampling(repeat_penalty=penalty, repeat_window=2**31 - 1, **options)


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate  # type: ignore[import]

    cli_evaluate()
