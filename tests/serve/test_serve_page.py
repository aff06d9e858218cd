#!/usr/bin/env python3
"""The page at / of `weft serve` in a headless Chromium: a conversation, a text, what tokens show, keys, a phone, errors.

test_serve_page.py WEFT MODEL [FOLDER]   with FOLDER, pictures of it go there"""

import os
import sys
import tempfile
import time

import serving

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "viewer"))
import browser

check = serving.Checks()


class Page:
    def __init__(self, b, port, folder):
        self.b, self.folder = b, folder
        b.open(f"http://127.0.0.1:{port}/")
        self.until("the page knows its model", "document.getElementById('facts').textContent.includes('Context')")

    def until(self, what, expression):
        end = time.monotonic() + serving.PATIENCE
        while not self.b.evaluate(expression):
            if time.monotonic() > end:
                check(what, False, self.b.evaluate("document.body.innerText"))
                check.end()
            time.sleep(0.02)
        check(what, True)

    def text(self, id):
        return self.b.evaluate(f"document.getElementById({id!r}).textContent")

    def centre(self, selector):
        return self.b.evaluate(
            f"(() => {{ const r = document.querySelector({selector!r}).getClientRects()[0];"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()")

    def click(self, selector):
        self.b.click(*self.centre(selector))

    def idle(self, what):
        self.until(what, "document.getElementById('stop').disabled")

    def set(self, name, value):
        self.b.evaluate(f"(() => {{ const i = document.getElementById('p-{name}'); i.value = {value!r};"
                        " i.dispatchEvent(new Event('change')); })()")

    def picture(self, name):
        if self.folder:
            self.b.settle()
            with open(os.path.join(self.folder, f"{name}.png"), "wb") as f:
                f.write(self.b.screenshot())


def conversation(page, server):
    b = page.b
    page.set("temperature", "0")
    page.set("max_tokens", "30")
    b.evaluate("document.getElementById('input').focus()")
    b.type("Tell me a story")
    b.key("Enter")
    page.until("an answer comes", "document.querySelectorAll('.assistant .token').length > 20")
    page.idle("and ends")
    said = b.evaluate("document.querySelector('.assistant .answer').textContent")
    body = {"messages": [{"role": "user", "content": "Tell me a story"}], "temperature": 0, "max_tokens": 30,
            "top_p": 0.95, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1}
    reply = server.post("/v1/chat/completions", body).json
    check.equal("the page shows what the server answers", said, reply["choices"][0]["message"]["content"])
    check("it says how fast, and that it was cut", "30 tokens" in page.text("pace") and "cut" in page.text("pace"))
    page.picture("chat")

    b.mouse("mouseMoved", *page.centre(".assistant .token:nth-child(3)"))
    b.settle()
    rows = b.evaluate("[...document.querySelectorAll('#tip tr')].map((r) => r.innerText)")
    check("a token shows five others with their shares", len(rows) in (5, 6) and all("%" in r for r in rows), rows)
    check.equal("one of them is what was taken", b.evaluate("document.querySelectorAll('#tip .picked').length"), 1)
    page.picture("token")
    b.mouse("mouseMoved", 2, 2)

    page.click("#again")
    page.idle("another answer")
    check.equal("takes the place of the one before", b.evaluate("document.querySelectorAll('li.assistant').length"), 1)
    b.evaluate("document.getElementById('input').focus()")
    b.key("a")
    b.key("Enter", modifiers=8)
    check("Shift+Enter is a new line", "\n" in b.evaluate("document.getElementById('input').value"))

    page.set("max_tokens", "4000")
    b.evaluate("document.getElementById('p-stop').value = 'never never never'")
    b.key("Enter")
    page.until("a long answer begins", "document.querySelectorAll('li:last-child .token').length > 3")
    b.key("Escape")
    page.idle("Escape stops it")
    check("what was said stays", b.evaluate("document.querySelectorAll('li:last-child .token').length") > 3)
    page.click("#clear")
    check.equal("a new conversation is empty", b.evaluate("document.querySelectorAll('#messages li').length"), 0)


def continued_text(page):
    b = page.b
    page.set("max_tokens", "12")
    page.click("#tab-text")
    b.evaluate("document.getElementById('input').value = 'Once upon a time'")
    b.evaluate("document.getElementById('input').focus()")
    b.key("Enter", modifiers=2)
    page.until("the text goes on", "document.querySelectorAll('#continued .token').length > 8")
    page.idle("and ends")
    check("after what was given", page.text("continued").startswith("Once upon a time, there was"),
          page.text("continued"))
    page.picture("text")


def looks(page):
    b = page.b
    before = b.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    check("the other theme", b.evaluate("document.documentElement.dataset.theme") != before)
    page.picture("dark")
    b.resize(380, 720)
    display = "getComputedStyle(document.getElementById('side')).display"
    check.equal("a phone shows no side at first", b.evaluate(display), "none")
    check("and needs no scrolling to the side", b.evaluate("document.documentElement.scrollWidth <= innerWidth"))
    page.picture("phone")
    page.click("#side-button")
    check.equal("but on request", b.evaluate(display), "block")
    page.picture("phone-side")
    page.click("#side-button")
    b.resize(1280, 800)
    unnamed = b.evaluate("""[...document.querySelectorAll('button, input, select, textarea')].filter((e) =>
        !e.innerText && !(e.labels && e.labels.length) && !e.getAttribute('aria-label')).map((e) => e.id)""")
    check.equal("every control has a name", unnamed, [])


def several(page, server):
    """Two models, of which one is loaded by a button and shows where its time goes."""
    b, before = page.b, len(page.b.log)
    choose = "(() => { const m = document.getElementById('model'); m.value = 'b'; m.dispatchEvent(new Event('change')); })()"
    actions = "[...document.querySelectorAll('#actions button')].map((e) => e.textContent).join()"
    b.open(f"http://127.0.0.1:{server.port}/")
    page.until("the first is loaded", f"{actions} === 'Profile,Unload'")
    b.evaluate(choose)
    page.until("the other is not", f"{actions} === 'Load' && document.getElementById('facts').textContent.includes('unloaded')")
    page.click("#actions button")
    page.until("a button loads it", f"{actions} === 'Profile,Unload'")
    page.picture("models")
    b.evaluate("window.open = () => (window.profile = {})")
    page.click("#actions button")
    page.until("its profile has a page", "String(window.profile.location).startsWith('blob:')")
    page.until("the button is there again", "!document.getElementById('actions').inert")
    page.click("#actions button:last-child")
    page.until("another gives it back", f"{actions} === 'Load'")
    check.equal("nothing more is said in the console", b.log[before:], [])
    b.evaluate("location = window.profile.location, 0")
    page.until("the page of the profile is the viewer's", "document.getElementById('weft-a') !== null && document.title.includes('b')")


def main():
    if not browser.find():
        print("no browser")
        sys.exit(77)
    weft, model = sys.argv[1:3]
    folder = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as t, browser.Browser() as b:
        template, keys = serving.template_in(t), os.path.join(t, "keys")
        with open(keys, "w") as f:
            f.write("secret\n")
        server = serving.Server(weft, model, "--chat-template", template)
        reply = server.get("/")
        check("one page that loads nothing", reply.status == 200 and b"default-src 'none'" in reply.body)
        page = Page(b, server.port, folder)
        conversation(page, server)
        continued_text(page)
        looks(page)
        check.equal("nothing is said in the console", b.log, [])
        server.end()
        page.click("#send")
        page.until("it says that nobody answers", "!document.getElementById('notice').hidden")
        server = serving.Server(weft, model, "--api-key", keys)
        b.open(f"http://127.0.0.1:{server.port}/")
        page.until("it asks for the key", "!document.getElementById('key-field').hidden")
        b.evaluate("(() => { const k = document.getElementById('key'); k.value = 'secret';"
                   " k.dispatchEvent(new Event('change')); })()")
        page.until("with which it goes on", "document.getElementById('facts').textContent.includes('Context')")
        check("a base model has no chat", b.evaluate("document.getElementById('tab-chat').disabled"))
        server.end()
        server = serving.Server(weft, f"a={model}", f"b={model}", "--context", "64")
        several(page, server)
        page.picture("profile")
        server.end()
    check.end()


main()
