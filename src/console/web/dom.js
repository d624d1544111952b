// Nodes from descriptions, and bringing a node up to date without disturbing whoever is using it.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "ontoggle", "onkeydown"];

/** A node. Properties that begin with `on` are handlers, the others attributes; children may be nested lists. */
export function h(tag, props, ...children) {
    const node = tag === "svg" || tag === "use" ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) {
        if (name.startsWith("on")) node[name] = value;
        else if (value === true) node.setAttribute(name, "");
        else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    const kept = children.flat(4).filter(child => child !== null && child !== undefined && child !== false);
    node.append(...kept.map(child => (child instanceof Node ? child : String(child))));
    return node;
}

const keyOf = node => node.dataset?.key ?? node.id ?? "";

/** Makes `old` what `now` is, in place where it can be. What stands there afterwards. */
export function morph(old, now) {
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName || keyOf(old) !== keyOf(now)) {
        old.replaceWith(now);
        return now;
    }
    if (old.nodeType === Node.TEXT_NODE) {
        if (old.data !== now.data) old.data = now.data;
        return old;
    }
    // Such a part is its own author's.
    if (old.hasAttribute("data-own")) return old;
    attributes(old, now);
    children(old, now);
    // What somebody has chosen once does not follow the attribute any more.
    if (old.nodeName === "OPTION" && now.hasAttribute("selected")) old.selected = true;
    return old;
}

function attributes(old, now) {
    for (const { name, value } of [...now.attributes]) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
        // A person opens and closes what can be opened.
        if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const name of HANDLERS) if (old[name] !== now[name]) old[name] = now[name];
}

function children(old, now) {
    const keyed = new Map([...old.children].filter(keyOf).map(child => [keyOf(child), child]));
    let at = old.firstChild;
    for (const child of [...now.childNodes]) {
        const key = keyOf(child);
        const match = key ? keyed.get(key) : at && !keyOf(at) ? at : null;
        if (!match) {
            old.insertBefore(child, at);
            continue;
        }
        if (match !== at) old.insertBefore(match, at);
        at = morph(match, child).nextSibling;
    }
    while (at) {
        const next = at.nextSibling;
        at.remove();
        at = next;
    }
}
