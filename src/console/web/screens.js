// The wall of screens: what each shows, as far as it says so itself.
import { h } from "./dom.js";
import { card, complaint, fact, pill, when } from "./parts.js";
import { say } from "./say.js";
import { get } from "./talk.js";

const EVERY_MS = 5000;
let screens = null;
let trouble = null;
let timer = 0;
let redraw = () => {};

async function look() {
    try {
        screens = await get("/api/v1/screens");
        trouble = null;
    } catch (error) {
        trouble = complaint(error);
    }
    redraw();
}

/** Only what this gateway serves is shown. */
const picture = one =>
    typeof one.thumbnail === "string" && one.thumbnail.startsWith("/")
        ? h("img", { src: one.thumbnail, alt: say("shows", { item: one.item ?? "–" }), loading: "lazy" })
        : h("div", { class: "nothing", "aria-hidden": "true" });

const known = value => value ?? "–";

function screen(one) {
    const word = say("wall_" + one.state);
    const revision =
        one.rev === one.wanted_rev
            ? String(one.rev)
            : say("rev_of", { rev: known(one.rev), wanted: one.wanted_rev });
    const skew = one.clock_skew_ms === null ? "–" : `${one.clock_skew_ms} ms`;
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
            fact(say("screen_rev"), revision),
            fact(say("screen_fps"), known(one.fps)),
            fact(say("screen_dropped"), known(one.dropped)),
            fact(say("screen_skew"), skew),
            fact(say("screen_waiting"), known(one.waiting)),
            fact(say("screen_pages"), `${one.pages} · ${one.page}`),
        ),
    );
}

export default {
    enter(draw) {
        redraw = draw;
        look();
        timer = setInterval(look, EVERY_MS);
    },
    leave: () => clearInterval(timer),
    render: () =>
        trouble
            ? [card(say("nav_screens"), h("p", { class: "wrong" }, trouble))]
            : [h("ul", { class: "wall" }, (screens ?? []).map(screen))],
};
