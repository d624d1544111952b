// Words, numbers and times in the page's language.

export const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const words = (await import(`./words-${language}.js`)).default;
const locale = language === "zh" ? "zh-CN" : "en-GB";

/** A word, with `{name}` replaced by its value. What there is no word for is said as `otherwise`, or as its key. */
export function say(key, values = {}, otherwise = key) {
    const text = words[key] ?? otherwise;
    return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** Text and advice of a condition. */
export function condition(one) {
    const own = words["cond." + one.code];
    const text = own
        ? own + (one.detail ? (language === "zh" ? `（${one.detail}）` : ` (${one.detail})`) : "")
        : one.text;
    return { text, help: words["help." + one.code] ?? one.help };
}

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
export const number = value => whole.format(value);

export function bytes(count) {
    for (const [unit, size] of [
        ["GiB", 2 ** 30],
        ["MiB", 2 ** 20],
        ["KiB", 2 ** 10],
    ]) {
        if (count >= size) return `${tenths.format(count / size)} ${unit}`;
    }
    return `${whole.format(count)} B`;
}

const STEPS = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
];

/** A span of time in its two largest units. */
export function span(seconds) {
    let rest = Math.max(0, Math.round(seconds));
    const parts = [];
    for (const [unit, size] of STEPS) {
        const count = Math.floor(rest / size);
        rest -= count * size;
        if (count || (unit === "second" && !parts.length)) parts.push(say("span_" + unit, { n: count }));
        if (parts.length === 2) break;
    }
    return parts.join(" ");
}

let skew = 0;
/** The gateway's clock counts. */
export function setNow(text) {
    skew = Date.parse(text) - Date.now();
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

/** How long ago, in its largest unit. */
export function ago(text) {
    const seconds = Math.max(0, (Date.now() + skew - Date.parse(text)) / 1000);
    if (seconds < 5) return say("just_now");
    const [unit, size] = STEPS.find(([, size]) => seconds >= size);
    return relative.format(-Math.floor(seconds / size), unit);
}

const clocks = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
});
const dates = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
});
export const clock = text => clocks.format(new Date(text));
export const date = text => dates.format(new Date(text));

export function money(minor, currency) {
    if (!currency) return tenths.format(minor / 100);
    return new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(
        minor / 100,
    );
}
