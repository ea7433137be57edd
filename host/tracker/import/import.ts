/** `hotpath import`: logs and JSON lines counted at their own times, each line exactly once. */
import { backoffMs } from "../../runtime/backoff";
import { UnavailableError, UserError } from "../../runtime/errors";
import type { RotateFunctions } from "../rotate";
import { METRICS, rotate } from "../rotate";
import { openLogSource, type LogSource } from "./log-source";
import { pause } from "../../runtime/wait";
import { ImportedFile, type Kept } from "./file";
import { isDoubtful, readHead, type FileHead } from "./identity";
import { formatOf, parserOf, type Format } from "./line-format";
import { readPlacedLines } from "./lines";
import { parsePosition } from "./position";
import type { PageRules } from "./page-rules";
import { OvertakenError, type ImportFunctions } from "./sender";

/** Windows are merged behind the import after so many events: what is not merged yet takes memory. */
const ROTATE_EVENTS = 20_000;

export interface ImportOptions {
  files: readonly string[];
  format?: "log" | "json" | undefined;
  /** A name of a format of logs, or one as nginx or Apache write it. */
  logFormat?: string | undefined;
  website?: string | undefined;
  /** What is a page of a log, beside what is usual. */
  pages?: PageRules | undefined;
  shiftToNow?: boolean | undefined;
  /** Forgets what was imported before. */
  again?: boolean | undefined;
  /** Takes a file that begins like a short log for that log. */
  goesOn?: boolean | undefined;
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

/** A file that could not be opened for counting. */
export class BrokenFile {
  constructor(
    readonly name: string,
    readonly problem: unknown,
  ) {}
}

/**
 * Opens the files, and looks at their beginnings.
 *
 * @returns files with something in them; null in the place of an empty one; the problem of one that cannot be counted
 * @throws AccessLogError where one cannot be read at all; UserError where one is neither a log nor JSON lines
 */
export async function openFiles(
  target: Pick<ImportTarget, "getImport" | "forgetImport"> | null,
  options: ImportOptions,
): Promise<(ImportedFile | BrokenFile | null)[]> {
  const inputs: LogSource[] = [];
  for (const file of options.files) inputs.push(await openLogSource(file, { twice: true, stdin: options.stdin }));
  try {
    const looked: (Looked | BrokenFile | null)[] = [];
    for (const input of inputs) looked.push(await look(input, looked, target, options));
    if (looked.length === 1 && looked[0] instanceof BrokenFile) throw looked[0].problem;
    const readable = looked.filter((each): each is Looked => each !== null && !(each instanceof BrokenFile));
    const known = readable.find(({ kept }) => kept !== null)?.kept ?? undefined;
    const shiftMs = options.shiftToNow ? await shiftOf(known, readable) : 0;
    const { website, pages, onBytes } = options;
    return looked.map((each) =>
      each === null || each instanceof BrokenFile
        ? each
        : new ImportedFile(each.input, { ...each, shiftMs, website, pages, onBytes, sample: sampleOf(each, options) }),
    );
  } catch (error) {
    for (const input of inputs) await input.close();
    throw error;
  }
}

const SAMPLE_EVENTS = 3;

/** The first events of a file, for a person to look at. */
function sampleOf({ head, format }: Looked, { website, pages }: ImportOptions): string[] {
  const parse = parserOf(format, { website, pages, shiftMs: 0 });
  const parsed = head.lines.map(parse).filter((each) => "json" in each);
  return parsed.slice(0, SAMPLE_EVENTS).map(({ json }) => json);
}

interface Looked {
  input: LogSource;
  head: FileHead;
  source: string;
  format: Format;
  kept: Kept | null;
}

type Positions = Pick<ImportTarget, "getImport" | "forgetImport"> | null;

async function look(
  input: LogSource,
  before: readonly (Looked | BrokenFile | null)[],
  target: Positions,
  options: ImportOptions,
): Promise<Looked | BrokenFile | null> {
  if (input.totalBytes === undefined)
    throw new UserError(`${input.name} is a pipe and can be read only once; pipe it into: hotpath import -`);
  const head = await readHead(input);
  if (head === undefined) return null;
  const format = formatOf(head.lines, options, input.name);
  if (format === undefined) {
    if (head.problem !== undefined) return new BrokenFile(input.name, head.problem);
    throw new UserError(
      `${input.name} is neither an access log nor JSON lines; --log-format takes the format as the server's configuration has it, ` +
        `--format log or --format json takes the file as it is`,
    );
  }
  const known = await findKnown(input, head, before, target, options);
  return known instanceof BrokenFile ? known : { input, head, format, ...known };
}

/** Under which name the file is known, and what is kept of it. */
async function findKnown(
  input: LogSource,
  head: FileHead,
  before: readonly (Looked | BrokenFile | null)[],
  target: Positions,
  { again, goesOn }: ImportOptions,
): Promise<Pick<Looked, "source" | "kept"> | BrokenFile> {
  const names = [...(head.byBytes === undefined ? [] : [head.byBytes]), head.byLine, head.own];
  let isInDoubt = before.some(
    (other) => other !== null && !(other instanceof BrokenFile) && isLikeBeginning(head, input, other),
  );
  for (const source of names) {
    const kept = (await target?.getImport({ source })) ?? null;
    if (kept === null) continue;
    if (source === head.byLine && !goesOn && isDoubtful(head, input.inode, parsePosition(kept.position, input.name))) {
      isInDoubt = true;
      continue;
    }
    if (!again) return { source, kept };
    await target!.forgetImport({ source });
    return { source, kept: null };
  }
  if (!isInDoubt || goesOn) return { source: names[0]!, kept: null };
  if (again) return { source: head.own, kept: null };
  return new BrokenFile(
    input.name,
    new UserError(
      `${input.name} begins like a short log that is another file. Whether it is that log, grown and packed or copied since, ` +
        `cannot be told from so little: --continue takes it for that one, --again counts it from its start as one of its own`,
    ),
  );
}

/** Whether two files of a command begin with the same line, are not the same file, and one of them is short. */
function isLikeBeginning(head: FileHead, input: LogSource, other: Looked): boolean {
  if (head.byLine !== other.head.byLine || (input.inode !== undefined && input.inode === other.input.inode))
    return false;
  const isShort = head.byBytes === undefined || other.head.byBytes === undefined;
  return isShort && head.length !== other.head.length;
}

/** The shift that was begun with, or the one that brings the last line of all files to now. */
async function shiftOf(known: Kept | undefined, looked: readonly Looked[]): Promise<number> {
  if (known !== undefined) return parsePosition(known.position, "a file").shiftMs;
  let lastMs: number | undefined;
  for (const each of looked) {
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
