// dom.js: elements, for this page and for the server's (tools/serve/page).

const byId = (id) => document.getElementById(id);

/** h("p", { class: "x", onclick: f }, child, ...): an element. Strings become text, null and false are left out. */
function h(tag, attributes, ...children) {
    const svg = tag.startsWith("svg:");
    const element = svg
        ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
        : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return element;
}
