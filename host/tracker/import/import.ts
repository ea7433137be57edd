/** `hotpath import`: logs and JSON lines counted at their own times, each line exactly once. */
import { backoffMs } from "../../runtime/backoff";
import { UnavailableError, UserError } from "../../runtime/errors";
import type { RotateFunctions } from "../rotate";
import { METRICS, rotate } from "../rotate";
import { openLogSource, type LogSource } from "./log-source";
import { pause } from "../../runtime/wait";
import { ImportedFile, type Kept } from "./file";
import { readHead } from "./identity";
import { detectFormat, parserOf, type Format } from "./line-format";
import { readPlacedLines } from "./lines";
import { parsePosition } from "./position";
import { OvertakenError, type ImportFunctions } from "./sender";

/** Windows are merged behind the import after so many events: what is not merged yet takes memory. */
const ROTATE_EVENTS = 20_000;

export interface ImportOptions {
  files: readonly string[];
  format?: Format | undefined;
  website?: string | undefined;
  shiftToNow?: boolean | undefined;
  /** Forgets what was imported before. */
  again?: boolean | undefined;
  /** Leaves merging to the hosts. */
  rotates: boolean;
  /** Says what a person should know, a line at a time. */
  say: (line: string) => void;
  /** Told of bytes read. */
  onBytes: (bytes: number) => void;
  signal: AbortSignal;
  stdin?: AsyncIterable<Uint8Array> | undefined;
}

/** What an import calls. */
export type ImportTarget = ImportFunctions & RotateFunctions;

/**
 * Opens the files, and looks at their beginnings.
 *
 * @returns files with something in them; null in the place of an empty one
 * @throws AccessLogError where one cannot be read; UserError where one is neither a log nor JSON lines
 */
export async function openFiles(
  target: Pick<ImportTarget, "getImport" | "forgetImport"> | null,
  options: ImportOptions,
): Promise<(ImportedFile | null)[]> {
  const inputs: LogSource[] = [];
  for (const file of options.files) inputs.push(await openLogSource(file, { twice: true, stdin: options.stdin }));
  try {
    const looked = [];
    for (const input of inputs) looked.push(await look(input, target, options));
    const known = looked.find((each) => each?.kept)?.kept ?? undefined;
    const shiftMs = options.shiftToNow ? await shiftOf(known, looked) : 0;
    const files: (ImportedFile | null)[] = [];
    for (const each of looked) {
      files.push(
        each && new ImportedFile(each.input, { ...each, shiftMs, website: options.website, onBytes: options.onBytes }),
      );
    }
    return files;
  } catch (error) {
    for (const input of inputs) await input.close();
    throw error;
  }
}

interface Looked {
  input: LogSource;
  source: string;
  format: Format;
  kept: Kept | null;
}

async function look(
  input: LogSource,
  target: Pick<ImportTarget, "getImport" | "forgetImport"> | null,
  options: ImportOptions,
): Promise<Looked | null> {
  if (input.totalBytes === undefined)
    throw new UserError(`${input.name} is a pipe and can be read only once; pipe it into: hotpath import -`);
  const head = await readHead(input);
  if (head === undefined) return null;
  const format = options.format ?? detectFormat(head.lines);
  if (format === undefined) {
    throw new UserError(
      `${input.name} is neither an access log nor JSON lines; --format log or --format json takes it all the same`,
    );
  }
  for (const source of head.sources) {
    if (options.again) await target?.forgetImport({ source });
    const kept = (await target?.getImport({ source })) ?? null;
    if (kept !== null) return { input, source, format, kept };
  }
  return { input, source: head.sources[0]!, format, kept: null };
}

/** The shift that was begun with, or the one that brings the last line of all files to now. */
async function shiftOf(known: Kept | undefined, looked: readonly (Looked | null)[]): Promise<number> {
  if (known !== undefined) return parsePosition(known.position, "a file").shiftMs;
  let lastMs: number | undefined;
  for (const each of looked) {
    if (each === null) continue;
    const parse = parserOf(each.format, { shiftMs: 0 });
    for await (const { lines } of readPlacedLines(each.input)) {
      for (const { text } of lines) {
        const parsed = parse(text);
        if ("json" in parsed && parsed.timeMs !== undefined) lastMs = Math.max(lastMs ?? 0, parsed.timeMs);
      }
    }
  }
  return lastMs === undefined ? 0 : Date.now() - lastMs;
}

/** Imports opened files: always the one that is behind, so that logs of several servers go side by side. */
export class Importer {
  /** Files that are through, whose windows are held until another has gone on. */
  #ended: ImportedFile[] = [];
  #sinceRotation = 0;

  constructor(
    private readonly files: readonly ImportedFile[],
    private readonly target: ImportTarget | null,
    private readonly options: ImportOptions,
  ) {}

  /**
   * Reads all files to their ends, or until the signal is aborted. A file that cannot be read to its end has a `problem`
   * then; what could be read of it is counted.
   *
   * @throws HotpathError where an event cannot be counted because a key is in the way
   */
  async run(): Promise<void> {
    for (const file of this.files) await this.#begin(file);
    while (!this.options.signal.aborted) {
      const file = this.#slowest();
      if (file === undefined) break;
      await this.#step(file);
    }
    for (const file of this.files) await this.#settle(file);
    if (this.target === null || this.options.signal.aborted) return;
    for (const file of this.files) await this.#retrying(() => this.#release(file));
    if (this.options.rotates) await this.#retrying(() => this.#rotate());
  }

  #slowest(): ImportedFile | undefined {
    let slowest: ImportedFile | undefined;
    for (const file of this.files) {
      if (file.head !== undefined && (slowest === undefined || file.head.nowMs < slowest.head!.nowMs)) slowest = file;
    }
    return slowest;
  }

  async #step(file: ImportedFile): Promise<void> {
    try {
      const { events } = await file.take();
      this.#sinceRotation += events.length;
      if (file.head === undefined) {
        await file.flush();
        this.#ended.push(file);
      } else {
        await this.#releaseEnded(file);
      }
      if (this.#sinceRotation >= ROTATE_EVENTS) await this.#rotateBehind();
    } catch (error) {
      await this.#recover(file, error);
    }
  }

  /** Once another file has gone on, what is complete of those that are through may be merged. */
  async #releaseEnded(next: ImportedFile): Promise<void> {
    if (this.target === null || this.#ended.length === 0) return;
    await next.flush();
    for (const file of this.#ended.splice(0)) await this.#retrying(() => this.#release(file));
  }

  async #rotateBehind(): Promise<void> {
    this.#sinceRotation = 0;
    if (this.target === null || !this.options.rotates) return;
    for (const file of this.files) await file.flush();
    await this.#retrying(() => this.#rotate());
  }

  async #rotate(): Promise<void> {
    for (const metric of METRICS) {
      await rotate(
        this.target!,
        metric,
        undefined,
        { pageViewsLimit: 400, uniqueDevicesLimit: 50 },
        () => !this.options.signal.aborted,
      );
    }
  }

  /** Waits for the last replies, and goes on from what is kept where some were lost. */
  async #settle(file: ImportedFile): Promise<void> {
    try {
      await file.flush();
    } catch (error) {
      if (this.options.signal.aborted) return;
      await this.#recover(file, error);
      while (file.head !== undefined && !this.options.signal.aborted) await this.#step(file);
      await this.#settle(file);
    }
  }

  async #release(file: ImportedFile): Promise<void> {
    const position = file.kept;
    if (position !== undefined)
      await this.target!.importEvents({ source: file.source, from: position, to: position, events: [], hold: 0 });
  }

  /** Redis went away, or another import was faster: goes on from what is kept now. */
  async #recover(file: ImportedFile, error: unknown): Promise<void> {
    if (!(error instanceof OvertakenError) && !(error instanceof UnavailableError)) throw error;
    if (error instanceof OvertakenError && !file.isOvertaken) {
      file.isOvertaken = true;
      this.options.say(`${file.name}: another import of it is under way; each line counts once all the same`);
    }
    await pause(backoffMs(3), this.options.signal);
    await this.#begin(file);
  }

  async #begin(file: ImportedFile): Promise<void> {
    const { target } = this;
    if (target === null) return file.begin(file.before);
    file.connect(target);
    const kept = await this.#retrying(() => target.getImport({ source: file.source }));
    // Undefined after a signal: then nothing is begun any more.
    if (kept !== undefined) await file.begin(kept);
  }

  async #retrying<T>(run: () => Promise<T>): Promise<T | undefined> {
    let isTold = false;
    for (let attempt = 0; !this.options.signal.aborted; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        if (!isTold) this.options.say(`Redis is away (${error.message}), trying again`);
        isTold = true;
        await pause(backoffMs(attempt), this.options.signal);
      }
    }
    return undefined;
  }
}
