// The wall of screens: what each shows, as far as it says so itself, and what can be tried on it.
import { h } from "./dom.js";
import { card, complaint, fact, icon, pill, when } from "./parts.js";
import { clock, number, say } from "./say.js";
import { get } from "./talk.js";
import { askedCard, may, screenTests, watchAsked } from "./tests.js";

const EVERY_MS = 5000;
const PICTURE_MS = 15000;
const PATIENCE_MS = 9000;
let screens = null;
let trouble = null;
let timer = 0;
let isOpen = false;
let redraw = () => {};
// Pictures of what screens show: `{url, at, asked}`, or `{why, asked}`.
const shots = new Map();

function forget(id) {
    const shot = shots.get(id);
    if (shot?.url) URL.revokeObjectURL(shot.url);
    shots.delete(id);
}

/** A new picture, unless the last one is young. Only as long as the wall is open does anybody ask for one. */
async function shoot(one) {
    const before = shots.get(one.id);
    if (before && Date.now() - before.asked < PICTURE_MS) return;
    shots.set(one.id, { ...before, asked: Date.now() });
    const made = { asked: Date.now() };
    try {
        const options = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
        const answer = await fetch(one.live, options);
        if (answer.ok) {
            made.at = answer.headers.get("taken");
            made.url = URL.createObjectURL(await answer.blob());
        } else made.why = (await answer.json()).error;
    } catch {
        made.why = "away";
    }
    forget(one.id);
    if (isOpen) shots.set(one.id, made);
    else if (made.url) URL.revokeObjectURL(made.url);
    redraw();
}

async function look() {
    if (document.hidden) return;
    try {
        screens = await get("/api/v1/screens");
        trouble = null;
    } catch (error) {
        trouble = complaint(error);
    }
    for (const one of screens ?? []) {
        if (one.live) shoot(one);
        else forget(one.id);
    }
    redraw();
}

/** Only what this gateway serves is shown, and said to be what it is. */
function picture(one) {
    const shot = one.live ? shots.get(one.id) : null;
    const alt = say("shows", { item: one.item ?? "–" });
    if (shot?.url) {
        const at = h("time", { datetime: shot.at }, shot.at ? clock(shot.at) : "");
        return h(
            "figure",
            { class: "shot" },
            h("img", { src: shot.url, alt }),
            h("figcaption", {}, pill("ok", say("picture_live")), " ", at),
        );
    }
    const dark = one.state === "dark";
    const isWrong = dark && one.page !== "mirror";
    const has = !dark && typeof one.thumbnail === "string" && one.thumbnail.startsWith("/");
    const words =
        one.page === "mirror"
            ? say("picture_mirror")
            : shot?.why
              ? say("refused_" + shot.why, {}, say("picture_none"))
              : say(has ? "picture_item" : "picture_none");
    return h(
        "figure",
        { class: "shot" },
        has
            ? h("img", { src: one.thumbnail, alt, loading: "lazy" })
            : h("div", { class: "nothing", "aria-hidden": "true" }, icon(isWrong ? "error" : "info")),
        h("figcaption", { class: "soft" }, words),
    );
}

/** The one with most trouble first. */
const TROUBLE = ["dark", "hidden", "empty", "old", "ok"];
const sorted = some =>
    [...some].sort((a, b) => TROUBLE.indexOf(a.state) - TROUBLE.indexOf(b.state) || a.id.localeCompare(b.id));

const known = value => value ?? "–";

function played(one) {
    if (!one.plays) return "–";
    const { complete, planned, since } = one.plays;
    return [
        say("plays_of", { complete: number(complete), planned: number(planned) }),
        h("div", { class: "tiny" }, say("plays_since", { at: clock(since) })),
    ];
}

function screen(one, state) {
    const word = say("wall_" + one.state);
    const revision =
        one.rev === one.wanted_rev
            ? String(one.rev)
            : say("rev_of", { rev: known(one.rev), wanted: one.wanted_rev });
    const skew = one.clock_skew_ms === null ? "–" : `${one.clock_skew_ms} ms`;
    const allowed = may(state, "technician");
    const why = !allowed ? say("needs_technician") : one.pages ? null : say("dark_why");
    return h(
        "li",
        { class: "card screen", "data-key": one.id },
        picture(one),
        h(
            "div",
            { class: "who" },
            h("h2", {}, one.id),
            pill({ ok: "ok", dark: "error" }[one.state] ?? "warning", word),
        ),
        h(
            "dl",
            { class: "facts" },
            fact(say("screen_item"), known(one.item)),
            fact(say("col_seen"), when(one.last_seen)),
            fact(say("screen_plays"), played(one)),
            fact(say("screen_waiting"), known(one.waiting)),
            fact(say("screen_rev"), revision),
            fact(say("screen_skew"), skew),
            fact(say("screen_fps"), known(one.fps)),
            fact(say("screen_dropped"), known(one.dropped)),
            fact(say("screen_pages"), `${one.pages} · ${one.page}`),
        ),
        why ? h("p", { class: "soft why" }, icon("info"), why) : null,
        screenTests(one, allowed && one.pages > 0),
    );
}

export default {
    enter(draw) {
        [redraw, isOpen] = [draw, true];
        watchAsked(draw);
        look();
        timer = setInterval(look, EVERY_MS);
    },
    leave() {
        clearInterval(timer);
        isOpen = false;
        [...shots.keys()].forEach(forget);
    },
    render: state => [
        askedCard(),
        trouble
            ? card(say("nav_screens"), h("p", { class: "wrong" }, trouble))
            : h(
                  "ul",
                  { class: "wall" },
                  sorted(screens ?? []).map(one => screen(one, state)),
              ),
    ],
};
