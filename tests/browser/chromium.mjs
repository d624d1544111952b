// A headless Chromium that is driven over its debugging pipe: real pages, real pointer and keyboard, nothing mocked.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE_MS = 30_000;
const FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--ignore-certificate-errors",
    "--remote-debugging-pipe",
];

export class Chromium {
    #next = 1;
    #waiting = new Map();
    #heard = new Map();
    #rest = "";

    constructor(program) {
        this.folder = mkdtempSync(join(tmpdir(), "chromium-"));
        const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"];
        this.process = spawn(program, [...FLAGS, `--user-data-dir=${this.folder}`, "about:blank"], { stdio });
        this.process.stdio[4].setEncoding("utf8");
        this.process.stdio[4].on("data", text => this.#read(text));
    }

    #read(text) {
        const parts = (this.#rest + text).split("\0");
        this.#rest = parts.pop();
        for (const part of parts) {
            const message = JSON.parse(part);
            if (message.id) {
                const { resolve, reject } = this.#waiting.get(message.id);
                this.#waiting.delete(message.id);
                if (message.error) reject(new Error(message.error.message));
                else resolve(message.result);
            } else {
                this.#heard.get(message.sessionId)?.(message.method, message.params);
            }
        }
    }

    send(method, params = {}, sessionId = undefined) {
        const id = this.#next++;
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), PATIENCE_MS);
            const settle = done => value => {
                clearTimeout(timer);
                done(value);
            };
            this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
            this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
        });
    }

    /** A page of its own: no cookie and no cache of another. */
    async page({ width, height, mobile = false, language = "en-GB", dark = false }) {
        const { browserContextId } = await this.send("Target.createBrowserContext");
        const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
        const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
        const page = new Page(this, sessionId, browserContextId);
        this.#heard.set(sessionId, (method, params) => page.hear(method, params));
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
        await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile });
        if (mobile) await page.send("Emulation.setTouchEmulationEnabled", { enabled: true });
        await page.send("Emulation.setEmulatedMedia", {
            features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
        });
        const { userAgent } = await page
            .send("Runtime.evaluate", { expression: "navigator.userAgent" })
            .then(({ result }) => ({ userAgent: result.value }));
        await page.send("Emulation.setUserAgentOverride", { userAgent, acceptLanguage: language });
        return page;
    }

    async close() {
        await this.send("Browser.close").catch(() => {});
        await new Promise(done => (this.process.exitCode !== null ? done() : this.process.once("exit", done)));
        rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }
}

export class Page {
    constructor(browser, session, context) {
        Object.assign(this, { browser, session, context, complaints: [] });
    }

    send(method, params) {
        return this.browser.send(method, params, this.session);
    }

    hear(method, params) {
        if (method === "Runtime.exceptionThrown") {
            const details = params.exceptionDetails;
            this.complaints.push(details.exception?.description ?? details.text);
        } else if (method === "Log.entryAdded" && params.entry.level === "error") {
            this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
        } else if (method === "Runtime.consoleAPICalled" && params.type === "error") {
            this.complaints.push(params.args.map(one => one.value ?? one.description).join(" "));
        }
    }

    async run(expression) {
        const answer = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
        if (answer.exceptionDetails) {
            throw new Error(`${expression.slice(0, 120)}: ${answer.exceptionDetails.exception?.description}`);
        }
        return answer.result.value;
    }

    /** Waits for a level, with a bound. */
    async until(what, expression) {
        const end = Date.now() + PATIENCE_MS;
        for (;;) {
            const is = await this.run(expression).catch(() => false);
            if (is) return is;
            if (Date.now() > end) throw new Error(`in vain: ${what}\n${await this.run("document.body.innerText")}`);
            await new Promise(done => setTimeout(done, 50));
        }
    }

    async open(url) {
        await this.send("Page.navigate", { url });
        await this.until(
            `${url} is there`,
            `location.href.startsWith(${JSON.stringify(url)}) && document.readyState === "complete"`,
        );
    }

    /** Where something is that can be seen, scrolled to if need be. */
    async #place(selector) {
        const find = `document.querySelector(${JSON.stringify(selector)})`;
        await this.until(
            `${selector} can be pressed`,
            `(() => { const node = ${find};
      return node && !node.disabled && node.checkVisibility() })()`,
        );
        return this.run(`(() => { const node = ${find};
      node.scrollIntoView({ block: "center" });
      const box = node.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 } })()`);
    }

    /** A real press of the pointer. */
    async click(selector) {
        const place = await this.#place(selector);
        for (const type of ["mousePressed", "mouseReleased"]) {
            await this.send("Input.dispatchMouseEvent", { type, ...place, button: "left", clickCount: 1 });
        }
    }

    /** Presses a key as many times. */
    async key(key, code = key, times = 1) {
        const text = { Enter: "\r" }[key];
        for (let time = 0; time < times; time++) {
            await this.send("Input.dispatchKeyEvent", {
                type: "keyDown",
                key,
                code,
                text,
                windowsVirtualKeyCode: { Tab: 9, Enter: 13, Escape: 27 }[key],
            });
            await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, code });
        }
    }

    /** Writes into a field in the place of what is there. */
    async write(selector, text) {
        await this.click(selector);
        await this.run(`document.activeElement.select?.()`);
        await this.send("Input.insertText", { text });
    }

    async shot(file, whole = false) {
        const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
        const { writeFileSync } = await import("node:fs");
        writeFileSync(file, Buffer.from(data, "base64"));
    }

    close() {
        return this.browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
    }
}
