// What is on at a moment: the same rule as the gateway's (`wire::screen::schedule`). No clock and no document here.

/** The segment of a zone that a moment lies in; behind the last one, the last one goes on. */
export function segmentAt(zone, at) {
    const segments = zone.segments;
    const found = segments.find((segment) => segment.from_ms <= at && at < segment.to_ms);
    const last = segments[segments.length - 1];
    return found || (last && at >= last.to_ms ? { ...last, to_ms: Infinity } : null);
}

/** What a zone shows at a moment: `{item, from, to}`, or null. The round repeats from 1970 on. */
export function slotAt(program, zone, at) {
    const segment = segmentAt(zone, at);
    if (!segment || segment.items.length === 0) return null;
    const length = (item) => (program.items[item] ? program.items[item].dur_ms : 0);
    const round = segment.items.reduce((sum, item) => sum + length(item), 0);
    if (round <= 0) return null;
    let from = at - (at % round);
    for (const item of segment.items) {
        const to = from + length(item);
        if (at < to) return { item, from: Math.max(from, segment.from_ms), to: Math.min(to, segment.to_ms) };
        from = to;
    }
    return null;
}

/** The next item of the round that is on at a moment, behind one, of which something is true; without any, that one. */
export function following(program, zone, at, item, is) {
    const { items } = segmentAt(zone, at);
    const place = items.indexOf(item);
    const round = [...items.slice(place + 1), ...items.slice(0, place)];
    return round.find((one) => one !== item && program.items[one] && is(one)) || item;
}

/** What a scene means, if it means anything: `{item}`, `{sku}`, `{home: true}` or `{verdict}`. */
export function sceneOf(program, scene) {
    if (scene === 'home') return { home: true };
    if (scene.startsWith('verdict:')) return { verdict: scene.slice('verdict:'.length) };
    const trigger = program.triggers.filter((one) => one.on === scene).sort((a, b) => b.prio - a.prio)[0];
    if (trigger) return { item: trigger.show, trigger: trigger.id, for_ms: trigger.for_ms, prio: trigger.prio };
    if (program.items[scene]) return { item: scene };
    const [kind, ...rest] = scene.split(':');
    const name = rest.join(':');
    const key = { product: 'sku', facing: 'facing', gtin: 'gtin' }[kind];
    const is = (one) => (kind === 'gtin' ? (one.gtin || '').padStart(14, '0') : one[key]) === name;
    const product = key && program.products.find(is);
    return product ? { sku: product.sku } : null;
}
