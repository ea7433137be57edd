/** `hotpath top` on a terminal: reads, draws and listens to keys, until it is ended. */
import { describeError, UnavailableError, UserError } from "../../runtime/errors";
import { explainMissing } from "../access";
import type { Screen } from "../../terminal/screen";
import type { Key } from "../../terminal/keys";
import type { TopData } from "./data";
import type { Filter, Query } from "./query";
import { renderTop, visibleRows, type TopScreen } from "./render";
import { inSight, pressed, type TopState, type Visible } from "./state";

/** An answer that is out for longer is said to be. */
const SLOW_MS = 1_000;
/** Rows read above and below those in sight. */
const MARGIN = 5;
/** Drawn this often, so that waiting can be seen to go on. */
const TICK_MS = 500;

export interface LiveOptions {
  query: Query;
  intervalMs: number;
  colors: boolean;
  /** Ends it. */
  signal: AbortSignal;
  read(query: Query, visible: { first: number; count: number }): Promise<TopData>;
  findWebsite(name: string): Promise<Filter | undefined>;
  openScreen(events: { key(key: Key): void; redraw(): void }): Screen;
}

export class LiveTop {
  #state: TopState;
  #data: TopData | undefined;
  #problem: string | undefined;
  /** What came of something typed; stays until the next key. */
  #notice: string | undefined;
  /** Since when an answer has been out. */
  #askedAt: number | undefined;
  #screen!: Screen;
  /** Ends what is being waited for: a pause, and at the end an answer too. */
  #wake: (() => void) | undefined;
  #giveUp: (() => void) | undefined;

  constructor(private readonly options: LiveOptions) {
    this.#state = { query: options.query, selected: 0, first: 0, paused: false, ended: false };
  }

  /**
   * Runs until `q` or the signal. The terminal is as it was then, whatever happened.
   *
   * @throws what the first reading throws: a mistake that is there from the start is one for a person to mend
   */
  async run(): Promise<void> {
    const { signal } = this.options;
    const stop = (): void => this.#end();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) return;
    this.#screen = this.options.openScreen({ key: (key) => this.#press(key), redraw: () => this.#draw() });
    const ticks = setInterval(() => this.#draw(), TICK_MS);
    try {
      this.#screen.open();
      this.#draw();
      while (!this.#state.ended) await this.#round();
    } finally {
      clearInterval(ticks);
      signal.removeEventListener("abort", stop);
      this.#screen.close();
    }
  }

  /** One after the other, however long the server takes: refreshes never pile up. */
  async #round(): Promise<void> {
    const asked = this.#state;
    if (asked.sought !== undefined) await this.#seek(asked.sought);
    else if (!asked.paused || this.#data?.query !== asked.query) await this.#refresh(asked);
    this.#draw();
    if (this.#state.query === asked.query && this.#state.first === asked.first && this.#state.sought === undefined) {
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    if (this.#state.ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.options.intervalMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  async #refresh({ query, first }: TopState): Promise<void> {
    await this.#attempt(async () => {
      // With some rows around those in sight, so that the next one is known before it is moved to.
      const data = await this.options.read(query, {
        first: Math.max(0, first - MARGIN),
        count: this.#fit() + 2 * MARGIN,
      });
      if (this.#state.query !== query) return;
      this.#data = data;
      this.#state = inSight(this.#state, this.#visible());
    }, this.#data === undefined);
  }

  async #seek(name: string): Promise<void> {
    await this.#attempt(async () => {
      try {
        const filter = await this.options.findWebsite(name);
        this.#state = { ...this.#state, query: { ...this.#state.query, filter }, selected: 0, first: 0 };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.#notice = capital(describeError(error));
      }
    }, false);
    this.#state = { ...this.#state, sought: undefined };
  }

  /** Does something with the server, but not longer than until the end; what fails is shown and tried again. */
  async #attempt(work: () => Promise<void>, isFirst: boolean): Promise<void> {
    this.#askedAt = performance.now();
    try {
      await this.#orGiveUp(work());
      this.#problem = undefined;
    } catch (error) {
      if (this.#state.ended) return;
      if (isFirst && this.#problem === undefined) throw error;
      this.#problem = problemText(error);
    } finally {
      this.#askedAt = undefined;
    }
  }

  /** Not a race against one promise for all: each would be held by it for as long as this runs. */
  #orGiveUp(work: Promise<void>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#giveUp = resolve;
      work.then(resolve, reject);
    });
  }

  #press(key: Key): void {
    this.#notice = undefined;
    const before = this.#state;
    this.#state = pressed(before, key, this.#visible());
    if (this.#state.ended) return this.#end();
    const { query, first, paused, sought } = this.#state;
    if (query !== before.query || first !== before.first || paused !== before.paused || sought !== before.sought)
      this.#wake?.();
    this.#draw();
  }

  #end(): void {
    this.#state = { ...this.#state, ended: true };
    this.#wake?.();
    this.#giveUp?.();
  }

  #visible(): Visible {
    return { rows: this.#data?.rows ?? [], fit: this.#fit() };
  }

  #fit(): number {
    return visibleRows(this.#shown(), this.#style());
  }

  #style(): { width: number; height: number; colors: boolean } {
    const { columns, rows } = this.#screen.size;
    return { width: columns, height: rows, colors: this.options.colors };
  }

  #shown(): TopScreen {
    const { query, selected, first, paused, prompt } = this.#state;
    const waitedMs = this.#askedAt === undefined ? 0 : performance.now() - this.#askedAt;
    const waitingMs = waitedMs > SLOW_MS ? waitedMs : undefined;
    // Figures of the query before are shown for the moment in which its own are read, not for longer.
    const isOld = this.#data !== undefined && this.#data.query !== query;
    const data = isOld && (waitingMs !== undefined || this.#problem !== undefined) ? undefined : this.#data;
    return { query, data, selected, first, paused, prompt, problem: this.#problem ?? this.#notice, waitingMs };
  }

  #draw(): void {
    if (this.#state.ended) return;
    this.#screen.draw(renderTop(this.#shown(), this.#style()));
  }
}

function problemText(error: unknown): string {
  const explained = explainMissing(error, "tracker");
  const problem = describeError(explained);
  if (explained instanceof UserError) return capital(problem);
  return error instanceof UnavailableError ? `Redis away, trying again (${problem})` : `Trying again: ${problem}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
