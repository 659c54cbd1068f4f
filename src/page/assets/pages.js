// The rows of one listing, by position: fetched page by page, and let go of where nobody looks. A million rows that
// were scrolled past cost a million nothings: only where their pages begin is kept.

import { rowId } from "./show.js";

const PAGE = 200; // rows asked for at once
const FIRST = 100; // of the first page, which somebody is waiting for
const KEPT = 24; // pages in memory
const AGAIN = 3000; // ms before what failed is tried again
const FRESH = 1000; // rows that came in since, before the listing is better begun anew

export class Pages {
  /**
   * @param {(cursor: string | null, limit: number, signal: AbortSignal) => Promise<{ records: object[], next: string | null }>} fetchPage
   * @param {() => void} changed something is there now that was not
   * @param {(error: Error) => void} failed
   */
  constructor(fetchPage, changed, failed) {
    this.fetchPage = fetchPage;
    this.changed = changed;
    this.failed = failed;
    this.abort = new AbortController();
    /** @type {object[]} newest first */
    this.fresh = [];
    /** Of the fresh rows and of the first page: a row may come live and by the listing. */
    this.newest = new Set();
    /** @type {{ cursor: string | null, start: number, count: number, records: object[] | null, used: number, loading: boolean }[]} */
    this.pages = [];
    /** Rows in `pages`. */
    this.count = 0;
    /** @type {string | null} */
    this.next = null;
    this.ended = false;
    this.loading = false;
    this.failing = false;
    this.clock = 0;
  }

  get length() {
    return this.fresh.length + this.count;
  }

  /** The row at this position; null while it is fetched again. */
  at(index) {
    if (index < this.fresh.length) return this.fresh[index];
    const page = this.pages[this.#pageOf(index - this.fresh.length)];
    if (!page) return null;
    page.used = ++this.clock;
    if (!page.records) this.#again(page);
    return page.records?.[index - this.fresh.length - page.start] ?? null;
  }

  /** The next older rows. A page may be empty though there are more: then the look goes on. */
  async more() {
    if (this.loading || this.ended || this.failing) return;
    this.loading = true;
    try {
      const cursor = this.next;
      const limit = this.pages.length ? PAGE : FIRST;
      const { records, next } = await this.fetchPage(cursor, limit, this.abort.signal);
      if (!this.pages.length) this.#meet(records);
      if (records.length) {
        const page = { cursor, start: this.count, count: records.length, records, used: ++this.clock, loading: false };
        this.pages.push(page);
        this.count += records.length;
      }
      this.next = next;
      this.ended = !next;
    } catch (error) {
      this.#fail(error);
      return;
    } finally {
      this.loading = false;
    }
    this.#forget();
    this.changed();
  }

  /** A row that just came in. False: so many did that the listing should begin anew. */
  add(record) {
    const id = rowId(record);
    if (this.newest.has(id)) return true;
    this.newest.add(id);
    this.fresh.unshift(record);
    return this.fresh.length <= FRESH;
  }

  /** Is it among the newest rows already? */
  has(record) {
    return this.newest.has(rowId(record));
  }

  /** Is one of the rows in memory of this object? */
  names({ bucket, key }) {
    for (const row of this.loaded()) if (row.bucket === bucket && row.key === key) return true;
    return false;
  }

  /** The rows that are in memory. */
  *loaded() {
    yield* this.fresh;
    for (const page of this.pages) if (page.records) yield* page.records;
  }

  stop() {
    this.abort.abort();
    this.ended = true;
    this.changed = () => {};
  }

  /** Whoever draws asks again at once: not of a server that just failed. */
  #fail(error) {
    if (error.name === "AbortError") return;
    this.failing = true;
    this.failed(error);
    if (error.final) return;
    setTimeout(() => {
      this.failing = false;
      this.changed();
    }, AGAIN);
  }

  #meet(records) {
    const ids = new Set(records.map(rowId));
    this.fresh = this.fresh.filter((record) => !ids.has(rowId(record)));
    for (const id of ids) this.newest.add(id);
  }

  #pageOf(position) {
    let low = 0;
    let high = this.pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.pages[middle].start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #again(page) {
    if (page.loading || this.failing) return;
    page.loading = true;
    try {
      // As many as there were: rows that came late have moved the last ones on, and the next page has those.
      const { records } = await this.fetchPage(page.cursor, page.count, this.abort.signal);
      page.records = records;
    } catch (error) {
      this.#fail(error);
      return;
    } finally {
      page.loading = false;
    }
    this.#forget();
    this.changed();
  }

  #forget() {
    const held = this.pages.filter((page) => page.records);
    if (held.length <= KEPT) return;
    held.sort((a, b) => a.used - b.used);
    for (const page of held.slice(0, held.length - KEPT)) page.records = null;
  }
}
