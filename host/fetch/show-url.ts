/**
 * A URL without credentials and query, either of which may hold a secret.
 *
 * @param url absolute
 */
export function showUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
