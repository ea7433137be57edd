/** What a shop says about its stock, in the words of the catalog. */
import type { ProductRules } from "../vendor-config";

/**
 * @param text as it stands on the page
 * @returns the value of the first entry of which a word occurs in the text as a word of its own, whatever the case;
 *   `otherwise` where none does
 */
export function availabilityOf(text: string, { values, otherwise }: ProductRules["availability"]): string | undefined {
  const sought = ` ${wordsOf(text)} `;
  const found = values.find(({ words }) => words.some((word) => sought.includes(` ${wordsOf(word)} `)));
  return found?.value ?? otherwise;
}

/** Letters and digits with single spaces between them. */
function wordsOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
