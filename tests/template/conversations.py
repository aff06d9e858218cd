"""Six conversations that every template is rendered with, and how transformers renders one."""
import copy
import datetime
import functools

NOW = "2026-11-30T09:10:45.123456"

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Looks up the weather. It's <b>fast</b> & free.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "The city's name, as \"Paris\""},
        "days": {"type": "integer", "default": 1, "minimum": 0},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": ["number", "null"]}}}},
        "required": ["city"]}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "Sucht im Netz – schnell",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "array", "items": {"type": "integer"}}}, "required": []},
    "return": {"type": "string"}}}


def call(id, name, arguments):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = {
    "plain": {"messages": [{"role": "user", "content": "Hello, who are you?"}], "add_generation_prompt": True},
    "system": {"messages": [
        {"role": "system", "content": "  You are terse.\nAnswer in one line. "},
        {"role": "user", "content": "Count to 3"}, {"role": "assistant", "content": "1, 2, 3\n"},
        {"role": "user", "content": "And \"backwards\"?\n\n"}, {"role": "assistant", "content": " 3, 2, 1 "},
        {"role": "user", "content": "Thanks"}], "add_generation_prompt": True},
    "tools": {"messages": [
        {"role": "system", "content": "Use tools."},
        {"role": "user", "content": "Weather in Paris & <Rome>?"},
        {"role": "assistant", "content": "", "tool_calls": [
            call("abcdefgh1", "get_weather", {"city": "Paris", "days": 2, "exact": True, "scale": 1.5, "near": None, "tags": ["a", "b"]}),
            call("abcdefgh2", "get_weather", {"city": "Rome's \"centre\"", "where": {"lat": 41.9, "lon": 12}})]},
        {"role": "tool", "tool_call_id": "abcdefgh1", "name": "get_weather", "content": "{\"t\": 3, \"sky\": \"grey\"}"},
        {"role": "tool", "tool_call_id": "abcdefgh2", "name": "get_weather", "content": "sunny"},
        {"role": "assistant", "content": "Paris: 3 degrees. Rome: sun."},
        {"role": "user", "content": "Search more"}],
        "tools": [WEATHER, SEARCH], "add_generation_prompt": True},
    "reasoning": {"messages": [
        {"role": "user", "content": "17 * 23?"},
        {"role": "assistant", "reasoning_content": "17 * 20 = 340,\n17 * 3 = 51", "content": "391"},
        {"role": "user", "content": "Plus 9?"},
        {"role": "assistant", "content": "<think>\n391 + 9\n</think>\n\n400", "thinking": "391 + 9"},
        {"role": "user", "content": "Halve it"}],
        "add_generation_prompt": True, "enable_thinking": False, "reasoning_effort": "high"},
    "empty": {"messages": [
        {"role": "system", "content": ""}, {"role": "user", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [call("123456789", "search", {})]},
        {"role": "tool", "tool_call_id": "123456789", "name": "search", "content": ""},
        {"role": "assistant", "content": "Nothing.", "tool_calls": []}],
        "tools": [SEARCH], "documents": [{"title": "A", "text": "text of A"}], "add_generation_prompt": False},
    "unicode": {"messages": [
        {"role": "user", "content": [{"type": "text", "text": "Grüße, ÇA VA? ΣΊΣΥΦΟΣ 東京 🦊 e\u0301"}, {"type": "text", "text": "\u00a0zweiter\u2028Teil\t"}]},
        {"role": "assistant", "content": "Straße \\ 'x' \u0000 \x7f \x1f \u200d"},
        {"role": "user", "content": "{{ messages }} {% raw %} <|im_end|>\r\n</s>"}],
        "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>", "custom": {"ü": [1, 2.0, 1e16, 1e-5, True, None, -0.0]}},
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
for c in CONVERSATIONS.values():
    for k, v in TOKENS.items():
        c.setdefault(k, v)
    c["now"] = NOW


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(NOW)


@functools.lru_cache(None)
def compiled(template):
    import transformers.utils.chat_template_utils as utils
    utils.datetime = FixedTime
    return utils._compile_jinja_template(template)


def render(template, conversation):
    """The text, or None and why there is none: apply_chat_template(..., tokenize=False) of transformers."""
    import transformers.utils.chat_template_utils as utils
    utils.datetime = FixedTime
    c = copy.deepcopy(conversation)
    c.pop("now", None)
    messages = utils._normalize_chat_messages(c.pop("messages"))
    try:
        out = utils.render_jinja_template([messages], chat_template=template, tools=c.pop("tools", None),
                                          documents=c.pop("documents", None), **c)[0][0]
        out.encode()
        return out, None
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"
