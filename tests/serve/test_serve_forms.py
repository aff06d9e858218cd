"""test_serve_forms.py WEFT MODEL: reasoning and calls of tools in chats, in the forms that a model's template names. Grammars make
the bundled model write them."""

import json
import os
import sys
import tempfile

from serving import Checks, Server

weft, model = sys.argv[1:3]
check = Checks()
folder = tempfile.TemporaryDirectory()
talk = [{"role": "user", "content": "Hi"}]
TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}Once upon a time"


def tool(name, **properties):
    return {"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}}}


tools = [tool("f", a={"type": "integer", "minimum": 1, "maximum": 9}), tool("g", b={"enum": ["x", "y"]})]


def literal(text):
    return "root ::= " + json.dumps(text)


class Family:
    """A server whose template has the marks of a family."""

    def __init__(self, marks, end=""):
        path = os.path.join(folder.name, "template.jinja")
        with open(path, "w") as f:
            f.write("{# " + marks + " #}" + TURNS + end)
        self.server = Server(weft, model, "--chat-template", path)

    def ask(self, text=None, **fields):
        if text is not None:
            fields["grammar"] = literal(text)
        return self.server.post("/v1/chat/completions", {"messages": talk, "temperature": 0, "max_tokens": 200, **fields})

    def said(self, text=None, **fields):
        r = self.ask(text, **fields)
        return r.json["choices"][0]["message"] if r.status == 200 else r.json

    def streamed(self, text=None, **fields):
        """What a stream's deltas are together."""
        out = {}
        events = self.ask(text, stream=True, **fields).events
        for e in events[:-1]:
            for k, v in e["choices"][0]["delta"].items():
                out[k] = out[k] + v if k in out else v
        return out, events[-2]["choices"][0]["finish_reason"]

    def end(self):
        check.equal("the server ends", self.server.end(), 0)


def calls_of(message):
    return [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls", [])]


# ---- reasoning ----
family = Family("<think> <tool_call></tool_call>", "<think>\n")
r = family.ask("so it is\n</think>\n\nYes.", logprobs=True).json
m = r["choices"][0]["message"]
check.equal("reasoning", (m.get("reasoning_content"), m["content"]), ("so it is", "Yes."))
details = r["usage"]["completion_tokens_details"]
check("its tokens are counted", 0 < details["reasoning_tokens"] < r["usage"]["completion_tokens"], r["usage"])
check.equal("log-probabilities are of all tokens", len(r["choices"][0]["logprobs"]["content"]) >= r["usage"]["completion_tokens"] - 1, True)
m, finish = family.streamed("so it is\n</think>\n\nYes.")
check.equal("in a stream", (m.get("reasoning_content"), m["content"], finish), ("so it is", "Yes.", "stop"))
m = family.said("so\n</think>\n\nYes.", reasoning_format="none")
check.equal("reasoning_format none", (m.get("reasoning_content"), m["content"]), (None, "so\n</think>\n\nYes."))
check.equal("another", family.ask("a", reasoning_format="all").error["param"], "reasoning_format")
m, finish = family.streamed('so</think>\n<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>', tools=tools)
check.equal("and a call", (m.get("reasoning_content"), m["content"], calls_of(m), finish), ("so", "", [("f", {"a": 1})], "tool_calls"))

# ---- reasoning that the prompt has begun, and a form of the answer that has no room for its end ----
form = {"type": "json_schema", "json_schema": {"schema": tools[1]["function"]["parameters"]}}
for fields in ({"response_format": form}, {"response_format": form, "tools": tools}, {"grammar": 'root ::= "{\\"b\\": \\"x\\"}"'}):
    m = family.said(**fields)
    check("content is the object", m.get("content") and json.loads(m["content"])["b"] in "xy" and "reasoning_content" not in m, m)

# ---- calls that are demanded ----
r = family.ask(tools=tools, tool_choice="required", temperature=1, seed=4)
found = calls_of(r.json["choices"][0]["message"])
check("a call of some tool", len(found) == 1 and found[0][0] in "fg", r.body)
r = family.ask(tools=tools, tool_choice={"type": "function", "function": {"name": "g"}})
found = calls_of(r.json["choices"][0]["message"])
check("a call of one tool", found[0][0] == "g" and found[0][1]["b"] in "xy" and r.json["choices"][0]["finish_reason"] == "tool_calls", r.body)
m = family.streamed(tools=tools, tool_choice={"type": "function", "function": {"name": "g"}})[0]
check.equal("in a stream", calls_of(m), found)
of_defs = tool("h", a={"$ref": "#/$defs/A"})
of_defs["function"]["parameters"]["$defs"] = {"A": {"enum": ["p", "q"]}}
for some in ([of_defs], tools + [of_defs]):
    r = family.ask(tools=some, tool_choice="required")
    check.equal("a schema with $defs", r.status, 200)
for what, fields in [("no tools", {"tool_choice": "required"}), ("not this one", {"tools": tools, "tool_choice": {
        "type": "function", "function": {"name": "h"}}}), ("no such choice", {"tools": tools, "tool_choice": "perhaps"})]:
    r = family.ask(**fields)
    check.equal(what, (r.status, r.error["param"]), (400, "tool_choice"))
r = family.ask(tools=tools, tool_choice="required", response_format={"type": "json_object"})
check.equal("and a form", (r.status, r.error["param"]), (400, "tool_choice"))
m = family.said("</think><tool_call>{}</tool_call>", tools=tools, tool_choice="none")
check.equal("tool_choice none", (m["content"], m.get("tool_calls")), ("<tool_call>{}</tool_call>", None))
family.end()

# ---- other families ----
family = Family("<|channel|> <|message|>")
text = '<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>'
m, finish = family.streamed(text, tools=tools)
check.equal("channels", (m.get("reasoning_content"), m["content"], calls_of(m), finish), ("so", "", [("f", {"a": 1})], "tool_calls"))
m = family.said("<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>Yes")
check.equal("an answer in them", (m.get("reasoning_content"), m["content"]), ("so", "Yes"))
r = family.ask(tools=tools[:1], tool_choice="required")
check("a call that is demanded", calls_of(r.json["choices"][0]["message"])[0][0] == "f", r.body)
r = family.ask(tools=tools, tool_choice="required")
check.equal("only of one tool", (r.status, r.error["param"]), (400, "tool_choice"))
family.end()

family = Family("<tool_call> <function= <parameter=")
m = family.said("<tool_call>\n<function=f>\n<parameter=a>\n3\n</parameter>\n</function>\n</tool_call>", tools=tools)
check.equal("keys and values", (m["content"], calls_of(m)), (None, [("f", {"a": 3})]))
text = "<tool_call>\n<function=f>\n<parameter=a>\n3\n</parameter>\n"
for last, finish in (("</function>\n</tool_call>", "tool_calls"), ("<parameter=b>" + 400 * "z ", "length")):
    c = family.ask(text + last, tools=tools).json["choices"][0]
    check.equal("a call that is cut", (c["finish_reason"], "tool_calls" in c["message"]), (finish, finish == "tool_calls"))
check.equal("which cannot be demanded", family.ask(tools=tools, tool_choice="required").status, 400)
family.end()
check.end()
