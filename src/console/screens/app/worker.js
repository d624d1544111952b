// Keeps the page alive while the gateway starts anew: its own files, and small pictures. Films go past it, because their
// parts are asked for by range.

const SHELL = 'shell-1';
const PICTURES = 'pictures-1';
const SMALL = 3 << 20;
const MOST = 60;
const PATIENCE_MS = 2000;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

/** The gateway first; what it gave last when it does not answer. */
async function fresh(request) {
    const cache = await caches.open(SHELL);
    const key = new URL(request.url);
    key.search = '';
    try {
        const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
        if (answer.ok) await cache.put(key.href, answer.clone());
        return answer;
    } catch (error) {
        const kept = await cache.match(key.href);
        if (kept) return kept;
        throw error;
    }
}

/** What is named by its digest never changes. */
async function kept(request) {
    const cache = await caches.open(PICTURES);
    const found = await cache.match(request.url);
    if (found) return found;
    const answer = await fetch(request);
    if (answer.status === 200 && Number(answer.headers.get('content-length')) <= SMALL) {
        await cache.put(request.url, answer.clone());
        const keys = await cache.keys();
        await Promise.all(keys.slice(0, Math.max(0, keys.length - MOST)).map((key) => cache.delete(key)));
    }
    return answer;
}

self.addEventListener('fetch', (event) => {
    const { request } = event;
    const { pathname, origin } = new URL(request.url);
    if (request.method !== 'GET' || origin !== self.location.origin || request.headers.has('range')) return;
    if (pathname.startsWith('/s/')) event.respondWith(fresh(request));
    else if (pathname.startsWith('/cas/') && request.destination === 'image') event.respondWith(kept(request));
});
