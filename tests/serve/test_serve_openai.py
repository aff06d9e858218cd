"""test_serve_openai.py WEFT MODEL PACKAGES: the official `openai` client against `weft serve`: what it sends is understood, and what it
gets is what it expects. Skipped (77) where there is no such package: tools/setup fetches it into build/openai."""

import glob
import os
import sys
import tempfile

from serving import Checks, Server, template_in, together

weft, model, packages = sys.argv[1:4]
sys.path[:0] = glob.glob(os.path.join(packages, "lib/python3*/site-packages"))
try:
    import openai
except ImportError:
    print("SKIPPED: the package openai is not here (tools/setup)")
    sys.exit(77)

check = Checks()
folder = tempfile.TemporaryDirectory()
keys = os.path.join(folder.name, "keys")
with open(keys, "w") as f:
    f.write("sesame\n")
server = Server(weft, model, "--deterministic", "--name", "tiny", "--embeddings", "--api-key", keys, "--chat-template", template_in(folder.name))
base = f"http://127.0.0.1:{server.port}/v1"
client = openai.OpenAI(base_url=base, api_key="sesame", max_retries=0)
talk = [{"role": "user", "content": "Hi"}]
STORY = "Once upon a time"


def refused(kind, what, call):
    try:
        call()
        check(what, False, "no error")
    except openai.APIError as e:
        check(what, type(e) is kind, e)
        return e


check.equal("models", [m.id for m in client.models.list()], ["tiny"])
check.equal("a model", client.models.retrieve("tiny").owned_by, "weft")
r = client.completions.create(model="tiny", prompt=STORY, max_tokens=9, temperature=0, logprobs=2)
check.equal("a completion", (r.choices[0].text, r.choices[0].finish_reason, r.usage.total_tokens),
            (", there was a little girl named Lily.", "length", 13))
check.equal("log-probabilities", (len(r.choices[0].logprobs.tokens), len(r.choices[0].logprobs.top_logprobs[0])), (9, 2))
text = "".join(e.choices[0].text for e in client.completions.create(model="tiny", prompt=STORY, max_tokens=9, temperature=0,
                                                                    stream=True))
check.equal("a stream", text, r.choices[0].text)
chat = client.chat.completions.create(model="tiny", messages=talk, max_completion_tokens=9, temperature=0, logprobs=True,
                                      top_logprobs=3, n=2, stop=["zzz"], seed=1, user="me", presence_penalty=0.1,
                                      frequency_penalty=0.1, logit_bias={"5": -100}, response_format={"type": "text"})
message = chat.choices[0].message
check.equal("a chat", (message.role, chat.object, chat.usage.completion_tokens), ("assistant", "chat.completion", 18))
check.equal("its tokens", "".join(t.token for t in chat.choices[0].logprobs.content), message.content)
chunks = list(client.chat.completions.create(model="tiny", messages=talk, max_tokens=9, temperature=0, stream=True, seed=1,
                                             stream_options={"include_usage": True}))
plain = client.chat.completions.create(model="tiny", messages=talk, max_tokens=9, temperature=0).choices[0].message.content
check.equal("a chat's stream", "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), plain)
check.equal("its usage", chunks[-1].usage.completion_tokens, 9)
with client.chat.completions.stream(model="tiny", messages=talk, max_tokens=9, temperature=0, stop=plain[-3:]) as events:
    for event in events:
        pass
    check.equal("its helper for streams", events.get_final_completion().choices[0].message.content, plain[:-3])
form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"enum": ["yes", "no"]}}}
said = client.chat.completions.create(model="tiny", messages=talk, response_format=form).choices[0].message.content
check("an answer of a schema", said in ('"yes"', '"no"'), said)
v = client.embeddings.create(model="tiny", input=["a red ball", "a dog"])
check.equal("vectors", ([len(d.embedding) for d in v.data], type(v.data[0].embedding[0])), ([256, 256], float))
e = refused(openai.NotFoundError, "an unknown model", lambda: client.completions.create(model="gpt", prompt="x"))
check.equal("its code and field", (e.code, e.param), ("model_not_found", "model"))
refused(openai.BadRequestError, "a bad temperature", lambda: client.completions.create(model="tiny", prompt="x", temperature=-1))
refused(openai.UnprocessableEntityError, "what the template refuses", lambda: client.chat.completions.create(
    model="tiny", messages=[{"role": "refuse", "content": "x"}]))
refused(openai.AuthenticationError, "a wrong key", lambda: openai.OpenAI(base_url=base, api_key="x", max_retries=0).models.list())
texts = together([lambda: client.chat.completions.create(model="tiny", messages=talk, max_tokens=9, temperature=0)
                  .choices[0].message.content] * 8)
check.equal("eight at once", texts, [plain] * 8)
stream = client.completions.create(model="tiny", prompt=STORY, max_tokens=500, stream=True, extra_body={"ignore_eos": True})
next(stream)
stream.close()
check.equal("a stream that is closed", client.completions.create(model="tiny", prompt=STORY, max_tokens=9,
                                                                 temperature=0).choices[0].text, text)
check.equal("the server ends", server.end(), 0)
check.end()
