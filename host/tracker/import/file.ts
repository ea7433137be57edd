/** One file of an import: what is kept of it, and its chunks from there on. */
import { UserError } from "../../runtime/errors";
import type { LogSource } from "./log-source";
import { addTally, emptyTally, readChunks, type PlacedChunk, type Tally } from "./chunks";
import { parserOf, type Format } from "./line-format";
import { ChangedFileError } from "./lines";
import type { PageRules } from "./page-rules";
import { formatPosition, parsePosition, startOf, type FilePosition } from "./position";
import { nothingCounted, Sender, type Counted, type ImportFunctions } from "./sender";

/** What is kept of a source in Redis. */
export interface Kept {
  position: string;
  accepted: number;
  rejected: number;
}

export interface FileOptions {
  /** The name of the source in Redis. */
  source: string;
  format: Format;
  website?: string | undefined;
  pages?: PageRules | undefined;
  /** Added to the times of a file that is begun; one that was begun goes on with its own. */
  shiftMs: number;
  onBytes: (bytes: number) => void;
  /** What was kept when the file was opened. */
  kept: Kept | null;
  /** The first events. */
  sample: readonly string[];
}

export class ImportedFile {
  readonly name: string;
  readonly source: string;
  /** What its lines are, for people. */
  readonly format: string;
  /** Its first events as JSON, whether they are counted now or were before. */
  readonly sample: readonly string[];
  readonly tally: Tally = emptyTally();
  readonly counted: Counted = nothingCounted();
  /** What was kept when it was opened. */
  readonly before: Kept | null;
  /** Why it could not be read to its end. */
  problem: unknown;
  isUnfinished = false;
  #position: FilePosition;
  #isKept = false;
  #chunks: AsyncGenerator<PlacedChunk, void, undefined> | undefined;
  #head: PlacedChunk | undefined;
  #sender: Sender<PlacedChunk> | undefined;
  isOvertaken = false;

  constructor(
    readonly input: LogSource,
    private readonly options: FileOptions,
  ) {
    this.name = input.name;
    this.source = options.source;
    this.sample = options.sample;
    this.format = options.format.name;
    this.#position = startOf(options.shiftMs, input.inode);
    this.before = options.kept;
  }

  /** The position as it is kept; undefined where nothing is. */
  get kept(): string | undefined {
    return this.#isKept ? formatPosition(this.#position) : undefined;
  }

  /** The chunk that is next; undefined at the end. */
  get head(): PlacedChunk | undefined {
    return this.#head;
  }

  /** Begins at what is kept, or begins anew there. */
  async begin(kept: Kept | null): Promise<void> {
    await this.#chunks?.return();
    this.#isKept = kept !== null;
    this.#position =
      kept === null ? startOf(this.options.shiftMs, this.input.inode) : parsePosition(kept.position, this.name);
    const { format, website, pages, onBytes } = this.options;
    const parse = parserOf(format, { website, pages, shiftMs: this.#position.shiftMs });
    const onUnfinished = (): void => void (this.isUnfinished = true);
    this.isUnfinished = false;
    this.#chunks = readChunks(this.input, this.#position, this.#isKept, {
      parse,
      nowMs: Date.now,
      onBytes,
      onUnfinished,
    });
    await this.#read();
  }

  /** Sends to Redis from here on; what went wrong before is forgotten. */
  connect(functions: ImportFunctions): void {
    this.#sender = new Sender(functions, this.source, this.counted, ({ tally }) => addTally(this.tally, tally));
  }

  /** Takes the next chunk: sends it where it is connected, and reads on. */
  async take(): Promise<PlacedChunk> {
    const chunk = this.#head!;
    if (this.#sender === undefined) addTally(this.tally, chunk.tally);
    else await this.#sender.send(chunk);
    this.#position = chunk.position;
    this.#isKept = true;
    await this.#read();
    return chunk;
  }

  /** Waits until all that was taken is counted. */
  async flush(): Promise<void> {
    await this.#sender?.flush();
  }

  /** Lets go of the file. */
  async close(): Promise<void> {
    await this.#chunks?.return();
    await this.input.close();
  }

  async #read(): Promise<void> {
    try {
      const { value } = await this.#chunks!.next();
      this.#head = value ?? undefined;
    } catch (error) {
      this.#head = undefined;
      this.problem = error instanceof ChangedFileError ? this.#changed() : error;
    }
  }

  #changed(): UserError {
    const { offset } = this.#position;
    return new UserError(
      `${this.name} begins like a file that was imported up to byte ${offset}, but is not the same up to there: it was cut off or rewritten, ` +
        `or is another one; --again counts it from its start`,
    );
  }
}
