// What the gateway must hear, kept in the browser until it has answered with 2xx: plays and actions.

const STORE = 'outbox';
const MOST = 20000;
const BATCH = 100;

function opened(name) {
    return new Promise((resolve, reject) => {
        const asking = indexedDB.open(`smartstore-${name}`, 1);
        asking.onupgradeneeded = () => asking.result.createObjectStore(STORE, { autoIncrement: true });
        asking.onsuccess = () => resolve(asking.result);
        asking.onerror = () => reject(asking.error);
    });
}

function done(asking) {
    return new Promise((resolve, reject) => {
        asking.onsuccess = () => resolve(asking.result);
        asking.onerror = () => reject(asking.error);
    });
}

export class Outbox {
    /** `post(kind, entries)` answers with the HTTP status; it throws when nobody answers. */
    constructor(name, post) {
        this.post = post;
        this.counts = { made: 0, sent: 0, refused: 0, waiting: 0 };
        this.db = opened(name).catch(() => null);
        this.memory = [];
        this.busy = false;
    }

    async put(kind, entry) {
        this.counts.made += 1;
        const db = await this.db;
        if (db) await done(db.transaction(STORE, 'readwrite').objectStore(STORE).add({ kind, entry }));
        else this.memory.push({ kind, entry });
        await this.flush();
    }

    async waiting(db) {
        if (!db) return this.memory.slice(0, BATCH).map((value, key) => ({ key, value }));
        const store = db.transaction(STORE).objectStore(STORE);
        const [keys, values] = await Promise.all([
            done(store.getAllKeys(null, BATCH)),
            done(store.getAll(null, BATCH)),
        ]);
        return keys.map((key, at) => ({ key, value: values[at] }));
    }

    async remove(db, some) {
        if (!db) {
            this.memory.splice(0, some.length);
            return;
        }
        const store = db.transaction(STORE, 'readwrite').objectStore(STORE);
        await Promise.all(some.map(({ key }) => done(store.delete(key))));
    }

    /** Sends what waits, in order. One at a time: whoever comes while it runs is served by it. */
    async flush() {
        if (this.busy) return;
        this.busy = true;
        try {
            const db = await this.db;
            for (;;) {
                const all = await this.waiting(db);
                this.counts.waiting = all.length;
                if (all.length === 0) break;
                const kind = all[0].value.kind;
                const end = all.findIndex(({ value }) => value.kind !== kind);
                if (!(await this.send(db, kind, end < 0 ? all : all.slice(0, end)))) break;
            }
            await this.bound(db);
        } catch (error) {
            this.problem = String(error);
        } finally {
            this.busy = false;
        }
    }

    /** Whether it got rid of them. One that the gateway cannot take stands alone, and is dropped and counted. */
    async send(db, kind, some) {
        const status = await this.post(
            kind,
            some.map(({ value }) => value.entry),
        );
        if (status >= 200 && status < 300) this.counts.sent += some.length;
        else if (status !== 400 && status !== 413) return false;
        else if (some.length > 1) return this.send(db, kind, some.slice(0, 1));
        else this.counts.refused += 1;
        await this.remove(db, some);
        return true;
    }

    /** A gateway that is away for a week must not fill the disk: the oldest go first. */
    async bound(db) {
        if (!db) return;
        const store = db.transaction(STORE, 'readwrite').objectStore(STORE);
        const count = await done(store.count());
        this.counts.waiting = count;
        if (count <= MOST) return;
        const keys = await done(store.getAllKeys(null, count - MOST));
        await Promise.all(keys.map((key) => done(store.delete(key))));
        this.counts.refused += keys.length;
    }
}
