// The gateway itself: version, diagnostics, who did what.
import { h } from "./dom.js";
import { button, card, complaint, fact, icon, when } from "./parts.js";
import { date, say, span } from "./say.js";
import { get } from "./talk.js";

const EVERY_MS = 4000;
let rows = null;
let trouble = null;
let timer = 0;
let redraw = () => {};

async function look() {
    try {
        rows = await get("/api/v1/audit?limit=100");
        trouble = null;
    } catch (error) {
        trouble = complaint(error);
    }
    redraw();
}

async function download(event) {
    const node = event.currentTarget;
    node.disabled = true;
    try {
        const text = JSON.stringify(await get("/api/v1/diagnostics"), null, 2);
        const link = h("a", {
            href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
            download: `diagnostics-${new Date().toISOString().slice(0, 19).replace(/:/g, "")}.json`,
        });
        document.body.append(link);
        link.click();
        setTimeout(() => {
            URL.revokeObjectURL(link.href);
            link.remove();
        }, 10000);
    } catch (error) {
        trouble = complaint(error);
        redraw();
    }
    node.disabled = false;
}

function facts(state) {
    const { config } = state;
    return card(
        say("gateway"),
        h(
            "dl",
            { class: "facts" },
            fact(say("name"), state.name),
            fact(say("version"), state.version),
            fact(say("uptime"), span(state.up_s)),
            fact(say("boot"), h("code", {}, state.boot)),
            fact(say("clock"), `${date(state.now)} · ${say(state.synced ? "clock_synced" : "clock_unsynced")}`),
            fact(
                say("last_config"),
                when(config.since),
                ` · ${say("from_" + config.from)}`,
                config.version ? ` (${config.version})` : "",
            ),
            fact(say("you_are"), `${state.user.name} · ${say("role_" + state.user.role)}`),
        ),
    );
}

function trail() {
    if (trouble) return h("p", { class: "wrong" }, trouble);
    if (!rows) return h("p", { class: "soft" }, say("loading"));
    if (!rows.length) return h("p", { class: "soft" }, say("nobody_did"));
    return h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": say("audit") },
        h(
            "table",
            { class: "plain" },
            h(
                "thead",
                {},
                h(
                    "tr",
                    {},
                    ["at", "who", "what", "outcome"].map(name => h("th", { scope: "col" }, say("col_" + name))),
                ),
            ),
            h(
                "tbody",
                {},
                rows.map(row =>
                    h(
                        "tr",
                        { "data-key": String(row.number) },
                        h("td", { class: "nowrap" }, date(row.at)),
                        h("td", {}, row.who),
                        h("td", {}, h("code", {}, row.what)),
                        h("td", {}, row.outcome),
                    ),
                ),
            ),
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
    render: state => [
        h(
            "div",
            { class: "columns" },
            facts(state),
            card(
                say("bundle"),
                h("p", { class: "soft" }, say("bundle_text")),
                button([icon("download"), say("bundle_get")], download, { class: "main", id: "bundle" }),
                h(
                    "p",
                    { class: "soft" },
                    say("for_programs"),
                    " ",
                    h("a", { href: "/health" }, "/health"),
                    " ",
                    h("a", { href: "/metrics" }, "/metrics"),
                ),
            ),
        ),
        card(say("audit"), trail()),
    ],
};
