// What is asked of every view: nothing that auditors call serious, nothing too small for a thumb, nothing too wide.

/** What auditors would call serious in what is shown now; `rules`: axe-core's text, or null. */
export async function judge(page, rules, where) {
    if (!rules) return [];
    // The page forbids foreign scripts; the debugger does not ask it.
    if (!(await page.run("typeof axe !== 'undefined'"))) await page.send("Runtime.evaluate", { expression: rules });
    const found = await page.run(`axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
        .filter(one => ["serious", "critical"].includes(one.impact))
        .map(one => one.id + ": " + one.nodes.map(node => node.target.join(" ")).join(" | ")))`);
    return found.map(text => `${where}: ${text}`);
}

/** What can be pressed and is too small for a thumb. */
export async function small(page, where) {
    const found = await page.run(`[...document.querySelectorAll(
        "button, a.button, nav a, select, input:not([type=checkbox])")]
        .filter(node => node.checkVisibility() && !node.classList.contains("link"))
        .map(node => [node.textContent.trim() || node.id, node.getBoundingClientRect()])
        .filter(([, box]) => box.height < 44 || box.width < 44)
        .map(([name, box]) => name + " " + box.width + "x" + box.height)`);
    return found.map(text => `${where}: ${text}`);
}

/** Whether the page is wider than the window. */
export async function wide(page, where) {
    const wider = await page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    return wider > 0 ? [`${where}: ${wider} px too wide`] : [];
}

/** Carries the stories out one after the other and prints what was seen, also of one that failed. */
export async function told(browser, seen, ...stories) {
    try {
        for (const story of stories) await story();
    } catch (error) {
        seen.failed = String(error.stack ?? error);
    } finally {
        await browser.close();
    }
    console.log(JSON.stringify(seen, null, 1));
}

export const LOOKS = [
    { name: "zh-phone-light", language: "zh-CN", width: 390, height: 844, mobile: true, dark: false },
    { name: "zh-desk-dark", language: "zh-CN", width: 1280, height: 800, dark: true },
    { name: "en-phone-dark", language: "en-GB", width: 390, height: 844, mobile: true, dark: true },
    { name: "en-desk-light", language: "en-GB", width: 1280, height: 800, dark: false },
];
