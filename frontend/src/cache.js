// A cache of promises that forgets what was not used for longest, bounded in bytes.

/**
 * @template T
 */
export class Cache {
  /**
   * @param {number} room  bytes
   * @param {(value: T) => number} sizeOf
   */
  constructor(room, sizeOf) {
    this.room = room;
    this.sizeOf = sizeOf;
    this.used = 0;
    /** @type {Map<string, {promise: Promise<T>, value: T | undefined, bytes: number}>} */
    this.held = new Map();
  }

  /**
   * What is held under a key, or what ``make`` gives, which is then held.
   * @param {string} key
   * @param {() => Promise<T>} make
   * @returns {Promise<T>}
   */
  get(key, make) {
    const known = this.held.get(key);
    if (known) {
      this.held.delete(key);
      this.held.set(key, known);
      return known.promise;
    }
    const promise = make();
    /** @type {{promise: Promise<T>, value: T | undefined, bytes: number}} */
    const entry = { promise, value: undefined, bytes: 0 };
    this.held.set(key, entry);
    promise.then(
      (value) => {
        if (this.held.get(key) !== entry) return;
        entry.value = value;
        entry.bytes = this.sizeOf(value);
        this.used += entry.bytes;
        this.shrink();
      },
      () => {
        if (this.held.get(key) === entry) this.held.delete(key);
      },
    );
    return promise;
  }

  /**
   * What is held and ready under a key.
   * @param {string} key
   * @returns {T | undefined}
   */
  ready(key) {
    return this.held.get(key)?.value;
  }

  /** @param {string} beginning */
  forget(beginning) {
    for (const [key, entry] of this.held) {
      if (!key.startsWith(beginning)) continue;
      this.held.delete(key);
      this.used -= entry.bytes;
    }
  }

  shrink() {
    for (const [key, entry] of this.held) {
      if (this.used <= this.room || this.held.size <= 1) return;
      if (entry.value === undefined) continue;
      this.held.delete(key);
      this.used -= entry.bytes;
    }
  }
}
