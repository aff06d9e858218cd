// page.js: the page at / of `weft serve`: a conversation, or a text that goes on, by the server's own API. Tokens show
// what else the model thought of. Nothing is loaded from elsewhere; only settings are stored, in the browser.

const store = {
    get(name) {
        try {
            return localStorage.getItem("weft-" + name);
        } catch {
            return null; // a browser that keeps nothing
        }
    },
    set(name, value) {
        try {
            localStorage.setItem("weft-" + name, value);
        } catch {
            // as above
        }
    },
};

/* ---- what can be set ---- */

const PARAMETERS = [
    { name: "system", label: "System prompt", kind: "text", chat: true },
    { name: "temperature", label: "Temperature", kind: "number", value: "0.8", min: 0, max: 10, step: 0.05 },
    { name: "top_p", label: "Top-p", kind: "number", value: "0.95", min: 0, max: 1, step: 0.01 },
    { name: "top_k", label: "Top-k (0: all)", kind: "number", value: "40", min: 0, step: 1 },
    { name: "min_p", label: "Min-p", kind: "number", value: "0.05", min: 0, max: 1, step: 0.01 },
    { name: "repeat_penalty", label: "Repeat penalty", kind: "number", value: "1", min: 0.01, step: 0.05 },
    { name: "max_tokens", label: "Tokens at most", kind: "number", value: "400", min: 1, step: 1 },
    { name: "seed", label: "Seed", kind: "number", value: "", min: 0, step: 1, empty: "random" },
    { name: "stop", label: "Stop at (a line each)", kind: "text" },
    { name: "shade", label: "Shade unlikely tokens", kind: "switch", value: "1" },
];

function parameterField(p) {
    const id = "p-" + p.name,
        kept = (p.kind !== "text" && store.get(p.name)) || p.value || "";
    let input;
    if (p.kind === "text") input = h("textarea", { id, rows: 2 });
    else if (p.kind === "switch") input = h("input", { id, type: "checkbox" });
    else input = h("input", { id, type: "number", min: p.min, max: p.max, step: p.step, placeholder: p.empty });
    if (p.kind === "switch") input.checked = kept === "1";
    else input.value = kept;
    input.addEventListener("change", () => {
        if (p.kind !== "text") store.set(p.name, p.kind === "switch" ? (input.checked ? "1" : "0") : input.value);
        shadeAll();
    });
    return h("label", { class: p.kind === "text" ? "field tall" : "field", id: "field-" + p.name }, p.label, input);
}

const setting = (name) => byId("p-" + name).value;
const shaded = () => byId("p-shade").checked;

/** The numbers that are set, and the texts to stop at, as the API wants them. */
function settings() {
    const body = {};
    for (const p of PARAMETERS.filter((p) => p.kind === "number"))
        if (setting(p.name) !== "") body[p.name] = Number(setting(p.name));
    const stop = setting("stop").split("\n").filter(Boolean);
    if (stop.length) body.stop = stop;
    return body;
}

/* ---- asking ---- */

function headers() {
    const key = byId("key").value;
    return { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
}

/** The error that a response is, if it is one. */
async function check(response) {
    if (response.ok) return response;
    const text = await response.text();
    if (response.status === 401) byId("key-field").hidden = false;
    let message = text;
    try {
        message = JSON.parse(text).error.message;
    } catch {
        // what stands between may answer in its own form
    }
    throw new Error(`${response.status}: ${message}`);
}

/** Calls `take` with each event of a stream until it ends. */
async function stream(path, body, signal, take) {
    const response = await check(
        await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(body), signal }),
    );
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the connection ended before the answer did");
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) {
            const data = event.replace(/^data: ?/, "");
            if (data === "[DONE]") return;
            const json = JSON.parse(data);
            if (json.error) throw new Error(json.error.message);
            take(json);
        }
    }
}

/* ---- tokens ---- */

/** What a chunk says of its tokens, in one form for both endpoints: [{ text, p, others: [[text, p], ...] }]. */
function tokensOf(choice) {
    const l = choice.logprobs;
    if (!l) return [];
    if (l.content)
        return l.content.map((t) => ({
            text: t.token,
            p: Math.exp(t.logprob),
            others: t.top_logprobs.map((o) => [o.token, Math.exp(o.logprob)]),
        }));
    return l.tokens.map((text, i) => ({
        text,
        p: Math.exp(l.token_logprobs[i]),
        others: Object.entries(l.top_logprobs[i] || {}).map(([t, x]) => [t, Math.exp(x)]),
    }));
}

function shade(span) {
    const doubt = 1 - Number(span.dataset.p);
    span.style.background = shaded() && doubt > 0.5 ? `rgba(var(--unsure), ${((doubt - 0.5) * 0.7).toFixed(2)})` : "";
}

function shadeAll() {
    document.querySelectorAll(".token").forEach(shade);
}

/** A piece of an answer: a span for each token, or one for those whose text came at once. */
function appendPiece(to, text, tokens) {
    const whole = tokens.map((t) => t.text).join("") === text,
        parts = whole ? tokens.map((t) => [t.text, [t]]) : [[text, tokens]];
    for (const [part, of] of parts) {
        if (!part) continue;
        const span = h("span", { class: of.length ? "token" : null }, part);
        if (of.length) {
            span.dataset.p = Math.min(...of.map((t) => t.p));
            span.tokens = of;
            shade(span);
        }
        to.append(span);
    }
}

const visible = (text) => text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/ /g, "␣");
const percent = (p) => (p < 0.0005 ? "<0.1" : (100 * p).toFixed(p < 0.0995 ? 1 : 0)) + " %";

function tokenTable(token) {
    const rows = token.others.slice();
    if (!rows.some(([text]) => text === token.text)) rows.push([token.text, token.p]);
    return h(
        "table",
        {},
        rows.map(([text, p]) =>
            h(
                "tr",
                { class: text === token.text ? "picked" : null },
                h("td", {}, h("code", {}, visible(text))),
                h("td", { class: "number" }, percent(p)),
                h("td", {}, h("i", { style: `width:${Math.max(1, Math.round(90 * p))}px` })),
            ),
        ),
    );
}

function showTip(span) {
    const tip = byId("tip"),
        box = span.getClientRects()[0];
    hideTip();
    span.classList.add("open");
    tip.replaceChildren(...span.tokens.map(tokenTable));
    tip.hidden = false;
    const below = box.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = Math.max(6, Math.min(box.left, innerWidth - tip.offsetWidth - 6)) + "px";
    tip.style.top = (below ? box.bottom + 6 : Math.max(6, box.top - 6 - tip.offsetHeight)) + "px";
}

function hideTip() {
    byId("tip").hidden = true;
    document.querySelectorAll(".token.open").forEach((s) => s.classList.remove("open"));
}

/* ---- a conversation, and a text ---- */

let mode = "chat",
    models = [],
    busy = null; // the AbortController of the answer that is being written
const messages = []; // { role, content }

/** The models whose adapter a name may be, the longest first: names may have colons in them. */
const prefixes = (name) =>
    models.filter((m) => name.startsWith(m.model + ":")).sort((a, b) => b.model.length - a.model.length);

/** The model that is chosen, or whose adapter is. */
function chosen() {
    const name = byId("model").value;
    return models.find((m) => m.model === name) || prefixes(name)[0] || models[0];
}

function showMessage(role) {
    const answer = h("p", { class: "answer" }),
        name = role === "user" ? "You" : byId("model").value;
    byId("messages").append(h("li", { class: role }, h("p", { class: "who" }, name), answer));
    byId("chat-empty").hidden = true;
    return answer;
}

/** Follows what is written, unless the reader has gone up. */
function follower(view) {
    const at_end = () => view.scrollHeight - view.scrollTop - view.clientHeight < 60;
    let follows = true;
    view.onscroll = () => (follows = at_end());
    return () => follows && (view.scrollTop = view.scrollHeight);
}

function setBusy(controller) {
    busy = controller;
    byId("send").disabled = byId("again").disabled = byId("clear").disabled = Boolean(controller);
    byId("stop").disabled = !controller;
}

function say(text) {
    byId("notice").hidden = !text;
    byId("notice").firstElementChild.textContent = text || "";
}

/** Writes an answer into `to`; resolves to its text, whole or as far as it came. */
async function answer(path, body, to, view) {
    const follow = follower(view),
        controller = new AbortController();
    let text = "",
        n = 0,
        first = 0;
    setBusy(controller);
    say("");
    try {
        await stream(path, { ...body, stream: true }, controller.signal, (json) => {
            const choice = json.choices[0];
            if (!choice) return;
            const piece = (choice.delta ? choice.delta.content : choice.text) || "",
                tokens = tokensOf(choice);
            if (tokens.length && !first) first = performance.now();
            n += tokens.length;
            text += piece;
            appendPiece(to, piece, tokens);
            const seconds = (performance.now() - first) / 1000;
            byId("pace").textContent = n > 1 ? `${n} tokens, ${((n - 1) / seconds).toFixed(1)}/s` : "";
            if (choice.finish_reason === "length") byId("pace").textContent += ", cut";
            if (choice.truncated) byId("pace").textContent += `, ${choice.dropped_tokens} forgotten`;
            follow();
        });
    } catch (fault) {
        if (fault.name !== "AbortError") say(fault.message);
    }
    setBusy(null);
    showFacts();
    return text;
}

/** Nothing came: what was asked is there to be sent again. */
function takeBack(empty) {
    const asked = messages.pop();
    empty.closest("li").remove();
    byId("messages").lastElementChild.remove();
    byId("input").value = byId("input").value || asked.content;
}

async function answerChat() {
    const system = setting("system").trim(),
        all = system ? [{ role: "system", content: system }, ...messages] : messages,
        body = { model: byId("model").value, messages: all, logprobs: true, top_logprobs: 5,
            reasoning_format: "none", ...settings() },
        to = showMessage("assistant"),
        text = await answer("/v1/chat/completions", body, to, byId("chat"));
    if (text) messages.push({ role: "assistant", content: text });
    else takeBack(to);
}

async function answerText() {
    const prompt = byId("input").value,
        to = byId("continued");
    byId("text-empty").hidden = true;
    to.replaceChildren(h("span", { class: "prompt" }, prompt));
    await answer(
        "/v1/completions",
        { model: byId("model").value, prompt, logprobs: 5, ...settings() },
        to,
        byId("text"),
    );
}

async function send() {
    const text = byId("input").value;
    if (busy || !text) return;
    if (mode === "text") return answerText();
    byId("input").value = "";
    messages.push({ role: "user", content: text });
    showMessage("user").textContent = text;
    return answerChat();
}

async function again() {
    if (busy) return;
    if (mode === "text") return answerText();
    if (messages.length && messages.at(-1).role === "assistant") {
        messages.pop();
        byId("messages").lastElementChild.remove();
    }
    if (messages.length) return answerChat();
}

function clearAll() {
    if (busy) return;
    messages.length = 0;
    byId("messages").replaceChildren();
    byId("continued").replaceChildren();
    byId("chat-empty").hidden = byId("text-empty").hidden = false;
    byId("pace").textContent = "";
    say("");
    byId("input").focus();
}

/* ---- views ---- */

function showMode(which) {
    const continues = chosen() && chosen().state === "loaded" && !chosen().chat_template; // nobody knows before
    mode = continues ? "text" : which;
    for (const name of ["chat", "text"]) {
        byId(name).hidden = name !== mode;
        byId("tab-" + name).setAttribute("aria-selected", name === mode);
    }
    byId("tab-chat").disabled = Boolean(continues);
    byId("tab-chat").title = byId("tab-chat").disabled ? "This model has no chat template: it continues texts" : "";
    byId("chat-empty").textContent = "Ask something. What you write goes to this server, and nowhere else.";
    byId("field-system").hidden = mode !== "chat";
    byId("input").placeholder = mode === "chat" ? "Message" : "Text to go on with";
    byId("send").textContent = mode === "chat" ? "Send" : "Go on";
    byId("send").title = mode === "chat" ? "Enter; Shift+Enter is a new line" : "Ctrl+Enter";
}

function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
    store.set("theme", theme);
}

const nextTheme = () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function toggleSide() {
    const narrow = matchMedia("(max-width: 760px)").matches,
        open = narrow ? byId("side").classList.toggle("open") : !byId("side").classList.toggle("closed");
    byId("side-button").setAttribute("aria-expanded", open);
}

/* ---- facts ---- */

function bytes(n) {
    return n >= 1 << 30 ? (n / (1 << 30)).toFixed(1) + " GiB" : (n / (1 << 20)).toFixed(0) + " MiB";
}

const bar = (share) => h("div", { class: "bar" }, h("i", { style: `width:${(100 * share).toFixed(1)}%` }));

/** What can be done with the model as it is. */
function actionsOf(m) {
    const button = (text, title, run) => h("button", { type: "button", class: "button", title, onclick: run }, text),
        load = (what) => () => act(post("/models/" + what, { model: m.model }));
    if (m.state === "unloaded") return [button("Load", "Load the model now; a message does it, too", load("load"))];
    if (m.state !== "loaded") return [];
    return [
        button("Profile", "Where the time goes: measured for a second, in which texts wait", () => act(showProfile(m))),
        models.length > 1 ? button("Unload", "Give its memory back when its texts have ended", load("unload")) : null,
    ];
}

function stateOf(m) {
    return h(
        "dl",
        {},
        [h("dt", {}, "State"), h("dd", {}, m.state)],
        m.waiting ? [h("dt", {}, "Waiting"), h("dd", {}, `${m.waiting} requests`)] : null,
    );
}

function factsOf(m, version) {
    if (m.state !== "loaded") return [stateOf(m)];
    const row = (name, value) => [h("dt", {}, name), h("dd", {}, value)],
        used = m.cells - m.cells_free,
        slots = Array.from({ length: Math.min(m.slots, 128) }, (_, i) => h("i", { class: i < m.running ? "used" : null }));
    return [
        h("dl", {}, row("Weft", version), models.length > 1 ? row("State", m.state) : null, row("Architecture", m.architecture), row("Device", m.device_name || m.device),
            row("Parameters", (m.parameters / 1e6).toFixed(m.parameters < 1e8 ? 1 : 0) + " M"),
            row("Memory", bytes(m.bytes)), row("Context", `${m.context.toLocaleString("en")} tokens`)),
        h("h2", {}, `Texts under way: ${m.running} of ${m.slots}` + (m.waiting ? `, ${m.waiting} wait` : "")),
        h("div", { class: "slots" }, slots),
        h("h2", {}, `Cache: ${used.toLocaleString("en")} of ${m.cells.toLocaleString("en")} tokens`),
        bar(m.cells ? used / m.cells : 0),
    ];
}

let shown = ""; // the state whose buttons are there: those in use are not replaced under the pointer

async function showFacts() {
    const props = await (await check(await fetch("/props", { headers: headers() }))).json();
    models = props.models;
    if (!chosen()) return;
    const state = `${chosen().model} ${chosen().state} ${models.length}`;
    byId("facts").replaceChildren(...factsOf(chosen(), props.version));
    if (state !== shown) {
        byId("actions").replaceChildren(...actionsOf(chosen()).filter(Boolean));
        showMode(store.get("mode") || "chat");
    }
    shown = state;
}

const post = async (path, body) =>
    check(await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(body) }));

/** Waits for what a button has begun, and says what went wrong. */
async function act(work) {
    byId("actions").inert = true;
    try {
        await work;
        say("");
    } catch (fault) {
        say(fault.message);
    }
    byId("actions").inert = false;
    await showFacts().catch((fault) => say(fault.message));
}

/** Opens the page that `weft profile` makes, in a window of its own. */
async function showProfile(m) {
    const view = window.open("", "_blank");
    try {
        const response = await check(await fetch("/profile/" + encodeURIComponent(m.model), { headers: headers() })),
            address = URL.createObjectURL(await response.blob());
        if (view) view.location = address;
        else location = address;
    } catch (fault) {
        if (view) view.close();
        throw fault;
    }
}

async function showModels() {
    const list = await (await check(await fetch("/v1/models", { headers: headers() }))).json(),
        names = list.data.map((m) => m.id);
    byId("model").replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    if (names.includes(store.get("model"))) byId("model").value = store.get("model");
}

async function begin() {
    try {
        await showModels();
        await showFacts();
        say("");
    } catch (fault) {
        say(fault.message);
    }
    showMode(store.get("mode") || "chat");
}

/* ---- events ---- */

function bindKeys() {
    const shortcuts = { KeyP: toggleSide, KeyT: nextTheme, KeyR: again, KeyN: clearAll };
    document.addEventListener("keydown", (e) => {
        const run = e.altKey && !e.ctrlKey && !e.metaKey && shortcuts[e.code];
        if (run) run();
        else if (e.key === "Escape" && busy) busy.abort();
        else if (e.key === "Escape") hideTip();
        else return;
        e.preventDefault();
    });
    byId("input").addEventListener("keydown", (e) => {
        const alone = !e.shiftKey && !e.ctrlKey && !e.metaKey;
        if (e.key !== "Enter" || e.isComposing || !(mode === "chat" ? alone : e.ctrlKey || e.metaKey)) return;
        e.preventDefault();
        send();
    });
}

function bindTips() {
    const token = (e) => (e.target.classList && e.target.classList.contains("token") ? e.target : null);
    for (const view of [byId("chat"), byId("text")]) {
        view.addEventListener("pointerover", (e) => (token(e) ? showTip(token(e)) : hideTip()));
        view.addEventListener("pointerleave", hideTip);
        view.addEventListener("click", (e) => token(e) && showTip(token(e)));
        view.addEventListener("scroll", hideTip);
    }
}

function bind() {
    byId("form").addEventListener("submit", (e) => {
        e.preventDefault();
        send();
    });
    byId("stop").addEventListener("click", () => busy && busy.abort());
    byId("again").addEventListener("click", again);
    byId("clear").addEventListener("click", clearAll);
    byId("theme").addEventListener("click", nextTheme);
    byId("side-button").addEventListener("click", toggleSide);
    byId("notice-close").addEventListener("click", () => say(""));
    byId("key").addEventListener("change", begin);
    for (const name of ["chat", "text"])
        byId("tab-" + name).addEventListener("click", () => {
            store.set("mode", name);
            showMode(name);
        });
    byId("model").addEventListener("change", () => {
        store.set("model", byId("model").value);
        showMode(store.get("mode") || "chat");
        showFacts().catch((fault) => say(fault.message));
    });
    bindKeys();
    bindTips();
}

byId("parameters").append(...PARAMETERS.map(parameterField));
setTheme(store.get("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
bind();
begin();
setInterval(() => document.hidden || showFacts().catch(() => {}), 2000);
byId("input").focus();
