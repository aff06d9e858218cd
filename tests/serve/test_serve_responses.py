"""test_serve_responses.py WEFT MODEL: /v1/responses in the form of OpenAI's API, over plain sockets."""

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
    f.write("{# <think> <tool_call></tool_call> #}{% for m in messages %}{{ m.role }}: {{ m.content }}"
            "{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments.a }}]{% endfor %}{{ '\\n' }}{% endfor %}Once upon a time")
server = Server(weft, model, "--deterministic", "--chat-template", path, "--name", "tiny")


def post(**fields):
    return server.post("/v1/responses", {"model": "tiny", "max_output_tokens": 9, "input": "Hi", "temperature": 0, **fields})


def text_of(prompt):
    return server.text(prompt, max_tokens=9)


def streamed(**fields):
    events = []
    for name, event in post(stream=True, **fields).named_events:
        check.equal("an event's name", name, "event: " + event["type"])
        events.append(event)
    check.equal("events are counted", [e["sequence_number"] for e in events], list(range(len(events))))
    return events


r = post()
m = r.json
check.equal("a response", (r.status, m["object"], m["status"], m["model"], m["id"][:5]), (200, "response", "incomplete", "tiny", "resp_"))
check.equal("why", m["incomplete_details"], {"reason": "max_output_tokens"})
item = m["output"][0]
whole = text_of("user: Hi\nOnce upon a time")
check.equal("its item", (item["type"], item["role"], item["content"][0]["type"], item["content"][0]["text"]),
            ("message", "assistant", "output_text", whole))
check.equal("its usage", (m["usage"]["output_tokens"], m["usage"]["output_tokens_details"]), (9, {"reasoning_tokens": 0}))
past = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}, {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Well"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 3}'},
        {"type": "function_call_output", "call_id": "c1", "output": "4"}, {"role": "user", "content": "So?"}]
check.equal("items become messages", post(input=past, instructions="Be kind").json["output"][0]["content"][0]["text"],
            text_of("system: Be kind\nuser: Hi\nassistant: Well[f 3]\ntool: 4\nuser: So?\nOnce upon a time"))
form = {"format": {"type": "json_schema", "name": "x", "schema": {"enum": ["yes"]}}}
m = post(text=form).json
check.equal("a schema", (m["output"][0]["content"][0]["text"], m["status"], m["incomplete_details"]), ('"yes"', "completed", None))
tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"enum": [7]}}, "required": ["a"],
                                                        "additionalProperties": False}}
call = {"tools": [tool], "tool_choice": {"type": "function", "name": "f"}, "max_output_tokens": 60}
m = post(**call).json
check.equal("a call", [(i["type"], i["name"], json.loads(i["arguments"])) for i in m["output"]], [("function_call", "f", {"a": 7})])
check.equal("required", post(**{**call, "tool_choice": "required"}).json["output"][0]["name"], "f")

events = streamed()
check.equal("a stream", [e["type"][9:] for e in events if e["type"] != "response.output_text.delta"],
            ["created", "in_progress", "output_item.added", "content_part.added", "output_text.done", "content_part.done",
             "output_item.done", "incomplete"])
check.equal("its text", "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta"), whole)
last = events[-1]["response"]
check.equal("its end", (last["output"][0]["content"][0]["text"], last["usage"]["output_tokens"]), (whole, 9))
check.equal("its items' ids", {e["item_id"] for e in events if "item_id" in e}, {last["output"][0]["id"]})
events = streamed(**call)
check.equal("a call in a stream", [e["type"][9:] for e in events],
            ["created", "in_progress", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
             "output_item.done", "completed"])
check.equal("its arguments", json.loads(events[4]["arguments"]), {"a": 7})

for what, param, fields in [
    ("what was stored", "previous_response_id", {"previous_response_id": "resp_1"}),
    ("a field that is not known", "background", {"background": True}),
    ("no input", "input", {"input": []}),
    ("an image", "input", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}),
    ("an item of another kind", "input", {"input": [{"type": "computer_call"}]}),
    ("a tool of the service's own", "tools", {"tools": [{"type": "web_search"}]}),
    ("a format of no kind", "response_format", {"text": {"format": {"type": "poem"}}}),
]:
    r = post(**fields)
    check.equal(what, (r.status, r.error["param"]), (400, param))
check.equal("another model", post(model="other").status, 404)
check.equal("the server ends", server.end(), 0)

# ---- kinds that alternate ----
with open(path, "w") as f:
    f.write("{# <|channel|> <|message|> #}{% for m in messages %}{{ m.content }}{% endfor %}")
server = Server(weft, model, "--deterministic", "--chat-template", path, "--name", "tiny")
runs = [("analysis", "a"), ("commentary", "b"), ("analysis", "c"), ("final", "d")]
said = "<|end|><|start|>assistant".join("<|channel|>%s<|message|>%s" % run for run in runs)
fields = {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"enum": [said]}}}, "max_output_tokens": 300}


def texts(items):
    return [(i["type"], i["content"][0]["text"], i["id"]) for i in items]


items = post(**fields).json["output"]
check.equal("an item each", [t[:2] for t in texts(items)], 
            [("message", '"'), ("reasoning", "a"), ("message", "b"), ("reasoning", "c"), ("message", 'd"')])
events = streamed(**fields)
check.equal("the same in a stream", texts(events[-1]["response"]["output"]),
            texts(e["item"] for e in events if e["type"] == "response.output_item.done"))
check.equal("of the same texts", [t[:2] for t in texts(events[-1]["response"]["output"])], [t[:2] for t in texts(items)])
check.equal("the other server ends", server.end(), 0)
check.end()
