// What a technician tries on a device, and what became of it.
import { h } from "./dom.js";
import { button, card, complaint, confirm, icon, pill, regard, toast } from "./parts.js";
import { say } from "./say.js";
import { get, post } from "./talk.js";

const EVERY_MS = 3000;
const FOLLOW_MS = 400;
const FOLLOWED = 8;
const ROLES = ["viewer", "technician", "admin"];

let lanes = [];
let screens = [];
let asked = [];
let timer = 0;
let redraw = () => {};

/** Whether who is logged in may do what takes a role. */
export const may = (state, role) => ROLES.indexOf(state.user.role) >= ROLES.indexOf(role);

/** What is drawn anew when something that was asked for goes on. */
export const watchAsked = draw => {
    redraw = draw;
};

async function look() {
    try {
        screens = await get("/api/v1/screens");
        lanes = (await get("/api/v1/machines")).lanes;
    } catch {
        // The page's head says that the gateway does not answer.
    }
    redraw();
}

const pause = ms => new Promise(done => setTimeout(done, ms));

/** Asks for something that becomes a command, and follows it to its end. How it ended. */
export async function ask(title, path, body) {
    const one = { title, step: "sent", reason: null, at: new Date().toISOString(), over: false };
    asked = [one, ...asked].slice(0, FOLLOWED);
    redraw();
    try {
        const { id } = await post(path, body);
        one.id = id;
        while (!one.over) {
            const now = await get(`/api/v1/commands?id=${encodeURIComponent(id)}`);
            one.step = now.state === "ended" ? now.ended : now.state;
            one.reason = now.reason;
            one.over = now.state === "ended";
            redraw();
            if (!one.over) await pause(FOLLOW_MS);
        }
        toast(
            `${title}: ${say("step_" + one.step)}${one.reason ? ` (${one.reason})` : ""}`,
            one.step === "done" ? "ok" : "error",
        );
    } catch (error) {
        one.step = "refused";
        one.reason = complaint(error);
        one.over = true;
        toast(`${title}: ${one.reason}`, "error");
    }
    redraw();
    look();
    return one.step;
}

const command = (device, action, args) =>
    ask(`${say("do_" + action)} · ${device}`, "/api/v1/commands", { device, action, ...(args ? { args } : {}) });

/** What can be tried on a screen: it says its name, shows a pattern, loads its page anew, is looked at. */
export function screenTests(one, enabled) {
    const scene = name =>
        ask(`${say("do_" + name)} · ${one.id}`, "/api/v1/commands", {
            device: one.id,
            action: "show",
            args: { scene: `screen:${name}` },
        });
    const shot = async () => {
        if ((await scene("shot")) === "done")
            regard(one.id, `${one.live}?${Date.now()}`, say("picture_of", { screen: one.id }));
    };
    const named = (name, run) =>
        button([say("do_" + name), h("span", { class: "out" }, ` ${one.id}`)], run, {
            disabled: !enabled,
            class: "small",
            "data-does": name,
        });
    return h(
        "div",
        { class: "actions" },
        ["identify", "pattern", "reload"].map(name => named(name, () => scene(name))),
        one.live ? named("shot", shot) : null,
    );
}

async function restart(device) {
    if (await confirm(say("do_device.restart"), say("restart_text", { device }), say("do_device.restart"))) {
        command(device, "device.restart");
    }
}

async function dispense(device, slot) {
    const text = say("dispense_text", { device, slot });
    const sure = h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", required: true, id: "sure" }),
        say("dispense_sure"),
    );
    if (await confirm(say("do_dispense"), text, say("do_dispense"), [sure])) command(device, "dispense", { slot });
}

function lane(device, one, allowed, ready) {
    const count = h("input", {
        type: "number",
        min: 0,
        max: one.capacity ?? 999,
        value: one.count ?? "",
        class: "count",
        id: `count-${device}-${one.slot}`,
        "data-own": true,
        "aria-label": say("count_of", { slot: one.slot }),
    });
    const set = () => {
        const input = document.getElementById(count.id);
        if (input.value !== "" && input.reportValidity())
            command(device, "stock.set", { slot: one.slot, count: Number(input.value) });
    };
    const level = one.status === "open" ? "ok" : one.status === "empty" ? "info" : "error";
    const named = (text, onclick, enabled, extra = "") =>
        button([text, h("span", { class: "out" }, ` ${one.slot}`)], onclick, {
            disabled: !enabled,
            class: `small ${extra}`,
        });
    const known = one.count ?? "?";
    const stock = one.capacity
        ? say("stock_of", { count: known, capacity: one.capacity })
        : say("stock_is", { count: known });
    return h(
        "li",
        { class: "lane", "data-key": `${device}/${one.slot}` },
        h("b", {}, say("lane_n", { slot: one.slot })),
        h("div", {}, pill(level, say("lane_" + one.status))),
        h("span", { class: "soft" }, stock),
        h(
            "div",
            { class: "lane-actions" },
            count,
            named(say("do_stock.set"), set, allowed),
            named(
                say("do_lane.clear"),
                () => command(device, "lane.clear", { slot: one.slot }),
                allowed && one.status !== "open",
            ),
            named(say("do_dispense"), () => dispense(device, one.slot), allowed && ready, "danger"),
        ),
    );
}

function machine(one, allowed, ready) {
    const own = lanes.filter(lane => lane.machine === one.id);
    if (!own.length) return h("p", { class: "soft" }, say("no_lanes"));
    const rows = own.map(each => lane(one.id, each, allowed, ready));
    return h("ul", { class: "lanes", "aria-label": `${say("lanes")} ${one.id}` }, rows);
}

function onScreen(one, enabled) {
    const wall = screens.find(each => each.id === one.id);
    const isThere = Boolean(wall?.pages);
    return [
        enabled && !isThere ? h("p", { class: "soft why" }, icon("info"), say("dark_why")) : null,
        screenTests(wall ?? { id: one.id, live: null }, enabled && isThere),
    ];
}

function device(one, state) {
    const allowed = may(state, "technician");
    const ready = one.state === "running";
    const can = action => one.can.includes(action);
    const scan = on =>
        button(say(on ? "scan_on" : "scan_off"), () => command(one.id, "scan.trigger", { on }), {
            disabled: !allowed || !ready,
        });
    const why = !allowed
        ? say("needs_technician")
        : ready
          ? null
          : say("offline_why", { state: say("dev_" + one.state) });
    return h(
        "section",
        { class: "card test", "data-key": one.id, id: `test-${one.id}` },
        h("div", { class: "who" }, h("h2", {}, one.id), pill(one.trouble, say("dev_" + one.state))),
        why ? h("p", { class: "soft why" }, icon("info"), why) : null,
        h(
            "div",
            { class: "actions" },
            can("device.restart")
                ? button(say("do_device.restart"), () => restart(one.id), { disabled: !allowed })
                : null,
            can("scan.trigger") ? [scan(true), scan(false)] : null,
        ),
        can("show") ? onScreen(one, allowed && ready) : null,
        can("stock.set") ? machine(one, allowed, ready) : null,
        !one.can.length ? h("p", { class: "soft" }, say("no_tests")) : null,
    );
}

const STEPS = ["sent", "accepted", "dispatched", "done"];

function followed(one) {
    const at = STEPS.indexOf(one.step);
    const reached = at < 0 ? STEPS.length : at;
    const marks = STEPS.map((step, index) =>
        h(
            "li",
            {
                class: index < reached ? "past" : index === at ? "now" : "",
                "aria-current": index === at ? "step" : null,
            },
            say("step_" + (index === 3 && at < 0 ? one.step : step)),
        ),
    );
    const level = !one.over ? "info" : one.step === "done" ? "ok" : "error";
    return h(
        "li",
        { "data-key": one.at, class: level },
        h("b", {}, one.title),
        h("ol", { class: "steps" }, marks),
        one.reason ? h("span", { class: "soft" }, one.reason) : null,
    );
}

/** What was asked for just now, and how far it has come. */
export const askedCard = () =>
    asked.length
        ? card(say("asked"), h("div", { role: "log" }, h("ul", { class: "asked" }, asked.map(followed))))
        : null;

export default {
    enter(draw) {
        redraw = draw;
        look();
        timer = setInterval(look, EVERY_MS);
    },
    leave: () => clearInterval(timer),
    mounted(view, part) {
        if (part) view.querySelector(`#test-${CSS.escape(part)}`)?.scrollIntoView({ block: "start" });
    },
    render: state => [
        h("p", { class: "soft" }, say("tests_help")),
        askedCard(),
        state.devices.length
            ? state.devices.map(one => device(one, state))
            : h("p", { class: "soft" }, say("no_devices")),
    ],
};
