/** What is wanted of a page. */
export interface Metadata {
  title: string | undefined;
  kicker: string | undefined;
  /** Unix milliseconds. */
  displayDate: number | undefined;
}
