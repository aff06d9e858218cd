"""test_serve_messages.py WEFT MODEL: /v1/messages in the form of Anthropic's API, over plain sockets. A grammar cannot be asked for
there, so calls are demanded, and the words are the bundled model's own."""

import json
import os
import sys
import tempfile

from serving import Checks, Server

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "template.jinja")
with open(path, "w") as f:
    f.write("{# <think> <tool_call></tool_call> #}{% for m in messages %}{{ m.role }}: {{ m.reasoning_content }}{{ m.content }}"
            "{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments.a }}]{% endfor %}{% if m.name %}({{ m.name }})"
            "{% endif %}{{ '\\n' }}{% endfor %}{% if enable_thinking %}<think>{% endif %}Once upon a time")
keys = os.path.join(folder.name, "keys")
with open(keys, "w") as f:
    f.write("sesame\n")
server = Server(weft, model, "--deterministic", "--chat-template", path, "--name", "tiny", "--api-key", keys)
KEY = ["X-Api-Key: sesame", "anthropic-version: 2023-06-01"]
talk = [{"role": "user", "content": "Hi"}]


def post(where="/v1/messages", headers=KEY, **fields):
    return server.post(where, {"model": "tiny", "max_tokens": 9, "messages": talk, "temperature": 0, **fields}, headers)


def text_of(prompt, **fields):
    return server.post("/v1/completions", {"prompt": prompt, "temperature": 0, "max_tokens": 9, **fields},
                       KEY).json["choices"][0]["text"]


def streamed(**fields):
    """The events of a stream, whose names are also in their data."""
    events = []
    for name, event in post(stream=True, **fields).named_events:
        check.equal("an event's name", name, "event: " + event["type"])
        events.append(event)
    return events


PROMPT = "user: Hi\nOnce upon a time"
r = post()
m = r.json
check.equal("a message", (r.status, m["type"], m["role"], m["model"], m["id"][:4]), (200, "message", "assistant", "tiny", "msg_"))
check.equal("its content", m["content"], [{"type": "text", "text": text_of(PROMPT)}])
check.equal("its end", (m["stop_reason"], m["stop_sequence"], m["usage"]["output_tokens"]), ("max_tokens", None, 9))
n = len(server.post("/tokenize", {"content": PROMPT}, KEY).json["tokens"])
u = post().json["usage"]
check("what was there is counted apart", u["input_tokens"] + u["cache_read_input_tokens"] == n and u["cache_read_input_tokens"] > 0, u)
check.equal("count_tokens", server.post("/v1/messages/count_tokens", {"model": "tiny", "messages": talk}, KEY).json, {"input_tokens": n})
whole = m["content"][0]["text"]
r = post(stop_sequences=["xyz", whole[-3:]]).json
check.equal("a stop sequence", (r["content"][0]["text"], r["stop_reason"], r["stop_sequence"]), (whole[:-3], "stop_sequence", whole[-3:]))
system = post(system=[{"type": "text", "text": "Be ", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "kind"}])
check.equal("a system prompt", system.json["content"][0]["text"], text_of("system: Be kind\n" + PROMPT))
check.equal("as a text", post(system="Be kind").json["content"], system.json["content"])

# ---- conversations with tools ----
past = [*talk, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "Well"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 3}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "4"}]},
                                     {"type": "text", "text": "So?"}]}]
check.equal("blocks become messages", post(messages=past).json["content"][0]["text"],
            text_of("user: Hi\nassistant: hmWell[f 3]\ntool: 4(f)\nuser: So?\nOnce upon a time"))
tool = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"enum": [7]}}, "required": ["a"],
                                                          "additionalProperties": False}}
m = post(tools=[tool], tool_choice={"type": "tool", "name": "f"}, max_tokens=60).json
check.equal("a call", [(b["type"], b["name"], b["input"]) for b in m["content"]], [("tool_use", "f", {"a": 7})])
check.equal("ends it", m["stop_reason"], "tool_use")
digits = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"enum": [1234567.8901234]}}, "required": ["a"],
                                        "additionalProperties": False}}
m = post(tools=[digits], tool_choice={"type": "any"}, max_tokens=80).json
check.equal("all digits of its input", [b.get("input") for b in m["content"]], [{"a": 1234567.8901234}])
check.equal("any tool", post(tools=[tool], tool_choice={"type": "any"}, max_tokens=60).json["content"][0]["input"], {"a": 7})
events = streamed(tools=[tool], tool_choice={"type": "any"}, max_tokens=60)
starts = [e["content_block"] for e in events if e["type"] == "content_block_start"]
check.equal("in a stream", [(b["type"], b["name"], b["input"]) for b in starts], [("tool_use", "f", {})])
parts = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
check.equal("its input", json.loads("".join(parts)), {"a": 7})

# ---- streams ----
events = streamed()
check.equal("events", [e["type"] for e in events if e["type"] != "content_block_delta"],
            ["message_start", "ping", "content_block_start", "content_block_stop", "message_delta", "message_stop"])
check.equal("the beginning", (events[0]["message"]["content"], events[0]["message"]["usage"]["input_tokens"]), ([], n))
check.equal("the text", "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta"), whole)
check.equal("the end", (events[-2]["delta"], events[-2]["usage"]["output_tokens"]), ({"stop_reason": "max_tokens", "stop_sequence": None}, 9))

# ---- errors ----
refused = [
    ("no key", 401, "authentication_error", {"headers": []}),
    ("no max_tokens", 400, "invalid_request_error", {"max_tokens": None}),
    ("a field that is not known", 400, "invalid_request_error", {"container": "x"}),
    ("another model", 404, "not_found_error", {"model": "other"}),
    ("no messages", 400, "invalid_request_error", {"messages": []}),
    ("an image", 400, "invalid_request_error", {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}),
    ("a tool of the service's own", 400, "invalid_request_error", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ("no such choice", 400, "invalid_request_error", {"tool_choice": {"type": "perhaps"}}),
    ("a long prompt", 400, "invalid_request_error", {"messages": [{"role": "user", "content": "a " * 600}]}),
]
for what, status, kind, fields in refused:
    r = post(**fields)
    check.equal(what, (r.status, r.json["type"], r.json["error"]["type"]), (status, "error", kind))
check("an image is named", "'image'" in post(messages=refused[5][3]["messages"]).error["message"], None)
check.equal("GET", server.get("/v1/messages", KEY).status, 405)
check.equal("a body that is none", server.post("/v1/messages", b"{", KEY).json["error"]["type"], "invalid_request_error")
check.equal("the server ends", server.end(), 0)
check.end()
