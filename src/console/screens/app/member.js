// A member's session at this screen: the gateway says when it begins, the page when it is over. Who the member is stays
// with the gateway: the page knows a session's name and nothing else.

import { button, element } from './items.js';
import { now } from './time.js';
import { both } from './words.js';

const IDLE_MS = 60000;
const WATCH_MS = 250;
const SAID_MS = 6000;

export class Member {
    /**
     * `over(end)` is told of every end, `changed()` of a member who takes another's place; `before()` names whoever
     * stands before the screen's camera, where it has one.
     */
    constructor({ over, changed, before }) {
        Object.assign(this, { over, changed, before, id: null, who: null, last: 0, box: null });
        addEventListener('pointerdown', () => this.touched(), { capture: true });
        addEventListener('keydown', () => this.touched(), { capture: true });
        setInterval(() => this.watch(), WATCH_MS);
    }

    /** Another one takes the place of the one before, whose end the gateway has said. */
    bind(id) {
        if (this.id && this.id !== id) this.changed();
        Object.assign(this, { id, who: this.before() || null });
        this.touched();
        const leave = both('leave').map(({ text }) => text);
        this.say('welcome').append(button('plain', leave.join(' / '), () => this.end('closed')));
    }

    touched() {
        this.last = performance.now();
    }

    /** Whoever was before the camera has gone, or nobody has touched anything for a while. */
    watch() {
        if (!this.id) return;
        const who = this.before() || null;
        if (this.who && who !== this.who) return this.end('idle');
        this.who = who;
        if (who) this.touched();
        if (performance.now() - this.last > IDLE_MS) this.end('idle');
    }

    end(how) {
        if (!this.id) return;
        const session = this.id;
        Object.assign(this, { id: null, who: null });
        const box = this.say('left');
        setTimeout(() => box.remove(), SAID_MS);
        this.over({ session, ended: Math.round(now()), how });
    }

    /** In both languages, beside what is shown. */
    say(key) {
        if (this.box) this.box.remove();
        this.box = element('div', 'member');
        this.box.setAttribute('role', 'status');
        for (const { lang, text } of both(key)) {
            const line = element('span', '', text);
            line.lang = lang;
            this.box.append(line);
        }
        document.body.append(this.box);
        return this.box;
    }
}
