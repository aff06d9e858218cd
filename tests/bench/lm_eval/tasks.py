"""The tasks that are compared, as configurations of lm-evaluation-harness 0.4.13 over JSON lines in a folder.

What stands before and after each field is the harness's own (lm_eval/tasks/*/*.yaml), for records of other fields:

    lambada_openai.jsonl            text
    sciq, piqa, arc_easy, arc_challenge, hellaswag, logiqa    choices, label, and what the contexts below name
    winogrande.jsonl                sentence, choices, label (0 or 1)
    triviaqa.jsonl                  question, aliases
    rolling.jsonl                   text; where there is none: the texts of lambada_openai, and eight of them in one
"""

import json
import pathlib

CONTEXTS = {
    "sciq": "{{support.lstrip()}}\nQuestion: {{question}}\nAnswer:",
    "piqa": "Question: {{goal}}\nAnswer:",
    "arc_easy": "Question: {{question}}\nAnswer:",
    "arc_challenge": "Question: {{question}}\nAnswer:",
    "hellaswag": "{{query}}",
    "logiqa": "Passage: {{context}}\nQuestion: {{question}}\nChoices:\nA. {{choices[0]}}\nB. {{choices[1]}}\n"
    "C. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:",
}
MEAN = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
NAMES = ("lambada_openai", *CONTEXTS, "winogrande", "triviaqa", "triviaqa_aliases", "rolling")


def records(folder, name, limit):
    """A task's records, at most so many."""
    path = pathlib.Path(folder) / f"{'triviaqa' if name == 'triviaqa_aliases' else name}.jsonl"
    if name == "rolling" and not path.exists():
        texts = [r["text"] for r in records(folder, "lambada_openai", limit)]
        joined = [" ".join(texts[i : i + 8]) for i in range(0, len(texts), 8)]
        return [{"text": text} for text in texts + joined]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:limit]


def winogrande_choices(doc):
    before = doc["sentence"][: doc["sentence"].index("_")]
    return [before + option for option in doc["choices"]]


def winogrande_target(doc):
    return doc["sentence"][doc["sentence"].index("_") + 1 :].strip()


def any_greedy(_doc, results):
    """TriviaQA as it was when GPT-NeoX-20B's card was written: an alias counts if it is what greedy decoding writes."""
    return {"acc": float(any(greedy for _, greedy in results))}


def configuration(name):
    if name in CONTEXTS:
        return {
            "output_type": "multiple_choice",
            "doc_to_text": CONTEXTS[name],
            "doc_to_choice": "choices",
            "doc_to_target": "label",
            "metric_list": MEAN,
        }
    return {
        "lambada_openai": {
            "output_type": "loglikelihood",
            "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}",
            "doc_to_target": "{{' '+text.split(' ')[-1]}}",
            "metric_list": [
                {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
                MEAN[0],
            ],
        },
        "winogrande": {
            "output_type": "multiple_choice",
            "doc_to_text": "label",
            "doc_to_choice": winogrande_choices,
            "doc_to_target": winogrande_target,
            "metric_list": MEAN[:1],
        },
        "triviaqa": {
            "output_type": "generate_until",
            "doc_to_text": "Question: {{question}}?\nAnswer:",
            "doc_to_target": "{{aliases}}",
            "generation_kwargs": {"until": ["\n", ".", ","], "do_sample": False, "temperature": 0.0},
            "filter_list": [
                {
                    "name": "remove_whitespace",
                    "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}],
                }
            ],
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "ignore_case": True,
                    "ignore_punctuation": True,
                }
            ],
        },
        "triviaqa_aliases": {
            "output_type": "multiple_choice",
            "doc_to_text": "Question: {{question}}\nAnswer:",
            "doc_to_choice": "aliases",
            "doc_to_target": 0,
            "process_results": any_greedy,
            "metric_list": MEAN[:1],
        },
        "rolling": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{text}}",
            "metric_list": [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
        },
    }[name]


def tasks(folder, names=NAMES, limit=None):
    """Tasks as lm_eval.simple_evaluate takes them."""
    from datasets import Dataset

    def dataset(name):
        return lambda **_: {"test": Dataset.from_list(records(folder, name, limit))}

    return [
        {
            "task": f"local_{name}",
            "custom_dataset": dataset(name),
            "test_split": "test",
            "num_fewshot": 0,
            **configuration(name),
        }
        for name in names
    ]
