"""Conversations: the texts that transformers makes of them (tests/template/vectors.json), and replies."""

import asyncio
import datetime
import json
import pathlib
import tempfile
import unittest
from typing import Any

import weft

from common import ROOT, TINY
from harness import harness_class

TEMPLATES = ROOT / "tests/template"
VECTORS = json.loads((TEMPLATES / "vectors.json").read_text(encoding="utf-8"))
# a source distribution has those of our own alone
FOLDERS = [folder for folder in ("own", "published") if folder == "own" or (TEMPLATES / folder).exists()]
SIMPLE = (
    "{% for m in messages %}{% if m.role == 'system' and no_system %}{{ raise_exception('no system here') }}{% endif %}"
    "{{ m.content }}{% if not loop.last %} {% endif %}{% endfor %}{% if add_generation_prompt %},{% endif %}"
)


def fnv(data):
    found = 0xCBF29CE484222325
    for byte in data:
        found = ((found ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


class Texts(unittest.TestCase):
    def rendered(self, folder, name, values):
        values = dict(values)
        now, messages = datetime.datetime.fromisoformat(values.pop("now")), values.pop("messages")
        template = weft.ChatTemplate.parse((TEMPLATES / folder / name).read_bytes().decode(), name)
        try:
            return template.render(messages, now=now, **values)
        except (weft.InvalidError, weft.UnsupportedError):
            return None

    def compare(self, found, wanted, name):
        if isinstance(wanted, list):
            self.assertIsNotNone(found, name)
            found = [len(found.encode()), fnv(found.encode())]
        self.assertEqual(found, wanted, name)

    def test_as_in_transformers(self) -> None:
        for folder in FOLDERS:
            for name, wanted in VECTORS[folder].items():
                for which, values in VECTORS["conversations"].items():
                    self.compare(self.rendered(folder, name, values), wanted[which], (name, which))

    def test_continued_as_in_transformers(self) -> None:
        messages = [user("Hello"), assistant(" Yes, of  course, ")]
        values: dict[str, Any] = {**VECTORS["conversations"]["plain"], "messages": messages}
        values = {**values, "add_generation_prompt": False, "continue_final_message": True}
        for folder in FOLDERS:
            for name in VECTORS[folder]:
                self.compare(self.rendered(folder, name, values), VECTORS["continued"][name], name)
        self.assertEqual(messages[1]["content"], " Yes, of  course, ")  # the caller's

    def test_parts_go_on(self) -> None:
        template = weft.ChatTemplate.parse("{% for p in messages[-1].content %}[{{ p.text }}]{% endfor %}")
        parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}, {"type": "image"}]
        self.assertEqual(template.render([assistant(parts)], continue_final_message=True), "[one][two")
        self.assertEqual(parts[1]["text"], "two")

    def test_refused(self) -> None:
        template = weft.ChatTemplate.parse(SIMPLE, "mine")
        goes_on = {"continue_final_message": True}
        cases: list[tuple[Any, dict[str, Any], type[weft.WeftError], str]] = [
            ([], {}, weft.InvalidError, "messages"),
            ([{"role": "system", "content": "x"}], {"no_system": True}, weft.InvalidError, "no system here"),
            ([user({1})], {}, weft.InvalidError, "set"),
            ([user("\ud800")], {}, weft.InvalidError, ""),
            ([user("x")], {**goes_on, "add_generation_prompt": True}, weft.InvalidError, "not both"),
            ([user(None)], goes_on, weft.InvalidError, "no content"),
            ([], goes_on, weft.InvalidError, "no content"),
            ([user([{"type": "image"}])], goes_on, weft.InvalidError, "no text"),
        ]
        for messages, options, kind, text in cases:
            with self.assertRaisesRegex(kind, text):
                template.render(messages, **options)
        hides = weft.ChatTemplate.parse("{{ messages[0].content[:3] }}")
        with self.assertRaisesRegex(weft.UnsupportedError, "as it is"):
            hides.render([user("Hello")], continue_final_message=True)
        with self.assertRaisesRegex(weft.InvalidError, "mine"):
            weft.ChatTemplate.parse("{% if %}", "mine")
        template.close()
        with self.assertRaises(weft.InvalidError):
            template.text()


class Replies(unittest.TestCase):
    model: weft.Model
    folder: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(cls.folder.name)
        for file in TINY.iterdir():
            (path / file.name).symlink_to(file)
        (path / "chat_template.jinja").write_text(SIMPLE)
        (path / "additional_chat_templates").mkdir()
        (path / "additional_chat_templates/other.jinja").write_text("other {{ messages[0].content }}")
        cls.model = weft.Model(path)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.model.close()
        cls.folder.cleanup()

    def test_the_models_template(self) -> None:
        hello = [user("Hello")]
        self.assertEqual(self.model.chat_template.text(), SIMPLE)
        self.assertEqual(self.model.apply_chat_template(hello), "Hello")
        self.assertEqual(self.model.apply_chat_template(hello, add_generation_prompt=True), "Hello,")
        self.assertEqual(self.model.apply_chat_template(hello, chat_template="other"), "other Hello")
        with self.assertRaisesRegex(weft.NotFoundError, "other"):
            self.model.apply_chat_template(hello, chat_template="third")
        with self.assertRaises(weft.NotFoundError):
            weft.Model(TINY).chat(hello)

    def test_reply(self) -> None:
        prompt = self.model.tokenizer.encode("Once upon a time,")
        wanted = self.model.session().generate(prompt, max_tokens=8).run().text
        messages = [user("Once upon a time")]
        self.assertEqual(self.model.chat(messages, max_tokens=8).run().text, wanted)
        self.assertEqual("".join(t.text for t in self.model.chat(messages, max_tokens=8)), wanted)

        async def replied():
            return "".join([t.text async for t in self.model.chat(messages, max_tokens=8)])

        self.assertEqual(asyncio.run(replied()), wanted)
        goes_on = self.model.chat(
            [user("Once"), assistant("upon a time, there")],
            add_generation_prompt=False,
            continue_final_message=True,
            max_tokens=3,
        )
        self.assertEqual(goes_on.run().text, " was a little")

    def test_reply_of_a_grammar(self) -> None:
        messages, yes = [user("Once upon a time")], 'root ::= " " ("yes" | "no")'
        for session in (None, self.model.session()):
            self.assertIn(self.model.chat(messages, session=session, grammar=yes).run().text, (" yes", " no"))
            said = self.model.chat(messages, session=session, json_schema={"enum": [17]}).run()
            self.assertEqual(said.text, "17")

    def test_turns_before_are_kept(self) -> None:
        session, ran = self.model.session(deterministic=True), list[int]()
        run = session._run

        def counted(ids, *rest):
            ran.append(len(ids))
            return run(ids, *rest)

        setattr(session, "_run", counted)
        how = weft.Sampling(temperature=0.0, repeat_penalty=1.3)
        messages = [user("Once upon a time there was a big dog")]
        for _ in range(2):
            ran.clear()
            reply = session.chat(messages, max_tokens=6, sampling=how).run()
            alone = self.model.session(deterministic=True).chat(messages, max_tokens=6, sampling=how).run()
            self.assertEqual(reply.tokens, alone.tokens)
            messages += [assistant(reply.text), user("and a cat")]
        whole = self.model.tokenizer.encode(self.model.apply_chat_template(messages[:3]))
        self.assertLess(ran[0], whole.size - 4)  # the reply, perhaps split otherwise, and what was said then
        kept = session.length()
        session.chat([user("One day")], max_tokens=1).run()
        self.assertLess(session.length(), kept)

    def test_harness(self) -> None:
        lm = harness_class()(self.folder.name, batch_size=1, chat_template_args={"no_system": True})
        self.assertEqual(lm.chat_template(True), SIMPLE)
        self.assertEqual(lm.chat_template("other"), "other {{ messages[0].content }}")
        self.assertEqual(lm.chat_template(False), "")
        self.assertEqual(lm.tokenizer_name, self.folder.name.replace("/", "__"))
        self.assertEqual(lm.apply_chat_template([user("Hello")]), "Hello,")
        begun = [user("Hello"), assistant("Well,")]
        self.assertEqual(lm.apply_chat_template(begun, add_generation_prompt=False), "Hello Well,")
        with self.assertWarnsRegex(RuntimeWarning, "no system here"):
            text = lm.apply_chat_template([{"role": "system", "content": "Be kind."}, user("Hello")])
        self.assertEqual(text, "Hello,")


if __name__ == "__main__":
    unittest.main()
