// The make-up mirror: the shopper's own face, shades to try on it, and what an ordinary camera can say of a skin.

import { button, element, price } from './items.js';
import { Painter, Plain, read } from './glass.js';
import { lang, said, setLang, word } from './words.js';
import { uuid } from './time.js';

// A mirror that gets no picture for so long shows none.
const STALE_MS = 2500;
const GONE_MS = 10000;

export class Mirror {
    constructor(root, { base, act }) {
        Object.assign(this, { root, base, act, program: null, session: null, frames: 0, last: null });
        this.look = { lips: null, blush: null };
        this.worn = { lips: null, blush: null };
        this.before = false;
        this.results = null;
        this.canvas = element('canvas', 'glass');
        this.canvas.setAttribute('role', 'img');
        this.live = element('p', 'live');
        this.live.setAttribute('role', 'status');
        this.controls = element('div', 'controls');
        this.root.append(this.canvas, this.controls, this.live);
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
        if (shot.measured) this.measured(shot.measured);
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
        Object.assign(this, { results: null, photo: null, before: false });
        this.wear();
        this.draw();
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
        parts.push(this.swatches(), this.choices(), element('p', 'note', word('approximate')));
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
        row.append(skin);
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
            webgl: !this.composes,
            connected: Boolean(this.socket),
        };
    }
}
