#!/usr/bin/env python3
"""Holds grammars of JSON schemas against jsonschema: documents that a grammar makes must be valid, valid ones in the
usual spacing must be allowed and invalid ones not; what is not supported must be refused.

    check_schemas.py SCHEMA_TEXTS [DOCUMENTS_PER_SCHEMA] [SEED]"""
import datetime
import json
import pathlib
import random
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("jsonschema is not installed")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent


def dumped(value):
    """The spacings that people use."""
    yield json.dumps(value, ensure_ascii=False)
    yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield json.dumps(value, ensure_ascii=False, indent=2)


def any_value(rng, depth=0):
    kinds = 7 if depth < 2 else 5
    kind = rng.randrange(kinds)
    if kind == 0:
        return None
    if kind == 1:
        return rng.random() < 0.5
    if kind == 2:
        return rng.choice([0, 1, -1, 5, 10, 17, 100, -42, 123456])
    if kind == 3:
        return rng.choice([0.5, -1.25, 3.0, 99.99, 1e-3])
    if kind == 4:
        return rng.choice(["", "a", "ab", "red", 'q"uo\\te', "line\nend", "é漢😀", "2024-02-29", "abcdefghij"])
    if kind == 5:
        return [any_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice("abcdxyz"): any_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def mutated(value, rng):
    """The document with one thing changed, somewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.7:
        out, key = dict(value), rng.choice(list(value))
        kind = rng.randrange(3)
        if kind == 0:
            del out[key]
        elif kind == 1:
            out[rng.choice(["extra", key + "x", key[:-1]])] = any_value(rng)
        else:
            out[key] = mutated(out[key], rng)
        return out
    if isinstance(value, list) and value and rng.random() < 0.7:
        out, at = list(value), rng.randrange(len(value))
        kind = rng.randrange(3)
        if kind == 0:
            del out[at]
        elif kind == 1:
            out.insert(at, any_value(rng))
        else:
            out[at] = mutated(out[at], rng)
        return out
    if isinstance(value, bool) or value is None or rng.random() < 0.4:
        return any_value(rng)
    if isinstance(value, (int, float)):
        return value + rng.choice([-1, 1, -10, 10, 0.5, 1000])
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(["", "x", "é", '"', "9", "-"]) + value[at + rng.randrange(2):]
    return any_value(rng)


def is_time(text):
    try:
        datetime.time.fromisoformat(text.replace("Z", "+00:00"))
        return True
    except ValueError:
        return False


CHECKER = jsonschema.FormatChecker()
CHECKER.checks("time")(lambda v: not isinstance(v, str) or is_time(v))
CHECKER.checks("date-time")(
    lambda v: not isinstance(v, str) or (v[10:11] == "T" and is_time(v[11:]) and CHECKER.conforms(v[:10], "date")))


def main():
    per_schema = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    rows = json.loads((HERE / "schemas.json").read_text())
    lines, expected = [], []
    for row in rows:
        schema = row["schema"]
        validator = jsonschema.Draft202012Validator(schema, format_checker=CHECKER)
        documents = list(row.get("documents", []))
        for value in list(documents):
            documents += [mutated(value, rng) for _ in range(per_schema)]
        documents += [any_value(rng) for _ in range(per_schema)]
        texts, valid = [], []
        for value in documents if "refused" not in row else []:
            ok = validator.is_valid(value)
            for text in dumped(value):
                texts.append(text)
                valid.append(ok)
        lines.append(json.dumps({"schema": schema, "texts": texts, "n": per_schema, "seed": rng.randrange(1 << 30)}))
        expected.append((validator, texts, valid))
    out = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    faults = made = agree = missed = 0
    if out.returncode:
        print(out.stdout[-2000:], out.stderr[-2000:])
        faults += 1
    for row, (validator, texts, valid), line in zip(rows, expected, out.stdout.splitlines()):
        schema = json.dumps(row["schema"])[:300]
        answer = json.loads(line)
        if "fault" in answer or "refused" in row:
            if row.get("refused", "\0") not in answer.get("fault", ""):
                print(f"{schema}\n  {answer.get('fault', 'not refused')}\n  not: {row.get('refused', 'no fault')}")
                faults += 1
            continue
        for text, ok, verdict in zip(texts, valid, answer["verdicts"]):
            allowed = verdict == "whole"
            agree += allowed == ok
            if allowed and not ok:
                print(f"{schema}\n  allows {text}")
                faults += 1
            elif ok and not allowed and not row.get("narrower"):
                print(f"{schema}\n  does not allow {text}")
                faults += 1
            missed += ok and not allowed
        made += len(answer["made"])
        if not answer["made"]:
            print(f"{schema}\n  no document came to its end")
            faults += 1
        for text in answer["made"]:
            try:
                value = json.loads(text)
                validator.validate(value)
            except (ValueError, jsonschema.ValidationError) as e:
                print(f"{schema}\n  makes {text}\n  {str(e)[:200]}")
                faults += 1
    print(f"{len(rows)} schemas, {made} documents made, {agree} verdicts agree, {missed} documents missed, {faults} faults")
    sys.exit(1 if faults else 0)


main()
