// Elements of what is shown. Only addresses on this gateway are ever asked for: `/cas/` and a digest.

import { lang, said } from './words.js';

export const address = (digest) => `/cas/${digest}`;

export function price(product) {
    const form = new Intl.NumberFormat(lang(), {
        style: 'currency',
        currency: product.currency,
        currencyDisplay: 'narrowSymbol',
    });
    return form.format(product.price_minor / 10 ** form.resolvedOptions().maximumFractionDigits);
}

export function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
}

export function button(className, text, done) {
    const made = element('button', className, text);
    made.type = 'button';
    made.addEventListener('click', done);
    return made;
}

export function picture(digest, alt, className) {
    const image = element('img', className);
    image.src = address(digest);
    image.alt = alt || '';
    image.decoding = 'async';
    return image;
}

function film(item) {
    const video = element('video', 'fills');
    video.muted = true;
    video.playsInline = true;
    video.preload = 'auto';
    video.loop = true;
    video.disableRemotePlayback = true;
    video.src = address(item.asset);
    video.setAttribute('aria-label', said(item.text));
    return video;
}

/** A card of a product, to look at. */
export function productCard(product) {
    const card = element('div', 'card fills');
    card.append(picture(product.asset, '', 'card-picture'), element('p', 'card-name', said(product.name)));
    card.append(element('p', 'card-text', said(product.text)), element('p', 'card-price', price(product)));
    return card;
}

/** What shows something that stands still and is there at once. */
export function still(root) {
    return { root, ready: Promise.resolve(), begin() {}, end: () => root.remove(), video: null };
}

/** What shows an item: `{root, ready, begin, end}`; `ready` is fulfilled once it can be painted at once. */
export function shown(program, id) {
    const item = program.items[id];
    const root = element('div', 'layer');
    const show = still(root);
    if (item.kind === 'image') {
        const image = picture(item.asset, said(item.text), 'fills');
        root.append(image);
        show.ready = image.decode();
    } else if (item.kind === 'video') {
        const video = film(item);
        root.append(video);
        show.video = video;
        show.ready = new Promise((resolve, reject) => {
            video.oncanplay = resolve;
            video.onerror = () => {
                // Also one that had begun may break off.
                show.failed = 'the film cannot be played';
                reject(new Error(show.failed));
            };
        });
        show.begin = () => video.play().catch(() => {});
        show.end = () => {
            // A film that is only removed keeps its buffers. Without its source it is no failure any more.
            video.onerror = null;
            video.pause();
            video.removeAttribute('src');
            video.load();
            root.remove();
        };
    } else if (item.kind === 'product') {
        const card = productCard(program.products.find((product) => product.sku === item.sku));
        root.append(card);
        show.ready = card.querySelector('img').decode();
    } else {
        root.append(element('p', 'announces fills', said(item.text)));
    }
    return show;
}
