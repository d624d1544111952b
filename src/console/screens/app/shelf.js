// The smart shelf: products to look at, by touch or because somebody took one off the shelf.

import { Hand } from './hand.js';
import { button, element, picture, price } from './items.js';
import { lang, said, setLang, word } from './words.js';
import { uuid } from './time.js';

// Nobody has touched the screen for so long: back to all products, and then to what attracts.
const HOME_MS = 30000;
const IDLE_MS = 60000;

export class Shelf {
    /**
     * `act(action)` reports what a shopper did, `post(what, body)` asks the gateway, `refresh()` asks for stock, and
     * `rested()` is told that nobody is here any more.
     */
    constructor(root, { act, post, refresh, rested }) {
        Object.assign(this, {
            root,
            act,
            post,
            refresh,
            rested,
            sku: null,
            how: null,
            session: null,
            favours: new Set(),
            hand: new Hand(post, () => this.draw()),
            program: null,
        });
        this.live = element('p', 'live');
        this.live.setAttribute('role', 'status');
        this.isIdle = true;
        // The language that the screen begins in, for every shopper.
        this.language = lang();
        this.hint = element('p', 'touch');
        document.body.append(this.hint);
        addEventListener('pointerdown', () => this.touched(), { capture: true });
        addEventListener('keydown', () => this.touched(), { capture: true });
    }

    load(program) {
        const isFirst = !this.program;
        this.program = program;
        if (isFirst) this.rest();
        else this.draw();
    }

    /** Somebody is here: whoever comes after a pause is another session, bound to nobody. */
    touched() {
        if (!this.session) this.session = uuid();
        clearTimeout(this.homing);
        clearTimeout(this.resting);
        this.homing = setTimeout(() => this.open(null, 'asked'), HOME_MS);
        this.resting = setTimeout(() => this.rest(), IDLE_MS);
        if (this.isIdle) {
            this.isIdle = false;
            document.body.classList.remove('idle');
            this.draw();
        }
    }

    /** Nothing of whoever was here is left. */
    clear() {
        Object.assign(this, { session: null, isMember: false, sku: null });
        this.hand.close();
        this.favours.clear();
        this.say('');
        setLang(this.language);
    }

    rest() {
        this.isIdle = true;
        this.clear();
        this.hint.textContent = word('touch');
        document.body.classList.add('idle');
        this.draw();
        this.rested();
    }

    /** A member's session. Who was here without a name may have it now; of another member nothing is left. */
    bound(session) {
        if (this.isMember && session !== this.session) {
            this.clear();
            this.draw();
        }
        Object.assign(this, { session, isMember: true });
        this.touched();
    }

    open(sku, how) {
        Object.assign(this, { sku, how });
        this.hand.close();
        this.say('');
        if (how === 'lifted' || sku) this.touched();
        this.draw();
        if (sku) this.refresh();
    }

    report(action, product) {
        this.act({ action, sku: product.sku, gtin: product.gtin || null, session: this.session });
    }

    draw() {
        const product = this.program.products.find((one) => one.sku === this.sku);
        this.root.replaceChildren(this.head(product), product ? this.page(product) : this.grid(), this.live);
    }

    head(product) {
        const head = element('header', 'bar');
        head.append(element('h1', 'brand', product ? said(product.name) : word('title')));
        if (product) head.prepend(button('plain back', `‹ ${word('home')}`, () => this.open(null, 'asked')));
        const other = lang() === 'en' ? 'zh-CN' : 'en';
        const language = button('plain', word('language'), () => {
            setLang(other);
            this.say('');
            this.draw();
        });
        language.lang = other;
        head.append(language);
        return head;
    }

    grid() {
        const main = element('main', 'grid');
        main.setAttribute('aria-label', word('all'));
        for (const product of this.program.products) {
            const tile = button('tile', '', () => {
                this.open(product.sku, 'touched');
                this.report('ITEM_CLICK', product);
            });
            tile.dataset.sku = product.sku;
            const text = element('span', 'tile-text');
            text.append(
                element('span', 'tile-name', said(product.name)),
                element('span', 'tile-price', price(product)),
            );
            tile.append(picture(product.asset, '', 'tile-picture'), text);
            main.append(tile);
        }
        return main;
    }

    stock(product) {
        const count = this.program.stock[product.sku];
        if (count === undefined) return null;
        return element('p', count > 0 ? 'stock' : 'stock none', count > 0 ? word('stock', count) : word('soldout'));
    }

    page(product) {
        const main = element('main', 'product');
        main.dataset.sku = product.sku;
        const about = element('div', 'about');
        if (this.how === 'lifted') about.append(element('p', 'lifted', word('lifted')));
        about.append(element('p', 'text', said(product.text)), element('p', 'price', price(product)));
        const stock = this.stock(product);
        if (stock) about.append(stock);
        about.append(this.hand.hand ? this.handed() : this.choices(product));
        main.append(picture(product.asset, said(product.name), 'picture'), about);
        return main;
    }

    choices(product) {
        const row = element('div', 'choices');
        const isFavoured = this.favours.has(product.sku);
        const favour = button('plain', isFavoured ? `♥ ${word('favoured')}` : `♡ ${word('favour')}`, () => {
            if (isFavoured) return;
            this.favours.add(product.sku);
            this.report('ITEM_FAVOR', product);
            this.draw();
        });
        favour.setAttribute('aria-pressed', String(isFavoured));
        const buy = button('strong', word('buy'), () => {
            this.report('BUY_CLICK', product);
            this.say(word('bought'));
        });
        row.append(
            buy,
            favour,
            button('plain', word('take'), () => this.take(product)),
        );
        row.querySelectorAll('button').forEach((one, at) => {
            one.dataset.does = ['buy', 'favour', 'take'][at];
        });
        return row;
    }

    say(text) {
        this.live.textContent = text;
    }

    /** A code for the shopper's phone, good for one scan. */
    async take(product) {
        this.report('SHARE_CLICK', product);
        try {
            await this.hand.offer({ sku: product.sku });
        } catch {
            this.say(word('away'));
        }
    }

    handed() {
        return this.hand.box(word('scan'), () => {
            this.hand.close();
            this.draw();
        });
    }

    scanned(hand) {
        if (this.hand.scanned(hand)) this.touched();
    }

    state() {
        return {
            sku: this.sku,
            how: this.how,
            idle: this.isIdle,
            session: this.session,
            hand: this.hand.state(),
        };
    }
}
