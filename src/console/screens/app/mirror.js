// The make-up mirror: the shopper's own face, shades to try on it, and what an ordinary camera can say of a skin.

import { Painter, Plain, read } from './glass.js';
import { Hand } from './hand.js';
import { button, element, price } from './items.js';
import { lang, said, setLang, word } from './words.js';
import { uuid } from './time.js';

// A mirror that gets no picture for so long shows none.
const STALE_MS = 2500;
const GONE_MS = 10000;
// Until a photo is taken, counted aloud; and how long it may take then.
const COUNT = 3;
const TAKEN_MS = 5000;

export class Mirror {
    /** `act(action)` reports what a shopper did, `post(what, body)` asks the gateway. */
    constructor(root, { base, act, post }) {
        Object.assign(this, { root, base, act, program: null, session: null, frames: 0, last: null, photo: null });
        this.hand = new Hand(post, () => this.draw());
        this.look = { lips: null, blush: null };
        this.worn = { lips: null, blush: null };
        this.before = false;
        this.results = null;
        this.canvas = element('canvas', 'glass');
        this.canvas.setAttribute('role', 'img');
        this.live = element('p', 'live');
        this.live.setAttribute('role', 'status');
        this.controls = element('div', 'controls');
        this.count = element('p', 'count');
        this.count.setAttribute('role', 'alert');
        this.root.append(this.canvas, this.controls, this.count, this.live);
        this.painter = this.makePainter();
        this.connect();
        setInterval(() => this.watch(), 500);
    }

    makePainter() {
        const isRefused = new URLSearchParams(location.search).get('webgl') === 'no';
        try {
            if (isRefused) throw new Error('not wanted');
            return new Painter(this.canvas);
        } catch {
            this.composes = true;
            return new Plain(this.canvas);
        }
    }

    connect() {
        const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
        const socket = new WebSocket(`${scheme}//${location.host}${this.base}/mirror`);
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => {
            this.socket = socket;
            if (this.composes) this.wish({ do: 'compose', on: true });
            this.wear();
        };
        socket.onmessage = ({ data }) => (typeof data === 'string' ? this.over() : this.see(read(data)));
        socket.onclose = () => {
            this.socket = null;
            setTimeout(() => this.connect(), 2000);
        };
    }

    wish(words) {
        if (this.socket) this.socket.send(JSON.stringify(words));
    }

    wear() {
        const look = this.before ? { lips: null, blush: null } : this.look;
        if (this.composes) this.wish({ do: 'wear', ...look });
    }

    see(shot) {
        // Only the newest is painted: what comes while one is being painted takes its place.
        this.next = shot;
        if (this.isPainting) return;
        this.isPainting = true;
        requestAnimationFrame(() => {
            this.isPainting = false;
            this.paint(this.next);
        });
    }

    paint(shot) {
        const isThere = shot.points.length > 0;
        this.painter.paint(shot, this.before ? { lips: null, blush: null } : this.look, 0);
        this.frames += 1;
        this.last = { number: shot.number, points: shot.points, size: [shot.width, shot.height], at: Date.now(), took: Date.now() - shot.at };
        if (isThere) this.seen = performance.now();
        if (isThere && !this.session) this.begin();
        if (shot.note.measured) this.measured(shot.note.measured);
        if (shot.note.photo) this.taken(shot.note.photo);
        document.body.classList.add('mirrors');
    }

    begin() {
        this.session = uuid();
        this.act({ action: 'BODY_SENSOR', session: this.session });
        this.draw();
    }

    watch() {
        const now = performance.now();
        if (this.last && Date.now() - this.last.at > STALE_MS) this.over();
        if (this.session && now - this.seen > GONE_MS) this.end();
    }

    /** No picture any more. */
    over() {
        if (!this.last) return;
        this.last = null;
        this.next = null;
        this.painter.clear();
        document.body.classList.remove('mirrors');
    }

    /** Whoever was there has gone: nothing of them is kept. */
    end() {
        this.session = null;
        this.look = { lips: null, blush: null };
        this.worn = { lips: null, blush: null };
        Object.assign(this, { results: null, before: false });
        this.drop();
        this.wear();
        this.draw();
    }

    /** Counts, and wishes a photo of what is worn. */
    snap() {
        this.drop();
        this.report('PHOTO_CLICK', this.product());
        this.tell(COUNT);
        this.draw();
    }

    tell(left) {
        this.count.textContent = left > 0 ? String(left) : '';
        this.counting = setTimeout(() => {
            if (left > 1) return this.tell(left - 1);
            this.count.textContent = '';
            this.wish({ do: 'photo', ...(this.before ? { lips: null, blush: null } : this.look) });
            this.counting = setTimeout(() => {
                this.counting = null;
                this.say(word('light-no-face'));
                this.draw();
            }, TAKEN_MS);
            return null;
        }, 1000);
    }

    /** What is on the glass now is kept as a photo: the gateway has it, the page a still of it. */
    taken(number) {
        if (!this.counting) return;
        this.drop();
        const still = element('canvas', 'still');
        Object.assign(still, { width: this.canvas.width, height: this.canvas.height });
        still.getContext('2d').drawImage(this.canvas, 0, 0);
        still.setAttribute('role', 'img');
        still.setAttribute('aria-label', word('photo'));
        this.photo = { number, still };
        this.say('');
        this.draw();
    }

    /** No photo, and none that is on its way. */
    drop() {
        clearTimeout(this.counting);
        this.counting = null;
        this.count.textContent = '';
        // What a canvas holds goes with its size.
        if (this.photo) this.photo.still.width = 0;
        this.photo = null;
        this.hand.close();
    }

    async take() {
        try {
            await this.hand.offer({ photo: this.photo.number });
        } catch {
            this.drop();
            this.say(word('away'));
            this.draw();
        }
    }

    scanned(hand) {
        if (!this.hand.scanned(hand)) return;
        this.report('GET_PHOTO', this.product());
        this.seen = performance.now();
    }

    load(program) {
        this.program = program;
        this.draw();
    }

    report(action, product) {
        const about = product ? { sku: product.sku, gtin: product.gtin || null } : {};
        this.act({ action, ...about, session: this.session });
    }

    say(text) {
        this.live.textContent = text;
    }

    shades() {
        return this.program ? this.program.products.filter((product) => product.shade) : [];
    }

    draw() {
        this.canvas.setAttribute('aria-label', word('mirror'));
        const head = element('header', 'bar');
        const other = lang() === 'en' ? 'zh-CN' : 'en';
        const language = button('plain', word('language'), () => {
            setLang(other);
            this.draw();
        });
        language.lang = other;
        head.append(element('h1', 'brand', word('mirror')), language);
        const parts = [head];
        if (this.results) parts.push(this.figures());
        if (this.photo) parts.push(this.picture());
        else parts.push(this.swatches(), this.choices());
        parts.push(element('p', 'note', word('approximate')));
        this.controls.replaceChildren(...parts);
    }

    swatches() {
        const row = element('div', 'swatches');
        row.setAttribute('role', 'group');
        row.setAttribute('aria-label', word('shades'));
        for (const product of this.shades()) {
            const { part, lab, gloss } = product.shade;
            const isOn = this.worn[part] === product.sku;
            const made = button('swatch', '', () => this.try(product, isOn));
            made.dataset.sku = product.sku;
            made.setAttribute('aria-pressed', String(isOn));
            const drop = element('span', gloss ? 'drop gloss' : 'drop');
            drop.style.background = `lab(${lab[0]}% ${lab[1]} ${lab[2]})`;
            made.append(drop, element('span', 'swatch-name', said(product.name)));
            row.append(made);
        }
        return row;
    }

    try(product, isOn) {
        const { part, lab, gloss } = product.shade;
        this.worn[part] = isOn ? null : product.sku;
        this.look[part] = isOn ? null : { lab, strength: part === 'lips' ? 0.85 : 0.7, gloss: Boolean(gloss) };
        this.report('SKU_CLICK', product);
        this.wear();
        this.draw();
    }

    /** The photo, and what may be done with it. */
    picture() {
        const box = element('section', 'photo');
        box.setAttribute('aria-label', word('photo'));
        const close = () => {
            this.drop();
            this.draw();
        };
        if (this.hand.hand) {
            box.append(this.hand.box(word('scanphoto'), close));
            return box;
        }
        box.append(this.photo.still);
        const row = element('div', 'choices');
        for (const [does, text, act] of [
            ['take', 'take', () => this.take()],
            ['again', 'again', () => this.snap()],
            ['discard', 'discard', close],
        ]) {
            const made = button(does === 'take' ? 'strong' : 'plain', word(text), act);
            made.dataset.does = does;
            row.append(made);
        }
        box.append(row);
        return box;
    }

    product() {
        const sku = this.worn.lips || this.worn.blush;
        return this.shades().find((product) => product.sku === sku);
    }

    choices() {
        const row = element('div', 'choices');
        const product = this.product();
        const before = button('plain', word('before'), () => {
            this.before = !this.before;
            this.wear();
            this.draw();
        });
        before.setAttribute('aria-pressed', String(this.before));
        before.dataset.does = 'before';
        row.append(before);
        const skin = button('plain', word('skin'), () => {
            this.say(word('measuring'));
            this.wish({ do: 'measure' });
        });
        skin.dataset.does = 'skin';
        const photo = button('plain', word('snap'), () => this.snap());
        photo.dataset.does = 'photo';
        photo.disabled = Boolean(this.counting);
        row.append(skin, photo);
        if (product) {
            row.prepend(element('p', 'price', price(product)));
            for (const [does, action, text, answer] of [
                ['favour', 'ITEM_FAVOR', 'favour', 'favoured'],
                ['sample', 'SAMPLE_CLICK', 'sample', 'sampled'],
                ['buy', 'BUY_CLICK', 'buy', 'bought'],
            ]) {
                const made = button(does === 'buy' ? 'strong' : 'plain', word(text), () => {
                    this.report(action, product);
                    this.say(word(answer));
                });
                made.dataset.does = does;
                row.append(made);
            }
        }
        return row;
    }

    measured(result) {
        this.results = result;
        this.say(result.light === 'good' ? word('measuredit') : word(`light-${result.light}`));
        this.draw();
    }

    figures() {
        const box = element('section', 'figures');
        box.setAttribute('aria-label', word('skin'));
        const { light, skin } = this.results;
        if (!skin) {
            box.append(element('p', 'light', word(`light-${light}`)));
        } else {
            const list = element('dl', '');
            const line = (name, value) => list.append(element('dt', '', word(name)), element('dd', '', value));
            line('tone', `${word(`tone-${skin.tone}`)} (ITA° ${skin.ita_degrees.toFixed(0)})`);
            line('redness', `${skin.redness >= 0 ? '+' : '−'}${Math.abs(skin.redness).toFixed(1)}`);
            line('shine', `${skin.shine_percent.toFixed(0)} %`);
            line('spots', skin.spots_percent === null ? word('nearer') : `${skin.spots_percent.toFixed(1)} %`);
            line('lines', skin.lines === null ? word('nearer') : skin.lines.toFixed(1));
            box.append(list);
        }
        box.append(
            element('p', 'note', word('caveat')),
            button('plain', word('close'), () => {
                this.results = null;
                this.draw();
            }),
        );
        return box;
    }

    state() {
        return {
            frames: this.frames,
            last: this.last,
            session: this.session,
            worn: this.worn,
            results: this.results,
            photo: this.photo && this.photo.number,
            hand: this.hand.state(),
            webgl: !this.composes,
            connected: Boolean(this.socket),
        };
    }
}
