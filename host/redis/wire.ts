/** What goes over a connection. Apart from `link.ts`, so that the package's types need nobody else's. */

export interface SendOptions {
  /** Bulk replies as bytes in place of text. */
  asBuffers?: boolean;
}

export type Argument = string | Buffer;
