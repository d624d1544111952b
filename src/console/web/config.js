// The configuration: what runs, what would be wrong with another, letting another run.
import { h } from "./dom.js";
import { diff } from "./diff.js";
import { button, complaint, confirm, icon, pill, toast, when } from "./parts.js";
import { say } from "./say.js";
import { may } from "./tests.js";
import { get, post } from "./talk.js";

const CHECK_AFTER_MS = 700;
const LOOK_MS = 1500;
const DRAFT = "draft";

let state = null;
let config = null;
let refusal = null;
let checked = null;
let compared = null;
let area = null;
let gutter = null;
let timer = 0;
let looking = 0;
let redraw = () => {};

const draft = () => sessionStorage.getItem(DRAFT);
const isChanged = () => config && area && area.value !== config.text;

async function load() {
    const before = config;
    try {
        config = await get("/api/v1/config");
        refusal = null;
        if (area && (!before || area.value === before.text)) setText(draft() ?? config.text);
        if (before?.last?.state === "trying" && config.last && config.last.state !== "trying") ended(config.last);
    } catch (error) {
        refusal = complaint(error);
    }
    redraw();
    // The text is there only now.
    if (!before) check();
}

function ended(last) {
    if (last.state === "applied") {
        sessionStorage.removeItem(DRAFT);
        setText(config.text);
    }
    toast(say("config_" + last.state), last.state === "applied" ? "ok" : "error");
    check();
}

function setText(text) {
    area.value = text;
    number();
}

function number() {
    const lines = area.value.split("\n").length;
    if (gutter.childElementCount !== lines) {
        gutter.replaceChildren(...Array.from({ length: lines }, (_, at) => h("span", {}, at + 1)));
    }
    const wrong = new Map(
        (checked?.diagnostics ?? []).filter(one => one.file === config?.file).map(one => [one.line, one.severity]),
    );
    [...gutter.children].forEach((line, at) => {
        line.className = wrong.get(at + 1) ?? "";
    });
}

async function check() {
    if (!area) return;
    const text = area.value;
    try {
        const answer = await post("/api/v1/config/check", { text });
        if (area && area.value === text) checked = answer;
        number();
    } catch (error) {
        checked = null;
        toast(complaint(error), "error");
    }
    redraw();
}

function typed() {
    sessionStorage.setItem(DRAFT, area.value);
    if (!isChanged()) sessionStorage.removeItem(DRAFT);
    number();
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MS);
    redraw();
}

function jump({ line, column }) {
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
    begin("/api/v1/config/apply", { text: area.value });
}

async function rollBack(revision) {
    const lines = shown(diff(config.text, revision.text));
    if (!(await confirm(say("roll_back"), say("roll_back_text"), say("roll_back"), [lines]))) return;
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
    sessionStorage.removeItem(DRAFT);
    setText(config.text);
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

function mistake(one) {
    const here = one.file === config.file;
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
        compared === one.revision ? shown(diff(config.text, one.text)) : null,
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
        button(say("forget"), forget, { disabled: !isChanged() }),
        button(say("apply"), apply, {
            class: "main",
            disabled: !admin || !checked?.usable || config.trying || (!isChanged() && !config.safe_mode),
        }),
        admin ? null : h("span", { class: "soft" }, say("needs_admin")),
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
    setText(draft() ?? config.text);
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
        [area, gutter, config, checked, compared] = [null, null, null, null, null];
    },
    render(now) {
        state = now;
        if (refusal) return [h("p", { class: "card wrong" }, refusal)];
        if (!config) return [h("p", { class: "soft" }, say("loading"))];
        const difference = isChanged()
            ? h(
                  "section",
                  { class: "card", "data-key": "diff" },
                  h("h2", {}, say("diff")),
                  shown(diff(config.text, area.value)),
              )
            : null;
        return [
            head(),
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
