// What is wrong, how far the cloud is behind, how the devices are.
import { h } from "./dom.js";
import { card, conditionRow, empty, fact, icon, pill, when } from "./parts.js";
import { bytes, number, say, span } from "./say.js";

const CLASSES = ["money", "record", "telemetry"];

function conditions(state) {
    const rows = state.conditions.map(conditionRow);
    return card(say("conditions"), rows.length ? h("ul", { class: "conds" }, rows) : empty(say("all_well")));
}

function connection(state) {
    if (state.connected === null) return pill("info", say("cloud_none"));
    return state.connected ? pill("ok", say("cloud_connected")) : pill("warning", say("cloud_away"));
}

function drain({ buffer, connected }) {
    if (!buffer.unsent) return say("drain_empty");
    if (!connected) return say("drain_waits");
    return buffer.drain_s === null ? say("drain_unknown") : say("drain_in", { span: span(buffer.drain_s) });
}

function room({ room_hours: hours }) {
    if (hours === null) return say("room_unknown");
    return hours > 24 * 365 ? say("room_years") : say("room_in", { span: span(hours * 3600) });
}

function buffer(state) {
    const { buffer } = state;
    const rows = CLASSES.map(name => {
        const of = buffer.classes.find(one => one.class === name);
        return h(
            "tr",
            {},
            h("th", { scope: "row" }, say("class_" + name)),
            h("td", { class: "num" }, number(of.unsent)),
            h("td", {}, of.oldest_unsent ? when(of.oldest_unsent) : "–"),
            h("td", { class: "num" }, number(of.stored)),
        );
    });
    const used = buffer.max_bytes ? buffer.used_bytes / buffer.max_bytes : 0;
    const share = say("disk_of", { used: bytes(buffer.used_bytes), max: bytes(buffer.max_bytes) });
    return card(
        say("buffer"),
        h("div", { class: "line" }, connection(state), h("span", { class: "soft" }, drain(state))),
        h(
            "div",
            { class: "scroll", tabindex: "0", role: "region", "aria-label": say("buffer") },
            h(
                "table",
                { class: "plain" },
                h(
                    "thead",
                    {},
                    h(
                        "tr",
                        {},
                        ["class", "unsent", "oldest", "stored"].map(name =>
                            h(
                                "th",
                                { scope: "col", class: ["unsent", "stored"].includes(name) ? "num" : null },
                                say("col_" + name),
                            ),
                        ),
                    ),
                ),
                h("tbody", {}, rows),
            ),
        ),
        h(
            "dl",
            { class: "facts" },
            fact(
                say("disk"),
                h("meter", { min: 0, max: 1, high: 0.8, optimum: 0, value: used.toFixed(3), "aria-label": share }),
                share,
            ),
            fact(say("disk_free"), buffer.free_bytes === null ? "–" : bytes(buffer.free_bytes)),
            fact(say("room"), room(buffer)),
            fact(
                say("rate"),
                buffer.events_per_s === null
                    ? say("room_unknown")
                    : say("per_second", { n: buffer.events_per_s.toFixed(2) }),
            ),
        ),
    );
}

function devices(state) {
    const rows = state.devices.map(one =>
        h(
            "tr",
            { "data-key": one.id },
            h("th", { scope: "row" }, one.id),
            h("td", {}, pill(one.trouble, say("dev_" + one.state))),
            h("td", {}, when(one.last_seen)),
            h("td", { class: "evidence" }, one.evidence),
        ),
    );
    const more = h("a", { href: "#devices", class: "more" }, say("all_devices"));
    return card(
        say("nav_devices"),
        rows.length
            ? h(
                  "div",
                  { class: "scroll", tabindex: "0", role: "region", "aria-label": say("nav_devices") },
                  h(
                      "table",
                      { class: "plain" },
                      h(
                          "thead",
                          {},
                          h(
                              "tr",
                              {},
                              ["device", "state", "seen", "evidence"].map(name =>
                                  h("th", { scope: "col" }, say("col_" + name)),
                              ),
                          ),
                      ),
                      h("tbody", {}, rows),
                  ),
              )
            : h("p", { class: "soft" }, say("no_devices")),
        rows.length ? more : null,
    );
}

function safeMode(state) {
    if (!state.config.safe_mode) return null;
    return h(
        "div",
        { class: "banner error", "data-key": "safe" },
        icon("error"),
        h("p", {}, say("safe_mode")),
        h("a", { class: "button", href: "#config" }, say("mend_it")),
    );
}

export default {
    render: state => [
        safeMode(state),
        h("div", { class: "columns" }, conditions(state), buffer(state)),
        devices(state),
    ],
};
