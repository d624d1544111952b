// What happens, as it happens.
import { h, morph } from "./dom.js";
import { button, icon, toast } from "./parts.js";
import { clock, date, number, say } from "./say.js";

const KEPT = 1000;
const SHOWN = 250;
const DRAW_MS = 250;
/** What is worth reading of an event's data, first things first. */
const GIST = [
    "step",
    "kind",
    "value",
    "action",
    "ended",
    "reason",
    "code",
    "raised",
    "slot",
    "count",
    "sale",
    "people",
];

let source = null;
let drawn = null;
let events = [];
let waiting = [];
let paused = false;
let away = false;
let fresh = false;
let timer = 0;
const wanted = { type: "", subject: "", text: "" };

function gist(event) {
    const data = event.data ?? {};
    const names = [...GIST.filter(name => name in data), ...Object.keys(data).filter(name => !GIST.includes(name))];
    const told = names.filter(name => data[name] !== null && typeof data[name] !== "object").slice(0, 5);
    return told.map(name => `${name} ${data[name]}`).join(" · ");
}

function take(list) {
    const known = events.length ? events[0].row : 0;
    // A browser that goes on somewhere may be told again what it knows.
    events = [...list.filter(one => one.row > known).reverse(), ...events].slice(0, KEPT);
}

function hear(one) {
    waiting.push(one);
    if (waiting.length > KEPT) waiting.splice(0, waiting.length - KEPT);
    fresh = true;
}

function open() {
    source = new EventSource("/api/v1/events/stream");
    source.onmessage = message => hear(JSON.parse(message.data));
    source.addEventListener("gap", message => {
        const gap = JSON.parse(message.data);
        hear({ gap, row: gap.to });
    });
    source.onopen = () => {
        away = false;
        fresh = true;
    };
    source.onerror = () => {
        away = true;
        fresh = true;
    };
}

const types = () => [...new Set(events.filter(one => !one.gap).map(one => one.type))].sort();
const subjects = () => [...new Set(events.filter(one => !one.gap).map(one => one.subject))].sort();

function matches(one) {
    if (one.gap) return !wanted.text;
    return (
        (!wanted.type || one.type === wanted.type) &&
        (!wanted.subject || one.subject === wanted.subject) &&
        (!wanted.text || JSON.stringify(one).toLowerCase().includes(wanted.text))
    );
}

async function copy(event) {
    const text = JSON.stringify(event, null, 2);
    try {
        await navigator.clipboard.writeText(text);
        toast(say("copied"));
    } catch {
        const area = h("textarea", { class: "out" }, text);
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        toast(say(done ? "copied" : "not_copied"), done ? "ok" : "warning");
    }
}

/** The whole event is made when somebody wants to see it. */
function unfold(details, event) {
    const body = details.querySelector(".whole");
    if (!details.open || body.firstChild) return;
    body.append(
        button([icon("copy"), say("copy_json")], () => copy(event), { class: "small" }),
        h("pre", { tabindex: "0" }, JSON.stringify(event, null, 2)),
    );
}

function row(one) {
    if (one.gap) {
        const { from, to } = one.gap;
        return h(
            "li",
            { class: "gap", "data-key": `gap${to}` },
            icon("warning"),
            say("gap", { n: number(to - from + 1), from, to }),
        );
    }
    const details = h(
        "details",
        { "data-own": true, ontoggle: () => unfold(details, one) },
        h(
            "summary",
            {},
            h("time", { datetime: one.time, title: date(one.time) }, clock(one.time)),
            h("span", { class: `type ${one.type.split(".")[0]}` }, one.type.replace(/\.v\d+$/, "")),
            h("span", { class: "subject" }, one.subject),
            h("span", { class: "gist" }, gist(one)),
        ),
        h("div", { class: "whole" }),
    );
    return h("li", { "data-key": String(one.row) }, details);
}

function choice(id, options) {
    const node = h(
        "select",
        {
            id,
            "aria-label": say("filter_" + id),
            onchange: event => {
                wanted[id] = event.target.value;
                draw();
            },
        },
        h("option", { value: "" }, say("filter_" + id)),
        options.map(value => h("option", { value, selected: wanted[id] === value }, value)),
    );
    return node;
}

function status(shown) {
    if (away) return say("stream_away");
    if (paused) return say("stream_paused", { n: number(waiting.length) });
    return say("stream_live", { n: number(shown) });
}

function tools() {
    const toggle = button(
        [icon(paused ? "play" : "pause"), say(paused ? "go_on" : "pause")],
        () => {
            paused = !paused;
            fresh = true;
            draw();
        },
        { "aria-pressed": String(paused), class: paused ? "main" : "" },
    );
    const text = h("input", {
        type: "search",
        id: "text",
        placeholder: say("filter_text"),
        "aria-label": say("filter_text"),
        oninput: event => {
            wanted.text = event.target.value.trim().toLowerCase();
            draw();
        },
    });
    return h("div", { class: "tools" }, toggle, choice("type", types()), choice("subject", subjects()), text);
}

function draw() {
    if (!drawn) return;
    if (!paused && waiting.length) {
        take(waiting);
        waiting = [];
    }
    const found = events.filter(matches);
    const rows = found.slice(0, SHOWN).map(row);
    const list = rows.length
        ? h("ol", { class: "events" }, rows)
        : h("p", { class: "empty" }, say(events.length ? "none_match" : "no_events"));
    drawn.removeAttribute("data-own");
    drawn = morph(
        drawn,
        h(
            "div",
            { id: "stream" },
            tools(),
            h(
                "p",
                { class: `live ${away ? "away" : paused ? "paused" : ""}`, role: "status" },
                status(found.length),
            ),
            list,
        ),
    );
    // The poll of the overview leaves it alone.
    drawn.setAttribute("data-own", "");
    fresh = false;
}

export default {
    enter() {
        open();
        timer = setInterval(() => {
            if (fresh) draw();
        }, DRAW_MS);
    },
    leave() {
        source?.close();
        clearInterval(timer);
        drawn = null;
        events = [];
        waiting = [];
        paused = false;
    },
    mounted(view) {
        drawn = view.querySelector("#stream");
        draw();
    },
    render: () => [h("div", { id: "stream", "data-own": true })],
};
