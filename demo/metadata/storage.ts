/** Where the files of the demo lie: what a disk and a bucket would hold, without the bytes. */
import type { DataFile } from "./files";

/** The name of a file on a layer. */
const nameOf = (layer: string, path: string): string => `${layer}:${path}`;

export class Storage {
  readonly #files = new Map<string, DataFile>();
  /** Most files that it held at once. */
  most = 0;

  get size(): number {
    return this.#files.size;
  }

  put(file: DataFile): void {
    this.#files.set(nameOf(file.layer, file.path), file);
    this.most = Math.max(this.most, this.#files.size);
  }

  get(layer: string, path: string): DataFile | undefined {
    return this.#files.get(nameOf(layer, path));
  }

  /** False if there is no such file. */
  remove(layer: string, path: string): boolean {
    return this.#files.delete(nameOf(layer, path));
  }
}
