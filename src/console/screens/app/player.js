// Plays the zones of a program: what is on follows from the clock; what was seen is counted picture by picture.

import { element, productCard, shown, still } from './items.js';
import { following, slotAt } from './slots.js';
import { now, pace, uuid } from './time.js';

// A picture that is older than this when the next one comes was not seen all the time.
const GAP_MS = 250;
// How long before its turn an item is made ready.
const READY_MS = 3000;
// A film that shows no new picture for this long does not go on any more.
const STALLED_MS = 6000;
// A film that has shown none at all in its whole time, if that was longer than this, cannot be played.
const NOTHING_MS = 1500;
// So long something else of its round is shown in its place; then it is tried again.
const BROKEN_MS = 300000;

/** Counts what was really painted of one play. */
class Seen {
    constructor() {
        this.began = performance.now();
        this.last = this.began;
        this.moved = this.began;
        this.seen = 0;
        this.presented = 0;
    }

    /** A picture was painted; of a film only one that moves on counts. */
    painted(video) {
        const at = performance.now();
        const frames = video ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
        if (video && frames === this.presented && at - this.last < 2 * GAP_MS) return;
        const gap = at - this.last;
        if (
            document.visibilityState === 'visible' &&
            gap <= (video ? 2 : 1) * GAP_MS &&
            !(video && frames === this.presented)
        ) {
            this.seen += gap;
        }
        if (frames !== this.presented || document.visibilityState !== 'visible') this.moved = at;
        this.last = at;
        this.presented = frames;
    }

    /** Whether a film has shown nothing, although it could be seen. */
    isEmpty() {
        return this.presented === 0 && performance.now() - this.moved > NOTHING_MS;
    }

    /** Nobody can see it: that it does not move says nothing. */
    rests() {
        this.moved = performance.now();
    }

    ratio(planned) {
        return Math.max(0, Math.min(1, planned > 0 ? (this.seen * pace) / planned : 0));
    }
}

/** One zone, or the layer above them all. */
class Stage {
    constructor(player, zone, root) {
        Object.assign(this, { player, zone, root, current: null, next: null, broken: new Map() });
    }

    /** Whether an item could not be shown a short while ago. */
    isBroken(item) {
        const at = this.broken.get(item);
        if (at === undefined || performance.now() - at < BROKEN_MS) return at !== undefined;
        this.broken.delete(item);
        return false;
    }

    /** A film that cannot be played, or does not move, makes way: it is reported, and not shown for a while. */
    judge() {
        const { current } = this;
        if (!current || !current.video) return;
        if (!current.failed && performance.now() - current.seen.moved > STALLED_MS) current.failed = 'stalled';
        if (current.failed) this.broken.set(current.item, performance.now());
    }

    make(key, item) {
        const show = shown(this.player.program, item);
        show.key = key;
        show.ready.then(
            () => {
                show.isReady = true;
            },
            (error) => {
                show.failed ??= String(error);
            },
        );
        return show;
    }

    /** Shows what is to be shown now: `{key, item, from, to, trigger, overridden, kind}`, or nothing. */
    turn(wanted) {
        if (this.current && (!wanted || this.current.key !== wanted.key)) this.finish(wanted);
        if (!wanted || this.current) return;
        const show = this.next && this.next.key === wanted.key ? this.next : wanted.build(wanted.key);
        this.next = null;
        const how = this.player.program.items[wanted.item];
        show.root.classList.add(how ? how.transition : 'cut');
        this.root.append(show.root);
        show.begin();
        this.current = Object.assign(show, wanted, { began: Math.max(now(), wanted.from), seen: new Seen() });
        this.player.changed(this);
    }

    /** Its time is over: it is reported, and stays to be seen until the next one has come over it. */
    finish(next) {
        const old = this.current;
        this.current = null;
        if (old.video && !old.failed && old.seen.isEmpty()) {
            old.failed = 'nothing';
            this.broken.set(old.item, performance.now());
        }
        const isOver = now() >= old.to - 1;
        const end = isOver ? old.to : Math.min(Math.max(now(), old.began), old.to);
        const started = !old.instead && old.began - old.from <= Math.max(GAP_MS * pace, 20);
        const t0 = started ? old.from : old.began;
        const result = old.failed ? 'error' : isOver && started ? 'complete' : 'cut';
        this.player.played(this.zone.id, old, { t0, t1: end, result });
        const leave = () => old.end();
        if (
            next &&
            next.item &&
            this.player.program.items[next.item] &&
            this.player.program.items[next.item].transition !== 'cut'
        ) {
            old.root.classList.add('leaves');
            setTimeout(leave, 600);
        } else {
            requestAnimationFrame(leave);
        }
    }

    prepare(slot) {
        if (!slot || (this.next && this.next.key === slot.key) || (this.current && this.current.key === slot.key))
            return;
        if (this.next) this.next.end();
        this.next = slot.build(slot.key);
    }
}

export class Player {
    /** `report(play)` is told of every play, `changed` whenever a stage shows something else. */
    constructor(root, report) {
        Object.assign(this, {
            root,
            report,
            frames: 0,
            dropped: 0,
            lastPaint: performance.now(),
            show: null,
            stages: [],
        });
        this.above = new Stage(this, { id: 'above' }, element('div', 'above'));
        // Above a shelf or a mirror in use, too, and not only above the playlists.
        document.body.append(this.above.root);
        this.onChange = () => {};
        this.isCovered = () => false;
        this.isBehind = () => false;
    }

    /** A new program. A zone that stays where it is goes on with what it shows, if that is still there. */
    load(program) {
        const isSame = this.program && this.program.rev === program.rev;
        this.program = program;
        if (!isSame) {
            this.stages.forEach((stage) => {
                if (stage.current) stage.finish(null);
                if (stage.next) stage.next.end();
                stage.root.remove();
            });
            this.stages = program.zones.map((zone) => {
                const root = element('div', 'zone');
                Object.assign(root.style, {
                    left: `${zone.x * 100}%`,
                    top: `${zone.y * 100}%`,
                    width: `${zone.w * 100}%`,
                    height: `${zone.h * 100}%`,
                });
                this.root.append(root);
                return new Stage(this, zone, root);
            });
        } else {
            this.stages.forEach((stage, at) => {
                stage.zone = program.zones[at];
            });
        }
    }

    /** Something that comes before the playlists for a while. */
    interrupt(scene, n, painted) {
        const at = now();
        const busy = this.show && this.show.to > at && (this.show.prio || 0) > (scene.prio || 0);
        if (busy) return false;
        const to = at + (scene.for_ms || 10000);
        const key = `show ${n}`;
        const product = scene.sku && this.program.products.find((one) => one.sku === scene.sku);
        const build = (of) => (scene.item ? this.above.make(of, scene.item) : this.card(of, product));
        this.show = {
            key,
            item: scene.item || `product:${scene.sku}`,
            from: at,
            to,
            trigger: scene.trigger || 'show',
            prio: scene.prio,
            build,
            painted,
        };
        return true;
    }

    card(key, product) {
        const root = element('div', 'layer');
        root.append(productCard(product));
        return { ...still(root), key, isReady: true };
    }

    announcement(said) {
        const build = (key) => {
            const root = element('div', 'layer');
            const text = element('p', 'announces alarm fills', said.text);
            text.setAttribute('role', 'alert');
            root.append(text);
            return { ...still(root), key, isReady: true };
        };
        return {
            key: `override ${said.text}`,
            item: 'override',
            from: now(),
            to: said.until_ms || Infinity,
            overridden: true,
            build,
        };
    }

    /** What the layer above shows now. */
    urgent(at) {
        const said = this.program.override;
        if (said && !(said.until_ms <= at))
            return this.above.current && this.above.current.overridden ? this.above.current : this.announcement(said);
        if (this.show && this.show.to > at) return this.show;
        this.show = null;
        return null;
    }

    slot(stage, at) {
        const planned = slotAt(this.program, stage.zone, at);
        if (!planned) return null;
        // In the place of what cannot be shown comes what follows in its round.
        const is = (item) => !stage.isBroken(item);
        const item = is(planned.item) ? planned.item : following(this.program, stage.zone, at, planned.item, is);
        const key = `${item} ${planned.from} ${this.program.rev}`;
        return { ...planned, item, key, build: (key) => stage.make(key, item), instead: item !== planned.item };
    }

    /** Once for every picture that the browser paints. */
    tick() {
        const at = now();
        const real = performance.now();
        if (real - this.lastPaint > GAP_MS) this.dropped += 1;
        const slept = real - this.lastPaint > STALLED_MS / 4;
        this.lastPaint = real;
        this.frames += 1;
        const urgent = this.urgent(at);
        this.above.turn(urgent);
        for (const stage of this.stages) {
            if (slept && stage.current) stage.current.seen.rests();
            stage.judge();
            stage.turn(this.slot(stage, at));
            if (stage.current) {
                if (!urgent && !this.isCovered()) stage.current.seen.painted(stage.current.video);
                else stage.current.seen.rests();
                if (stage.current.to - at < READY_MS) stage.prepare(this.slot(stage, stage.current.to));
            }
        }
        if (this.above.current) {
            const isSeen = this.above.current.overridden || !this.isBehind();
            if (isSeen) this.above.current.seen.painted(this.above.current.video);
            if (urgent && urgent.painted && !urgent.isTold) {
                urgent.isTold = true;
                // The picture with it is painted after this one has been drawn.
                requestAnimationFrame(() => requestAnimationFrame(urgent.painted));
            }
        }
    }

    changed(stage) {
        this.onChange(stage);
    }

    played(zone, old, { t0, t1, result }) {
        const item = this.program.items[old.item];
        if (!Number.isFinite(t1) || t1 <= t0) return;
        const planned = Number.isFinite(old.to) ? old.to - old.from : t1 - t0;
        const ratio = old.seen.ratio(planned);
        // What nobody could see was not played.
        if (ratio === 0 && result !== 'error') return;
        this.report({
            play_id: uuid(),
            zone,
            item: old.item,
            sha256: item && item.asset ? item.asset : null,
            rev: this.program.rev,
            t0: Math.round(t0),
            t1: Math.round(t1),
            mono_ms: Math.round((performance.now() - old.seen.began) * pace),
            result,
            visible_ratio: ratio,
            trigger_id: old.trigger || null,
            override: Boolean(old.overridden),
        });
    }

    /** The page goes: what is on is reported as cut. */
    leave() {
        [...this.stages, this.above].forEach((stage) => {
            if (stage.current) stage.finish(null);
        });
    }

    state() {
        const of = (stage) =>
            stage.current && { item: stage.current.item, from: stage.current.from, to: stage.current.to };
        return {
            zones: Object.fromEntries(this.stages.map((stage) => [stage.zone.id, of(stage)])),
            above: of(this.above),
        };
    }
}
