/**
 * A whole screen of a terminal: the alternate one, so that what stood there before comes back, whichever way the process
 * ends.
 */
import { writeSync } from "node:fs";
import { decodeKeys, type Key } from "./keys";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
/** Around a frame: terminals that know these two show it at once and not as it arrives; others pass over them. */
const BEGIN_FRAME = "\u001b[?2026h";
const END_FRAME = "\u001b[?2026l";
const HOME = "\u001b[H";
/** Before the line and not after it: at the end of a full line, the cursor still stands on its last character. */
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** Where a terminal does not say its size. */
const FALLBACK = { columns: 80, rows: 24 };

type Listener = Parameters<NodeJS.EventEmitter["on"]>[1];

export interface ScreenEvents {
  key(key: Key): void;
  /** Another size, or back in the foreground: to be drawn anew. */
  redraw(): void;
}

export class Screen {
  #isOpen = false;
  #lastFrame = "";
  readonly #listeners: [emitter: NodeJS.EventEmitter, event: string, listener: Listener][] = [];

  constructor(
    private readonly output: NodeJS.WriteStream & { fd: number },
    private readonly input: NodeJS.ReadStream,
    private readonly events: ScreenEvents,
  ) {}

  get size(): { columns: number; rows: number } {
    const { columns, rows } = this.output;
    // A pseudo terminal may have no size, which is 0 then.
    return { columns: columns || FALLBACK.columns, rows: rows || FALLBACK.rows };
  }

  /** Takes the terminal over. */
  open(): void {
    this.#enter();
    this.#on(this.output, "resize", () => this.#redraw());
    this.#on(process, "SIGCONT", () => this.#resume());
    // Whatever ends the process, an error that nobody caught included, passes here.
    this.#on(process, "exit", () => this.close());
    // A terminal that is gone cannot be written to, and is no reason to end with a stack trace.
    this.#on(this.output, "error", () => undefined);
    this.#on(this.input, "error", () => undefined);
    if (!this.input.isTTY) return;
    this.input.setEncoding("utf8");
    this.#on(this.input, "data", (data: string) => this.#keys(data));
    this.input.resume();
  }

  /** Shows these lines and nothing else. Each must fit into a line. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const { rows } = this.size;
    const shown = lines.slice(0, rows);
    const below = shown.length < rows ? `\r\n${CLEAR_BELOW}` : "";
    const frame = BEGIN_FRAME + HOME + shown.map((line) => CLEAR_LINE + line).join("\r\n") + below + END_FRAME;
    if (frame === this.#lastFrame) return;
    this.#lastFrame = frame;
    this.output.write(frame);
  }

  /** Gives the terminal back as it was. May be called twice. */
  close(): void {
    this.#leave();
    for (const [emitter, event, listener] of this.#listeners.splice(0)) emitter.off(event, listener);
    if (this.input.isTTY) this.input.pause();
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: Listener): void {
    emitter.on(event, listener);
    this.#listeners.push([emitter, event, listener]);
  }

  #enter(): void {
    this.#isOpen = true;
    this.#lastFrame = "";
    if (this.input.isTTY) this.input.setRawMode(true);
    this.#writeNow(ENTER);
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#writeNow(LEAVE);
    try {
      if (this.input.isTTY) this.input.setRawMode(false);
    } catch {
      // The terminal is gone.
    }
  }

  /** Not through the stream: in the end of a process, what a stream still has to write may be lost. */
  #writeNow(text: string): void {
    try {
      writeSync(this.output.fd, text);
    } catch {
      // The terminal is gone.
    }
  }

  #keys(data: string): void {
    for (const key of decodeKeys(data)) {
      if (key === "suspend") this.#suspend();
      else this.events.key(key);
    }
  }

  /** Ctrl-Z: raw mode keeps the terminal from doing it. */
  #suspend(): void {
    this.#leave();
    process.kill(process.pid, "SIGSTOP");
  }

  #resume(): void {
    if (!this.#isOpen) this.#enter();
    this.#redraw();
  }

  #redraw(): void {
    this.#lastFrame = "";
    this.events.redraw();
  }
}
