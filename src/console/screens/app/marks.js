// What a technician has a screen say of itself: its name, large; a test pattern. Drawn here, over everything else, and
// over by itself.

import { element } from './items.js';
import { now } from './time.js';
import { lang } from './words.js';

const IDENTIFY_MS = 8000;
const PATTERN_MS = 30000;
const LONGEST_MS = 120000;
// White, yellow, cyan, green, magenta, red, blue, black: in this order their brightness falls (ITU-R BT.1729).
const BARS = ['#fff', '#ff0', '#0ff', '#0f0', '#f0f', '#f00', '#00f', '#000'];
const GREYS = 11;

function strip(className, colours) {
    const row = element('div', className);
    for (const colour of colours) {
        const bar = element('div');
        bar.style.background = colour;
        row.append(bar);
    }
    return row;
}

export class Marks {
    constructor(screen) {
        Object.assign(this, { screen, shown: null, root: null, over: 0, timer: 0 });
    }

    knows(scene) {
        return scene === 'screen:identify' || scene === 'screen:pattern';
    }

    show(scene, forMs, program) {
        this.end();
        const isPattern = scene === 'screen:pattern';
        this.shown = isPattern ? 'pattern' : 'identify';
        this.root = isPattern ? this.pattern(program) : element('div', 'mark identify', this.screen);
        this.root.setAttribute('role', 'img');
        this.root.setAttribute('aria-label', this.screen);
        document.body.append(this.root);
        const usual = isPattern ? PATTERN_MS : IDENTIFY_MS;
        this.over = setTimeout(() => this.end(), Math.min(forMs || usual, LONGEST_MS));
    }

    end() {
        clearTimeout(this.over);
        clearInterval(this.timer);
        if (this.root) this.root.remove();
        Object.assign(this, { shown: null, root: null });
    }

    pattern(program) {
        const root = element('div', 'mark pattern');
        const greys = Array.from({ length: GREYS }, (_, at) => `hsl(0 0% ${(at * 100) / (GREYS - 1)}%)`);
        const said = element('div', 'pattern-said');
        const clock = element('p', 'pattern-clock');
        const form = new Intl.DateTimeFormat(lang(), {
            dateStyle: 'medium',
            timeStyle: 'medium',
            hourCycle: 'h23',
            timeZone: program.tz,
        });
        const tell = () => {
            clock.textContent = `${form.format(now())} · ${program.tz}`;
        };
        tell();
        this.timer = setInterval(tell, 200);
        const size = `${innerWidth} × ${innerHeight} @${devicePixelRatio} · ${screen.width} × ${screen.height}`;
        said.append(element('p', 'pattern-name', this.screen), clock, element('p', '', size));
        said.append(element('p', '', `rev ${program.rev}`));
        // What moves shows that the picture is alive; the frame shows what the panel cuts off.
        root.append(strip('pattern-bars', BARS), strip('pattern-greys', greys), element('div', 'pattern-moves'), said);
        root.append(element('div', 'pattern-frame'));
        return root;
    }
}
