// The console's wall of screens before a real browser: one screen lives, one is dark, one is a mirror. What was seen
// goes out as one JSON document.
//
//     node wall.mjs CHROMIUM URL FOLDER [AXE]

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";
import { LOOKS, judge, small, wide, told } from "./judge.mjs";

const [program, url, folder, axe] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const rules = axe ? readFileSync(axe, "utf8") : null;
const browser = new Chromium(program);
const seen = { complaints: [], serious: [], small: [], wide: [], story: [] };
const tell = (what, value) => seen.story.push({ what, value });
const LIVE = `(() => { const image = document.querySelector('[data-key="screen-1"] .shot img');
    return image?.src.startsWith("blob:") && image.naturalWidth > 0; })()`;

async function opened(look) {
    const page = await browser.page(look);
    await page.open(`${url}/#screens`);
    await page.until("the wall is there", `document.querySelectorAll(".wall > li").length === 3`);
    await page.until("a live picture", LIVE);
    return page;
}

async function judged(page, where) {
    seen.serious.push(...(await judge(page, rules, where)));
    seen.small.push(...(await small(page, where)));
    seen.wide.push(...(await wide(page, where)));
}

async function looks() {
    for (const look of LOOKS) {
        const page = await opened(look);
        await judged(page, `${look.name} wall`);
        await page.shot(join(folder, `${look.name}-wall.png`), true);
        seen.complaints.push(...page.complaints.map(text => `${look.name}: ${text}`));
        await page.close();
    }
}

const text = (page, selector) => page.run(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);

async function story() {
    const page = await opened(LOOKS[3]);
    tell("live", await text(page, '[data-key="screen-1"] figcaption'));
    tell("mirror", await text(page, '[data-key="mirror-1"] figcaption'));
    tell("dark", await text(page, '[data-key="screen-2"] figcaption'));
    await page.until("it was played", `/[1-9]\\d* of/.test(document.querySelector('[data-key="screen-1"] dl').innerText)`);
    tell("played", await text(page, '[data-key="screen-1"] dl'));
    tell(
        "dark buttons",
        await page.run(`[...document.querySelectorAll('[data-key="screen-2"] .actions button')].every(one => one.disabled)
            && document.querySelectorAll('[data-key="mirror-1"] [data-does=shot]').length === 0`),
    );
    for (const [before, what] of ["identify", "pattern", "shot", "reload"].entries()) {
        await page.click(`[data-key="screen-1"] [data-does=${what}]`);
        if (what === "shot") {
            await page.until("the picture is large", `document.querySelector("dialog img")?.naturalWidth > 0`);
            tell("picture", await page.run(`document.querySelector("dialog img").naturalWidth > 300`));
            await judged(page, "the picture");
            await page.shot(join(folder, "en-desk-wall-picture.png"));
            await page.click("dialog button");
            await page.until("it is closed", `document.querySelector("dialog") === null`);
        }
        await page.until(
            `${what} is over`,
            `document.querySelector(".asked > li")?.className === "ok"
                && document.querySelectorAll(".asked > li").length === ${before + 1}`,
        );
        tell(what, await text(page, ".asked > li .now"));
    }
    await page.shot(join(folder, "en-desk-wall-tried.png"), true);
    // The same from the view of tests.
    await page.click(`#nav a[href="#tests"]`);
    await page.until("a screen can be tried", `document.querySelector("#test-screen-1 [data-does=pattern]:enabled")`);
    await judged(page, "tests with screens");
    await page.shot(join(folder, "en-desk-wall-tests.png"), true);
    seen.complaints.push(...page.complaints.map(one => `story: ${one}`));
    await page.close();
}

await told(browser, seen, looks, story);
