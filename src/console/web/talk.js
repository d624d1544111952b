// Asking the gateway.

const PATIENCE_MS = 8000;

/** A refusal: a word for programs, a sentence for people. */
export class Refused extends Error {
    constructor(word, message) {
        super(message);
        this.word = word;
    }
}

async function answer(response) {
    if (response.status === 401) {
        location.replace("/login");
        throw new Refused("login", "");
    }
    const text = await response.text();
    let json = null;
    try {
        json = text ? JSON.parse(text) : null;
    } catch {
        // Words, not JSON: shown as they are.
    }
    if (!response.ok)
        throw new Refused(json?.error ?? String(response.status), json?.message ?? (text || response.statusText));
    return json;
}

async function asked(path, options) {
    try {
        return await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
    } catch {
        throw new Refused("away", "");
    }
}

export const get = async path => answer(await asked(path));

export async function post(path, body) {
    const headers = { "Content-Type": "application/json" };
    return answer(await asked(path, { method: "POST", headers, body: JSON.stringify(body) }));
}
