// The console before a real browser: every view is pressed through in both languages, bright and dark, on a phone and
// on a desk; a story is played with pointer and keyboard. What was seen goes out as one JSON document.
//
//     node console.mjs CHROMIUM URL FOLDER [AXE]

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";
import { LOOKS, judge, small, wide, told } from "./judge.mjs";

const [program, url, folder, axe] = process.argv.slice(2);
const VIEWS = ["overview", "devices", "events", "sales", "tests", "config", "about"];
mkdirSync(folder, { recursive: true });
const rules = axe ? readFileSync(axe, "utf8") : null;
const browser = new Chromium(program);
const seen = { complaints: [], serious: [], paints: [], small: [], wide: [], story: [] };

const audit = async (page, where) => seen.serious.push(...(await judge(page, rules, where)));

async function measure(page, where) {
    seen.small.push(...(await small(page, where)));
    seen.wide.push(...(await wide(page, where)));
}

/** Goes to a view by its link, as a person does. */
async function go(page, view, mobile) {
    if (mobile && !["overview", "devices", "events", "sales"].includes(view)) await page.click("#more");
    await page.click(`#nav a[href="#${view}"]`);
    await page.until(
        `${view} is shown`,
        `document.getElementById("view").className === "view-${view}"
    && document.querySelector("#nav a[aria-current]").hash === "#${view}"`,
    );
    await page.until(`${view} is filled`, `document.querySelectorAll("#view > *").length > 1`);
}

async function looks() {
    for (const look of LOOKS) {
        const page = await browser.page(look);
        await page.open(`${url}/`);
        await page.until("the scripts run", `document.getElementById("theme") !== null`);
        for (const view of VIEWS) {
            const where = `${look.name} ${view}`;
            await go(page, view, look.mobile);
            if (view === "config") await page.until("a verdict", `document.querySelector(".pill.ok, .pill.error")`);
            if (view === "events") await page.until("events come", `document.querySelector(".events > li")`);
            await audit(page, where);
            await measure(page, where);
            await page.shot(join(folder, `${look.name}-${view}.png`));
        }
        seen.complaints.push(...page.complaints.map(text => `${look.name}: ${text}`));
        await page.close();
    }
}

/** How soon something can be seen of a page that was never seen before. */
async function paints() {
    for (let time = 0; time < 3; time++) {
        const page = await browser.page(LOOKS[0]);
        await page.open(`${url}/`);
        const paint = `performance.getEntriesByName("first-contentful-paint")[0]?.startTime`;
        seen.paints.push(await page.until("something is painted", paint));
        await page.close();
    }
}

/** The page before its scripts: name, state, what is wrong, devices. */
async function unscripted() {
    const page = await browser.page(LOOKS[3]);
    await page.send("Emulation.setScriptExecutionDisabled", { value: true });
    await page.send("Page.navigate", { url: `${url}/` });
    await new Promise(done => setTimeout(done, 500));
    const { root } = await page.send("DOM.getDocument", {});
    const { nodeId } = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector: "body" });
    const { outerHTML } = await page.send("DOM.getOuterHTML", { nodeId });
    seen.unscripted = outerHTML.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
    await page.shot(join(folder, "en-desk-unscripted.png"));
    await page.close();
}

const tell = (what, value) => seen.story.push({ what, value });
const text = (page, selector) => page.run(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);

async function story() {
    const page = await browser.page(LOOKS[3]);
    await page.open(`${url}/`);
    await page.until("the scripts run", `document.getElementById("theme") !== null`);
    await switches(page);
    await watches(page);
    await tries(page);
    await configures(page);
    await audits(page);
    seen.complaints.push(...page.complaints.map(one => `story: ${one}`));
    await page.close();
}

async function switches(page) {
    await page.click("#theme");
    tell("theme", await page.run("document.documentElement.dataset.theme"));
    await page.click("#theme");
    await page.click("#language");
    await page.until(
        "the page speaks Chinese",
        `document.documentElement.lang === "zh-CN" && document.getElementById("theme")`,
    );
    tell("title in Chinese", await text(page, "h1"));
    await page.click("#language");
    await page.until(
        "the page speaks English",
        `document.documentElement.lang === "en" && document.getElementById("theme")`,
    );
}

async function watches(page) {
    await go(page, "events", false);
    await page.until("events come", `document.querySelectorAll(".events > li").length > 0`);
    await page.click("#stream .tools button");
    await page.until(
        "it is paused",
        `document.querySelector("#stream .tools button").getAttribute("aria-pressed") === "true"`,
    );
    tell("paused", await text(page, ".live"));
    await page.click("#stream .tools button");
    await page.write("#text", "scan.code");
    await page.until(
        "one kind is left",
        `[...document.querySelectorAll(".type")].every(one => one.innerText === "scan.code")`,
    );
    tell("filtered", await page.run(`document.querySelectorAll(".events > li").length`));
    await page.click(".events summary");
    await page.until("it is open", `document.querySelector(".events pre")?.innerText.includes("symbology")`);
    await page.shot(join(folder, "en-desk-event.png"));
}

async function tries(page) {
    await go(page, "tests", false);
    await page.until("lanes are there", `document.querySelectorAll(".lane-actions").length > 2`);
    await page.write("#count-vending-1-2", "7");
    await page.click('[data-key="vending-1/2"] .lane-actions button');
    await page.until("the stock is set", `document.querySelector(".asked > li.ok")`);
    await page.until(
        "the lane has it",
        `document.querySelector('[data-key="vending-1/2"]').innerText.includes("7")`,
    );
    tell("stock", await text(page, ".asked > li"));
    await page.click('[data-key="vending-1/2"] .danger');
    await page.until("it asks first", `document.querySelector("dialog[open]")`);
    await audit(page, "the question");
    await page.shot(join(folder, "en-desk-question.png"));
    await page.click("dialog button[value=yes]");
    tell("without the tick", await page.run(`document.querySelector("dialog[open]") !== null`));
    await page.click("#sure");
    await page.click("dialog button[value=yes]");
    await page.until("something fell", `document.querySelectorAll(".asked > li.ok").length === 2`);
    tell("dispensed", await text(page, ".asked > li"));
    await page.shot(join(folder, "en-desk-tried.png"));
}

async function configures(page) {
    await go(page, "config", false);
    await page.until("a verdict", `document.querySelector(".line .pill.ok")`);
    const good = await page.run(`document.getElementById("toml").value`);
    await page.click("#toml");
    await page.run(`document.getElementById("toml").setSelectionRange(0, 0)`);
    await page.send("Input.insertText", { text: "nonsense = 1\n" });
    await page.until("a mistake is named", `document.querySelector(".conds .error")`);
    tell("mistake", await text(page, ".conds .error"));
    tell(
        "apply is off",
        await page.run(`[...document.querySelectorAll("#view .actions button.main")][0].disabled`),
    );
    await page.shot(join(folder, "en-desk-mistake.png"));
    await page.run(`document.getElementById("toml").select()`);
    await page.send("Input.insertText", {
        text: good.replace('id = "scanner-1"', 'id = "scanner-9"').replaceAll('"scanner-1"', '"scanner-9"'),
    });
    await page.until("it can be used", `document.querySelector(".changes")`);
    tell("changes", await text(page, ".changes"));
    tell("diff", await page.run(`document.querySelectorAll(".diff .added").length`));
    await page.shot(join(folder, "en-desk-diff.png"), true);
    await page.click("#view .actions button.main");
    await page.until("it asks first", `document.querySelector("dialog[open]")`);
    await page.key("Tab", "Tab", 2);
    await page.click("dialog button[value=yes]");
    await page.until("it is applied", `document.querySelector('[data-key="last"] .pill.ok')`);
    await page.until(
        "there is a way back",
        `document.querySelector(".revisions button:last-of-type:not(:disabled)")`,
    );
    await page.click(".revisions li .actions button:last-of-type");
    await page.click("dialog button[value=yes]");
    await page.until("the one before runs", `document.getElementById("toml").value.includes('id = "scanner-1"')`);
    await page.shot(join(folder, "en-desk-back.png"), true);
}

async function audits(page) {
    await go(page, "about", false);
    await page.until("the trail is there", `document.querySelectorAll("#view tbody tr").length >= 4`);
    tell("trail", await page.run(`[...document.querySelectorAll("#view tbody tr")].map(row => row.innerText)`));
    // By keyboard alone: the first stop of a page is the way past its navigation.
    await page.open(`${url}/`);
    await page.until("the scripts run", `document.getElementById("theme") !== null`);
    await page.key("Tab");
    tell("first stop", await page.run("document.activeElement.className"));
    await page.key("Tab", "Tab", 4);
    await page.key("Enter");
    await page.until("a view was opened by keyboard", `location.hash.length > 1`);
    tell("by keyboard", await page.run("location.hash"));
}

await told(browser, seen, unscripted, paints, looks, story);
