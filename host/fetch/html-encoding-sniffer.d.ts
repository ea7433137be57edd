declare module "html-encoding-sniffer" {
  /** The charset of an HTML page by its first bytes, as the HTML standard has it; a WHATWG name. */
  export default function sniffHtmlEncoding(
    bytes: Uint8Array,
    options?: { transportLayerEncodingLabel?: string; defaultEncoding?: string },
  ): string;
}
