// A screen's page: from its inlined program to pictures, and from pictures to proofs.

import { Link } from './link.js';
import { Outbox } from './outbox.js';
import { Member } from './member.js';
import { Player } from './player.js';
import { sceneOf } from './slots.js';
import { clockState, isInjected, now, uuid } from './time.js';
import { Mirror } from './mirror.js';
import { Marks } from './marks.js';
import { Shelf } from './shelf.js';
import { Verdict } from './verdict.js';

const BEAT_MS = 5000;
// Stock that is older than this is asked for again when somebody looks at a product.
const FRESH_MS = 3000;
const screen = document.body.dataset.screen;
const base = `/api/v1/screens/${screen}`;
const page = uuid();
const latencies = [];
const changes = [];
const shows = [];

let program = JSON.parse(document.getElementById('program').textContent);
let shelf = null;
let mirror = null;

const link = new Link(base, {
    open: () => {
        refresh();
        outbox.flush();
    },
    lost: () => {},
    program: () => refresh(),
    show: (asked, at) => show(asked, at),
    override: (said) => {
        program.override = said.text ? said : null;
    },
    command: ({ do: what }) => command(what),
    scanned: (hand) => (shelf || mirror) && (shelf || mirror).scanned(hand),
});

const outbox = new Outbox(screen, async (kind, entries) => (await link.post(kind, { [kind]: entries })).status);
const verdict = new Verdict();
/** Nothing of whoever stands before the mirror is left. */
function wipe() {
    if (mirror && mirror.session) mirror.end();
}

const member = new Member({
    before: () => mirror && mirror.session,
    over: (end) => {
        outbox.put('sessions', end);
        if (shelf && !shelf.isIdle) shelf.rest();
        wipe();
    },
    changed: wipe,
});
const player = new Player(document.getElementById('stage'), (play) => outbox.put('plays', play));
// What the gateway had painted before the scripts came makes way for the first item.
player.onChange = (stage) => {
    document.querySelectorAll('.first').forEach((first) => first.remove());
    const { item, from, to } = stage.current;
    const before = changes.findLast((one) => one.zone === stage.zone.id);
    // What the page came into the middle of was no turn.
    const turn = Boolean(before) && before.to === from;
    const change = { rev: program.rev, zone: stage.zone.id, item, from, to, turn, at: Date.now() };
    requestAnimationFrame(() => {
        change.painted = Date.now();
    });
    changes.push(change);
    if (changes.length > 200) changes.shift();
};

let refreshed = -Infinity;

async function refresh() {
    refreshed = performance.now();
    try {
        take(await link.program(now()));
    } catch (error) {
        state.problem = String(error);
    }
}

function take(fresh) {
    program = fresh;
    player.load(program);
    if (shelf) shelf.load(program);
    if (mirror) mirror.load(program);
    document.body.classList.toggle('empty', Object.keys(program.items).length === 0);
}

/** Something is asked to be shown: the answer goes out when it is painted. */
function show({ n, scene, for_ms: forMs, session, until_ms: untilMs }, at) {
    // A page that was away hears it late: whoever it was for has gone, and the gateway has given it up.
    if (untilMs < Date.now() - link.skew()) return;
    const answer = (refused) => link.post('shown', refused ? { show: n, refused } : { show: n }).catch(() => {});
    if (marks.knows(scene)) {
        marks.show(scene, forMs, program);
        return requestAnimationFrame(() => requestAnimationFrame(() => answer()));
    }
    const found = sceneOf(program, scene) || (session && { home: true });
    if (session) {
        member.bind(session);
        if (shelf) shelf.bound(session);
    }
    if (!found) return answer('unknown-scene');
    const painted = () => {
        latencies.push(performance.now() - at);
        shows.push({ scene, painted: Date.now() });
        if (shows.length > 200) shows.splice(0, 100);
        answer();
    };
    if (found.verdict) {
        verdict.tell(found.verdict, forMs);
        return requestAnimationFrame(() => requestAnimationFrame(painted));
    }
    if (shelf && (found.home || found.sku || (program.items[found.item] || {}).kind === 'product')) {
        shelf.open(
            found.sku || (program.items[found.item] || {}).sku || null,
            scene.startsWith('facing:') ? 'lifted' : 'asked',
        );
        return requestAnimationFrame(() => requestAnimationFrame(painted));
    }
    if (found.home) {
        marks.end();
        player.show = null;
        return requestAnimationFrame(painted);
    }
    return player.interrupt({ ...found, for_ms: forMs || found.for_ms }, n, painted) || (session ? painted() : answer('busy'));
}

function command(what) {
    if (what === 'reload') location.reload();
}

function beat() {
    // After a painted picture, and not from a timer: a page that paints nothing is silent.
    requestAnimationFrame(() => {
        const first = player.stages[0];
        const body = {
            page_id: page,
            rev: program.rev,
            item: first && first.current ? first.current.item : null,
            frames: player.frames,
            dropped: player.dropped,
            last_paint_ms: Math.round(performance.now() - player.lastPaint),
            visible: document.visibilityState === 'visible',
            heap: performance.memory ? performance.memory.usedJSHeapSize : null,
            clock_skew_ms: isInjected ? 0 : link.skew(),
            waiting: outbox.counts.waiting,
        };
        link.post('heartbeat', body).catch(() => {});
    });
}

const state = {
    page,
    screen,
    get rev() {
        return program.rev;
    },
    get lang() {
        return document.documentElement.lang;
    },
    get now() {
        return now();
    },
    get frames() {
        return player.frames;
    },
    get connected() {
        return link.isOpen;
    },
    get clock() {
        return clockState();
    },
    get marks() {
        return marks.shown;
    },
    get plays() {
        return outbox.counts;
    },
    get player() {
        return player.state();
    },
    get shelf() {
        return shelf && shelf.state();
    },
    get member() {
        return member.id;
    },
    get verdict() {
        return verdict.name;
    },
    get mirror() {
        return mirror && mirror.state();
    },
    latencies,
    changes,
    shows,
    problem: null,
};
window.__state = state;

function frame() {
    player.tick();
    requestAnimationFrame(frame);
}

/** What is done in a member's session is the member's. */
function act(action) {
    const session = member.id || action.session;
    return outbox.put('actions', { ...action, session, op_time: Math.round(now()), outer_biz_id: uuid() });
}

if (document.body.dataset.kind === 'shelf') {
    shelf = new Shelf(document.getElementById('shelf'), {
        act,
        rested: () => member.end('idle'),
        post: (what, body) => link.post(what, body),
        refresh: () => {
            if (performance.now() - refreshed > FRESH_MS) refresh();
        },
    });
}
if (document.body.dataset.kind === 'mirror') {
    mirror = new Mirror(document.getElementById('mirror'), {
        base,
        act,
        post: (what, body) => link.post(what, body),
    });
}
const isUsed = () => (shelf ? !shelf.isIdle : document.body.classList.contains('mirrors'));
const marks = new Marks(screen);
player.isBehind = () => verdict.isOn;
player.isCovered = () => marks.shown !== null || verdict.isOn || isUsed();
take(program);
frame();
link.open();
beat();
setInterval(beat, BEAT_MS);
setInterval(() => outbox.flush(), BEAT_MS);
// The program looks two days ahead; it is asked for again long before that.
setInterval(refresh, 600000);
addEventListener('pagehide', () => {
    member.end('closed');
    player.leave();
});
if ('serviceWorker' in navigator) {
    navigator.serviceWorker.register(`/s/${screen}/app/worker.js`, { scope: `/s/${screen}` }).catch(() => {});
}
