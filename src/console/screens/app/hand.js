// A code for the shopper's phone, good for one scan.

import { button, element } from './items.js';
import { lang, word } from './words.js';

export class Hand {
    /** `post(what, body)` asks the gateway; `changed` is called when there is something else to be seen. */
    constructor(post, changed) {
        Object.assign(this, { post, changed, hand: null, turn: 0 });
    }

    /** Asks for a code for this: `{sku}` or `{photo}`. */
    async offer(what) {
        this.turn += 1;
        const { turn } = this;
        const answer = await this.post('handoff', { ...what, lang: lang() });
        if (!answer.ok) throw new Error(String(answer.status));
        const hand = await answer.json();
        // Whoever asked has gone on to something else.
        if (turn !== this.turn) return;
        this.hand = hand;
        setTimeout(() => this.expire(hand), hand.expires_ms);
        this.changed();
    }

    close() {
        this.turn += 1;
        this.hand = null;
    }

    /** A phone has it; whether it was this one. */
    scanned({ hand }) {
        if (!this.hand || this.hand.hand !== hand) return false;
        this.hand.scanned = true;
        this.changed();
        return true;
    }

    expire(hand) {
        if (this.hand !== hand || hand.scanned) return;
        hand.expired = true;
        this.changed();
    }

    /** The code, and what became of it. */
    box(invitation, close) {
        const box = element('div', 'hand');
        const image = element('img', 'code');
        image.src = `data:image/svg+xml;utf8,${encodeURIComponent(this.hand.svg)}`;
        image.alt = invitation;
        const { scanned, expired } = this.hand;
        const state = element('p', scanned ? 'scanned' : 'scan', scanned ? word('scanned') : expired ? word('expired') : invitation);
        state.setAttribute('role', 'status');
        box.append(image, state, button('plain', word('close'), close));
        return box;
    }

    state() {
        return this.hand && { ...this.hand, svg: null };
    }
}
