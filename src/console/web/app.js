// The console: looks at the gateway again and again, and shows one view at a time.
import { h, morph } from "./dom.js";
import { icon } from "./parts.js";
import { language, say, setNow, span } from "./say.js";
import { get, post } from "./talk.js";
import overview from "./overview.js";
import devices from "./devices.js";
import events from "./events.js";
import sales from "./sales.js";
import tests from "./tests.js";
import screens from "./screens.js";
import config from "./config.js";
import about from "./about.js";

const LOOK_MS = 2000;
const VIEWS = { overview, devices, events, sales, tests, screens, config, about };
const view = document.getElementById("view");
let state = null;
let shown = null;
let heard = Date.now();
let isAway = false;

const remember = (name, value) => {
    document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Strict`;
};

function wanted() {
    const [name, part] = decodeURIComponent(location.hash.slice(1)).split("/");
    return { name: name in VIEWS ? name : "overview", part };
}

function draw() {
    if (!state || !shown) return;
    const now = h(
        "main",
        { id: "view", tabindex: "-1", class: `view-${shown}` },
        h("h1", {}, say("nav_" + shown)),
        VIEWS[shown].render(state),
    );
    morph(view, now);
}

function show(focus) {
    const { name, part } = wanted();
    if (shown !== name) {
        VIEWS[shown]?.leave?.();
        shown = name;
        view.replaceChildren();
        VIEWS[name].enter?.(draw);
    }
    for (const link of document.querySelectorAll("#nav a")) {
        if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    document.getElementById("nav").removeAttribute("data-open");
    draw();
    VIEWS[name].mounted?.(view, part);
    document.title = `${say("nav_" + name)} · ${state?.name ?? ""} · smartstore`;
    if (focus) {
        if (!part) scrollTo(0, 0);
        view.focus({ preventScroll: true });
    }
}

function head() {
    const pill = document.getElementById("state");
    pill.className = `pill big ${isAway ? "failed" : (state?.state ?? "")}`;
    const word = isAway ? say("no_answer") : state ? say("state_" + state.state) : "";
    if (pill.textContent !== word) pill.textContent = word;
    const quiet = (Date.now() - heard) / 1000;
    document.getElementById("fresh").textContent = isAway ? say("since_span", { span: span(quiet) }) : "";
    document.body.classList.toggle("stale", isAway);
}

async function look() {
    if (!document.hidden) {
        try {
            state = await get("/api/v1/console");
            setNow(state.now);
            [heard, isAway] = [Date.now(), false];
            document.querySelector("#nav a[href='#screens']").parentElement.hidden = !state.screens;
            if (!shown) {
                controls();
                show(false);
            } else draw();
        } catch (error) {
            isAway = true;
            if (!(error instanceof TypeError) && error.word === undefined) console.error(error);
        }
        head();
    }
    setTimeout(look, LOOK_MS);
}

function nextTheme() {
    const dark = document.documentElement.dataset.theme
        ? document.documentElement.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    remember("theme", dark ? "light" : "dark");
}

function controls() {
    const other = language === "zh" ? "en" : "zh";
    const speak = h(
        "button",
        {
            type: "button",
            id: "language",
            lang: other === "zh" ? "zh-CN" : "en",
            onclick: () => {
                remember("lang", other);
                location.reload();
            },
        },
        other === "zh" ? "中文" : "English",
    );
    const theme = h(
        "button",
        { type: "button", id: "theme", "aria-label": say("theme"), title: say("theme"), onclick: nextTheme },
        icon("theme"),
    );
    const leave = state.user.session
        ? h(
              "button",
              {
                  type: "button",
                  id: "leave",
                  "aria-label": say("log_out"),
                  title: say("log_out"),
                  onclick: async () => {
                      await post("/api/v1/logout", {});
                      location.replace("/login");
                  },
              },
              icon("leave"),
          )
        : null;
    document.getElementById("controls").replaceChildren(...[speak, theme, leave].filter(Boolean));
    const nav = document.getElementById("nav");
    const more = h(
        "button",
        {
            type: "button",
            id: "more",
            "aria-expanded": "false",
            onclick: () => {
                const open = nav.toggleAttribute("data-open");
                more.setAttribute("aria-expanded", String(open));
            },
        },
        icon("more"),
        say("more"),
    );
    nav.append(more);
}

document.querySelector(".skip").onclick = event => {
    // The address names the view: it stays.
    event.preventDefault();
    view.focus();
};
addEventListener("hashchange", () => show(true));
document.addEventListener("visibilitychange", () => {
    if (!document.hidden && state) draw();
});
document.addEventListener("keydown", event => {
    if (event.key === "Escape") document.getElementById("nav").removeAttribute("data-open");
});
look();
