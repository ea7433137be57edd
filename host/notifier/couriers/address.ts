/** E-mail addresses. */

/**
 * Whether a text is one address and nothing else. A subject from a stream may be part of it: it must add no recipient and no
 * header.
 */
export function isOneAddress(text: string): boolean {
  return /^[^\s@<>()[\]\\,;:"\p{Cc}]+@[^\s@<>()[\]\\,;:"\p{Cc}]+$/u.test(text) && text.length <= 254;
}
