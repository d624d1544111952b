// The line to the gateway: events down, posts up.

import { heard, skew } from './time.js';

export class Link {
    constructor(base, handlers) {
        this.base = base;
        this.handlers = handlers;
        this.isOpen = false;
    }

    open() {
        const source = new EventSource(`${this.base}/events`);
        source.onopen = () => {
            this.isOpen = true;
            this.handlers.open();
        };
        source.onerror = () => {
            this.isOpen = false;
            this.handlers.lost();
            // One that the browser has given up is opened anew.
            if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), 2000);
        };
        for (const name of ['program', 'show', 'override', 'command', 'scanned', 'ping']) {
            source.addEventListener(name, (event) => {
                const at = performance.now();
                const data = JSON.parse(event.data);
                if (data.now_ms) heard(data.now_ms);
                if (this.handlers[name]) this.handlers[name](data, at);
            });
        }
    }

    async post(what, body) {
        const answer = await fetch(`${this.base}/${what}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
        });
        return answer;
    }

    async program(at) {
        const answer = await fetch(`${this.base}/program?at=${Math.floor(at)}`, { cache: 'no-store' });
        if (!answer.ok) throw new Error(`the program: ${answer.status}`);
        return answer.json();
    }

    skew() {
        return skew();
    }
}
