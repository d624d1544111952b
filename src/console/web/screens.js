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

function screen(one) {
    const facts = Object.entries(one).filter(
        ([name, value]) =>
            !["id", "thumbnail", "state", "last_seen"].includes(name) &&
            value !== null &&
            typeof value !== "object",
    );
    return h(
        "li",
        { class: "card screen", "data-key": one.id },
        picture(one),
        h(
            "div",
            { class: "who" },
            h("h2", {}, one.id),
            one.state ? pill(one.state === "ok" ? "ok" : "warning", one.state) : null,
        ),
        h(
            "dl",
            { class: "facts" },
            fact(say("col_seen"), when(one.last_seen)),
            facts.map(([name, value]) => fact(say("screen_" + name, {}, name), String(value))),
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
