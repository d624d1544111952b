// The configuration: what runs, what would be wrong with another, letting another run.
import { h } from "./dom.js";
import { diff } from "./diff.js";
import { button, complaint, confirm, icon, pill, toast, when } from "./parts.js";
import { say } from "./say.js";
import { may } from "./tests.js";
import { get, post } from "./talk.js";

const CHECK_AFTER_MS = 700;
const LOOK_MS = 1500;
const DRAFTS = "drafts";
/** The name of the configuration itself, among those of its profiles. */
const STORE = "";

let state = null;
let config = null;
let refusal = null;
let checked = null;
let compared = null;
let area = null;
let which = STORE;
let gutter = null;
let timer = 0;
let looking = 0;
let redraw = () => {};

/** What has been changed and not been applied, by name; it outlives a reload of the page. */
let drafts = JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}");

const base = (name, of = config) => (name === STORE ? of.text : of.profiles[name]);
const changed = () => Object.keys(drafts).filter(name => base(name) !== undefined && drafts[name] !== base(name));
const text = name => drafts[name] ?? base(name);

function save() {
    drafts = Object.fromEntries(changed().map(name => [name, drafts[name]]));
    sessionStorage.setItem(DRAFTS, JSON.stringify(drafts));
}

/** As the gateway is asked: the whole text, and the profiles that have been changed. */
function body() {
    const profiles = changed().filter(name => name !== STORE);
    return { text: text(STORE), profiles: Object.fromEntries(profiles.map(name => [name, drafts[name]])) };
}

async function load() {
    const before = config;
    try {
        config = await get("/api/v1/config");
        refusal = null;
        if (base(which) === undefined) which = STORE;
        if (area && area.value !== text(which)) setText(text(which));
        if (before?.last?.state === "trying" && config.last && config.last.state !== "trying") ended(config.last);
    } catch (error) {
        refusal = complaint(error);
    }
    redraw();
    // The text is there only now.
    if (!before && config) check();
}

function ended(last) {
    if (last.state === "applied") {
        drafts = {};
        save();
        setText(text(which));
    }
    toast(say("config_" + last.state), last.state === "applied" ? "ok" : "error");
    check();
}

function setText(text) {
    area.value = text;
    number();
}

/** Which of the texts a mistake is in; nothing: in one that cannot be written here. */
function named(file) {
    if (file === config.file) return STORE;
    const profile = /device-profiles\/(.+)\.toml$/.exec(file)?.[1];
    return profile in config.profiles ? profile : undefined;
}

function turnTo(name) {
    which = name;
    setText(text(which));
    redraw();
}

function number() {
    const lines = area.value.split("\n").length;
    if (gutter.childElementCount !== lines) {
        gutter.replaceChildren(...Array.from({ length: lines }, (_, at) => h("span", {}, at + 1)));
    }
    const wrong = new Map(
        (checked?.diagnostics ?? [])
            .filter(one => config && named(one.file) === which)
            .map(one => [one.line, one.severity]),
    );
    [...gutter.children].forEach((line, at) => {
        line.className = wrong.get(at + 1) ?? "";
    });
}

async function check() {
    if (!area) return;
    const asked = body();
    try {
        const answer = await post("/api/v1/config/check", asked);
        // What has been written meanwhile is asked about by itself.
        if (area && JSON.stringify(asked) === JSON.stringify(body())) checked = answer;
        if (area) number();
    } catch (error) {
        checked = null;
        toast(complaint(error), "error");
    }
    redraw();
}

function typed() {
    drafts[which] = area.value;
    save();
    number();
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MS);
    redraw();
}

function jump({ file, line, column }) {
    if (named(file) !== which) turnTo(named(file));
    const before = area.value
        .split("\n")
        .slice(0, line - 1)
        .reduce((sum, text) => sum + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(before + column - 1, before + column - 1);
    area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
}

async function apply() {
    if (!(await confirm(say("apply"), say("apply_text"), say("apply"), [changes()]))) return;
    begin("/api/v1/config/apply", body());
}

async function rollBack(revision) {
    if (!(await confirm(say("roll_back"), say("roll_back_text"), say("roll_back"), differences(revision)))) return;
    begin("/api/v1/config/rollback", { revision: revision.revision });
}

async function begin(path, body) {
    try {
        await post(path, body);
        toast(say("config_trying"), "info");
    } catch (error) {
        toast(complaint(error), "error");
    }
    load();
}

function forget() {
    drafts = {};
    save();
    setText(text(which));
    check();
}

function shown(lines) {
    if (!lines.length) return h("p", { class: "soft" }, say("no_difference"));
    const kind = { "+": "added", "-": "removed", "…": "skipped" };
    return h(
        "div",
        { class: "diff", tabindex: "0", role: "region", "aria-label": say("diff") },
        lines.map(({ mark, text }) =>
            h("div", { class: kind[mark] ?? "" }, h("span", { class: "mark" }, mark === " " ? " " : mark), text),
        ),
    );
}

/** What differs between what runs and another: its text, and profiles that both use. */
function differences(other) {
    const names = [STORE, ...Object.keys(config.profiles)].filter(
        name => ![undefined, base(name)].includes(base(name, other)),
    );
    if (!names.length) return [h("p", { class: "soft" }, say("no_difference"))];
    return names.map(name => [h("p", { class: "soft" }, titled(name)), shown(diff(base(name), base(name, other)))]);
}

const titled = name => (name === STORE ? config.file.split("/").pop() : name);

function mistake(one) {
    const here = named(one.file) !== undefined;
    const place = h("code", {}, `${one.file.split("/").pop()}:${one.line}:${one.column}`);
    return h(
        "li",
        { class: `cond ${one.severity}` },
        h("span", { class: "sev" }, icon(one.severity), say("sev_" + one.severity)),
        h(
            "div",
            {},
            h("p", {}, here ? button(place, () => jump(one), { class: "link" }) : place, " ", one.message),
            h("p", { class: "soft" }, one.help),
            h("p", { class: "tiny" }, one.code),
        ),
    );
}

function verdict() {
    if (!checked) return h("p", { class: "soft" }, say("loading"));
    const list = checked.diagnostics.length ? h("ul", { class: "conds" }, checked.diagnostics.map(mistake)) : null;
    const word = checked.usable
        ? pill("ok", say("usable"))
        : pill("error", say("unusable", { n: checked.diagnostics.length }));
    return [h("p", { class: "line", role: "status" }, word), list];
}

function changes() {
    if (!checked?.usable) return null;
    if (!checked.changes.length) return h("p", { class: "soft" }, say("no_changes"));
    return h(
        "ul",
        { class: "changes" },
        checked.changes.map(({ what, how }) =>
            h(
                "li",
                {},
                pill(how === "restart" ? "error" : how === "gone" ? "warning" : "info", say("how_" + how)),
                " ",
                h("code", {}, what),
            ),
        ),
    );
}

function last() {
    const last = config.last;
    if (!last) return null;
    const level = { trying: "info", applied: "ok" }[last.state] ?? "error";
    return h(
        "section",
        { class: "card", "data-key": "last" },
        h("h2", {}, say("last_change")),
        h("p", { class: "line" }, pill(level, say("config_" + last.state)), h("span", { class: "soft" }, last.who)),
        last.errors.length ? h("ul", { class: "conds" }, last.errors.map(mistake)) : null,
    );
}

function revision(one) {
    const admin = may(state, "admin");
    return h(
        "li",
        { "data-key": `r${one.revision}` },
        h("span", {}, say("revision", { n: one.revision }), " · ", when(one.since)),
        h(
            "div",
            { class: "actions" },
            button(
                say("show_diff"),
                () => {
                    compared = compared === one.revision ? null : one.revision;
                    redraw();
                },
                { class: "small", "aria-expanded": String(compared === one.revision) },
            ),
            button(say("roll_back"), () => rollBack(one), { class: "small", disabled: !admin || config.trying }),
        ),
        compared === one.revision ? differences(one) : null,
    );
}

function head() {
    const from =
        say("from_" + config.from) + (config.version ? ` (${config.version.replace(/^console\./, "")})` : "");
    return h(
        "p",
        { class: "line soft", "data-key": "head" },
        config.safe_mode ? pill("error", say("sev_safe")) : null,
        h("span", {}, say("runs_from", { from })),
        config.since ? [" · ", when(config.since)] : null,
    );
}

function tools() {
    const admin = may(state, "admin");
    return h(
        "div",
        { class: "actions", "data-key": "tools" },
        button(say("dry_run"), check),
        button(say("forget"), forget, { disabled: !changed().length }),
        button(say("apply"), apply, {
            class: "main",
            disabled: !admin || !checked?.usable || config.trying || (!changed().length && !config.safe_mode),
        }),
        admin ? null : h("span", { class: "soft" }, say("needs_admin")),
    );
}

/** The configuration and its profiles: each is a text of its own, all are checked and tried together. */
function choice() {
    const option = name =>
        h(
            "option",
            { value: name, selected: name === which },
            titled(name) + (changed().includes(name) ? " *" : ""),
        );
    const names = [STORE, ...Object.keys(config.profiles).sort()];
    const select = h("select", { id: "which", onchange: event => turnTo(event.target.value) }, names.map(option));
    return h(
        "div",
        { class: "tools", "data-key": "choice" },
        h("label", { for: "which" }, say("which_text")),
        select,
    );
}

function editor() {
    if (area) return h("div", { class: "editor", id: "editor", "data-own": true });
    gutter = h("div", { class: "gutter", "aria-hidden": "true" });
    area = h("textarea", {
        id: "toml",
        spellcheck: "false",
        autocapitalize: "off",
        autocomplete: "off",
        wrap: "off",
        "aria-label": say("config_text"),
        oninput: typed,
    });
    area.onscroll = () => {
        gutter.scrollTop = area.scrollTop;
    };
    setText(text(which));
    return h("div", { class: "editor", id: "editor", "data-own": true }, gutter, area);
}

export default {
    enter(draw) {
        redraw = draw;
        load();
        looking = setInterval(() => {
            if (config?.trying || config?.last?.state === "trying") load();
        }, LOOK_MS);
    },
    leave() {
        clearInterval(looking);
        clearTimeout(timer);
        [area, gutter, config, checked, compared, refusal] = Array(6).fill(null);
    },
    render(now) {
        state = now;
        if (refusal && !config) return [h("p", { class: "card wrong" }, refusal)];
        if (!config) return [h("p", { class: "soft" }, say("loading"))];
        const other = { text: text(STORE), profiles: { ...config.profiles, ...drafts } };
        const difference = changed().length
            ? h("section", { class: "card", "data-key": "diff" }, h("h2", {}, say("diff")), differences(other))
            : null;
        return [
            refusal ? h("p", { class: "wrong", role: "alert" }, refusal) : null,
            head(),
            choice(),
            editor(),
            tools(),
            h(
                "div",
                { class: "columns", "data-key": "columns" },
                h("section", { class: "card" }, h("h2", {}, say("diagnostics")), verdict()),
                h(
                    "section",
                    { class: "card" },
                    h("h2", {}, say("would_change")),
                    changes() ?? h("p", { class: "soft" }, "–"),
                ),
            ),
            difference,
            last(),
            h(
                "section",
                { class: "card", "data-key": "revisions" },
                h("h2", {}, say("revisions")),
                config.revisions.length
                    ? h("ul", { class: "revisions" }, config.revisions.map(revision))
                    : h("p", { class: "soft" }, say("no_revisions")),
            ),
        ];
    },
};
