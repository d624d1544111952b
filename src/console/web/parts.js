// Pieces that several views are made of.
import { h } from "./dom.js";
import { ago, condition, date, say } from "./say.js";

export const icon = name =>
    h("svg", { "aria-hidden": "true", class: "icon" }, h("use", { href: `/console/icons.svg#${name}` }));

/** A state: never by its colour alone. */
export const pill = (level, word) =>
    h("span", { class: `pill ${level}` }, icon({ degraded: "warning", failed: "error" }[level] ?? level), word);

export const card = (title, ...children) => h("section", { class: "card" }, h("h2", {}, title), children);

/** A time as its age, with the time itself to be had. */
export const when = text => (text ? h("time", { datetime: text, title: date(text) }, ago(text)) : say("never"));

/** A name and its value, for lists of facts. */
export const fact = (name, ...value) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));

export function conditionRow(one) {
    const { text, help } = condition(one);
    const place = one.device ? h("b", {}, one.device, " ") : null;
    return h(
        "li",
        { class: `cond ${one.severity}`, "data-key": `${one.code}/${one.device ?? ""}` },
        h("span", { class: "sev" }, icon(one.severity), say("sev_" + one.severity)),
        h(
            "div",
            {},
            h("p", {}, place, text),
            h("p", { class: "soft" }, help),
            h("p", { class: "tiny" }, one.code, " · ", when(one.since)),
        ),
    );
}

export const button = (label, onclick, props = {}) => h("button", { type: "button", onclick, ...props }, label);

/** Says something for a while, also aloud. */
export function toast(text, level = "ok") {
    const node = h("div", { class: `toast ${level}` }, icon(level), text);
    document.getElementById("toasts").append(node);
    setTimeout(() => node.remove(), 8000);
}

/** What went wrong, in the page's language where there is a word for it. */
export const complaint = error => say("refused_" + error.word, {}, error.message || String(error));

/** Asks before something is done. `fields`: nodes between the words and the buttons. Whether it shall be done. */
export function confirm(title, text, yes, fields = []) {
    return new Promise(resolve => {
        const form = h(
            "form",
            { method: "dialog" },
            h("h2", { id: "asked" }, title),
            h("p", {}, text),
            fields,
            h(
                "div",
                { class: "actions" },
                h("button", { value: "no", formnovalidate: true }, say("cancel")),
                h("button", { value: "yes", class: "main" }, yes),
            ),
        );
        const dialog = h("dialog", { "aria-labelledby": "asked" }, form);
        dialog.addEventListener("close", () => {
            dialog.remove();
            resolve(dialog.returnValue === "yes");
        });
        document.body.append(dialog);
        dialog.showModal();
    });
}

/** Shows a picture by itself. */
export function regard(title, src, alt) {
    const dialog = h(
        "dialog",
        { class: "regard", "aria-labelledby": "regarded" },
        h("h2", { id: "regarded" }, title),
        h("img", { src, alt }),
        h("form", { method: "dialog", class: "actions" }, h("button", { class: "main" }, say("close"))),
    );
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

export const empty = text => h("p", { class: "empty" }, icon("ok"), text);
