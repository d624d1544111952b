// Time, as the page goes by it. `?clock=2026-11-22T02:00:00Z` sets it for tests, `?rate=60` lets it run faster.

const asked = new URLSearchParams(location.search);
const start = asked.get('clock') ? Date.parse(asked.get('clock')) : NaN;
const rate = Math.min(Math.max(Number(asked.get('rate')) || 1, 0.01), 1000);
const injected = Number.isFinite(start);
const began = performance.now();

// How far the gateway's clock is ahead of this browser's. Every message was under way for a while, so that the largest
// difference seen lately is the truest. Those that come while the page is still loading wait for it, and would set its
// clock back by as much: several are awaited, unless the clocks are plainly apart.
const ENOUGH = 4;
const LATELY = 12;
const PLAINLY_MS = 1000;
// A clock that is set back by less than this stands still instead: what is over does not come again.
const STANDS_MS = 1000;
const seen = [];
let ahead = 0;
let first = null;
let last = 0;

export function heard(gatewayMs) {
    seen.push(gatewayMs - Date.now());
    first ??= seen[0];
    if (seen.length > LATELY) seen.shift();
    const best = Math.max(...seen);
    if (seen.length >= ENOUGH || Math.abs(best) >= PLAINLY_MS) ahead = best;
}

export const skew = () => Math.round(-ahead);
/** What is known of the gateway's clock; `first`: what its first message alone would have said. */
export const clockState = () => ({ ahead, first, heard: seen.length, isSettled: seen.length >= ENOUGH });

/** Now, in milliseconds since 1970. */
export function now() {
    if (injected) return start + (performance.now() - began) * rate;
    const at = Date.now() + ahead;
    if (at < last && last - at < STANDS_MS) return last;
    last = at;
    return at;
}

/** How much faster than real time it goes. */
export const pace = injected ? rate : 1;
export const isInjected = injected;

/** A UUIDv7 (RFC 9562). */
export function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    let ms = Math.floor(now());
    for (let at = 5; at >= 0; at -= 1) {
        bytes[at] = ms % 256;
        ms = Math.floor(ms / 256);
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
