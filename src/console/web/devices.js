// Every device, the one with most trouble first, each with what is known of it.
import { h } from "./dom.js";
import { conditionRow, pill, when } from "./parts.js";
import { say } from "./say.js";

let wanted = "";
let troubled = false;
let redraw = () => {};

function tools() {
    const search = h("input", {
        type: "search",
        id: "find-device",
        placeholder: say("find_device"),
        "aria-label": say("find_device"),
        value: wanted,
        oninput: event => {
            wanted = event.target.value;
            redraw();
        },
    });
    const only = h("input", {
        type: "checkbox",
        id: "troubled",
        checked: troubled,
        onchange: event => {
            troubled = event.target.checked;
            redraw();
        },
    });
    return h(
        "div",
        { class: "tools", "data-key": "tools" },
        search,
        h("label", { class: "check" }, only, say("only_trouble")),
    );
}

const matches = one =>
    (!troubled || one.trouble !== "ok") &&
    `${one.id} ${one.profile} ${one.evidence}`.toLowerCase().includes(wanted.trim().toLowerCase());

function device(one) {
    const errors = one.conditions.map(condition => conditionRow({ ...condition, device: null }));
    const why = errors.length
        ? h("ul", { class: "conds inner" }, errors)
        : one.state === "running"
          ? null
          : h("p", { class: "soft" }, say("why_" + one.state));
    return h(
        "li",
        { class: `card device ${one.trouble}`, "data-key": one.id },
        h("div", { class: "who" }, h("h2", {}, one.id), h("code", {}, one.profile)),
        h("div", { class: "how" }, pill(one.trouble, say("dev_" + one.state))),
        h(
            "dl",
            { class: "seen" },
            h("div", {}, h("dt", {}, say("col_seen")), h("dd", {}, when(one.last_seen))),
            h("div", {}, h("dt", {}, say("col_evidence")), h("dd", { class: "evidence" }, one.evidence || "–")),
        ),
        one.can.length
            ? h(
                  "a",
                  { class: "button", href: `#tests/${one.id}` },
                  say("nav_tests"),
                  h("span", { class: "out" }, ` ${one.id}`),
              )
            : null,
        why,
    );
}

export default {
    enter: draw => {
        redraw = draw;
    },
    render: state => {
        const shown = state.devices.filter(matches);
        const none = h("p", { class: "soft" }, say(state.devices.length ? "none_match" : "no_devices"));
        return [tools(), shown.length ? h("ul", { class: "devices" }, shown.map(device)) : none];
    },
};
