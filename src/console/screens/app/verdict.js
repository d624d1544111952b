// What became of a coupon, a purchase or a sample: over everything but an override, in words, in both languages, for a
// few seconds. It is no item of the content, and no play.

import { element } from './items.js';
import { verdict } from './words.js';

const SECONDS_MS = 7000;
const SIGNS = { good: '✓', wait: '…', bad: '✕', ask: '?' };

export class Verdict {
    constructor() {
        this.name = null;
        this.box = null;
    }

    get isOn() {
        return this.box !== null;
    }

    tell(name, forMs) {
        this.end();
        const { tone, words } = verdict(name);
        const box = element('div', `verdict ${tone}`);
        // Something that went wrong interrupts a screen reader; what went well waits for its turn.
        box.setAttribute('role', tone === 'bad' || tone === 'ask' ? 'alert' : 'status');
        const sign = element('span', 'verdict-sign', SIGNS[tone]);
        sign.setAttribute('aria-hidden', 'true');
        box.append(sign);
        words.forEach(({ lang, text }, at) => {
            const line = element('p', at === 0 ? 'verdict-first' : 'verdict-second', text);
            line.lang = lang;
            box.append(line);
        });
        // Whoever has read it goes on at once.
        box.addEventListener('click', () => this.end());
        document.body.append(box);
        Object.assign(this, { name, box });
        this.ending = setTimeout(() => this.end(), forMs || SECONDS_MS);
    }

    end() {
        clearTimeout(this.ending);
        if (this.box) this.box.remove();
        Object.assign(this, { name: null, box: null });
    }
}
