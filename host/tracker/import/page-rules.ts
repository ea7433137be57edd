/** Which paths of a log are pages, and which are files that pages and programs fetch. */

/**
 * Extensions of what pages and programs fetch, as opposed to what people view: looks and behaviour of a page, pictures,
 * sound and video and their parts, fonts, downloads, data and feeds. A path without an extension, or with another, is a page.
 */
export const STATIC_EXTENSIONS: ReadonlySet<string> = new Set(
  [
    "css js mjs map wasm",
    "avif bmp cur gif heic heif ico jpeg jpg jxl png svg svgz tif tiff webp",
    "3gp aac aif aiff avi flac flv m2ts m4a m4v mkv mov mp3 mp4 mpeg mpg oga ogg ogv opus swf wav weba webm wma wmv",
    "m3u m3u8 m4s mpd pls srt ts vtt",
    "eot otf ttf woff woff2",
    "7z apk appimage azw3 bin bz2 deb dmg epub exe gz ipa iso jar mobi msi pkg rar rpm tar tgz torrent war xz zip zst",
    "csv doc docx geojson ics json jsonl ndjson ods odt parquet pdf ppt pptx rtf vcf xls xlsx yaml yml",
    "atom rdf rss txt webmanifest xml xsl",
  ]
    .join(" ")
    .split(" "),
);

/** Extensions that titles end in too: Node.js, package.json, robots.txt. */
const IN_TITLES: ReadonlySet<string> = new Set("js mjs ts css json yml yaml xml txt map wasm".split(" "));

/** Directories whose entries are titles whatever they end in: `/wiki/File:Cat.jpg`, `/tags/node.js`. */
const TITLE_FOLDERS = /\/(?:wiki|tags?|topics?|category|categories|questions)\/(?:[^/]+\/)*$/i;

/** Three words with hyphens between them are a title: `/blog/why-we-love-vue.js`; a hash, a version or `.min` is of a file. */
const TITLE = /^[^\W\d_]+(?:-[^\W_]+){2,}\.[a-z]+$/i;
const OF_A_FILE =
  /\.min\.|-[\da-f]{8,}\.|[-.]v?\d+(?:\.\d+)+|(?:[-.]|^)(?:bundle|chunk|vendor|polyfills?|main|module|legacy)[-.]/i;
const ASSET_FOLDERS =
  /\/(?:_next|_nuxt|assets?|static|dist|build|js|css|scripts?|lib|libs|vendor|node_modules|wp-content|wp-includes|themes?|plugins?|cdn|media|public|bundles?)\//i;
const ARTICLE_FOLDERS =
  /\/(?:blogs?|news|posts?|articles?|stor(?:y|ies)|guides?|tutorials?|docs?|learn|help|\d{4}(?:\/\d\d)*)\//i;

/** Parameters that servers put behind a path for a session: they would make each visit a page. */
export const SESSION_PARAMETERS: readonly string[] = ["jsessionid", "phpsessid", "sessionid", "sid", "cfid", "cftoken"];

/** What to take for pages and files, beside what is usual. */
export interface PageRules {
  /** Further extensions of static files. */
  static?: readonly string[] | undefined;
  /** Extensions, or beginnings of paths (`/wiki/`), of pages. */
  pages?: readonly string[] | undefined;
  /** Names of parameters that are no part of a page, in place of {@link SESSION_PARAMETERS}. */
  sessionParameters?: readonly string[] | undefined;
}

export interface Pages {
  /** A path and query without parameters of sessions. */
  withoutSession(path: string): string;
  /** Whether a path, with or without a query, is of a static file. */
  isStatic(path: string): boolean;
}

/** Makes the rules of a log. */
export function pagesBy(rules: PageRules = {}): Pages {
  const extensions = new Set([...STATIC_EXTENSIONS, ...(rules.static ?? []).map(extensionIn)]);
  const pages = rules.pages ?? [];
  const prefixes = pages.filter((each) => each.startsWith("/"));
  for (const each of pages) if (!each.startsWith("/")) extensions.delete(extensionIn(each));
  const names = (rules.sessionParameters ?? SESSION_PARAMETERS).map((name) => name.replace(/[^\w-]/g, ""));
  const session = new RegExp(`;(?:${names.join("|")})=[^;/?#]*`, "gi");
  return {
    withoutSession: (path) => {
      if (names.length === 0 || !path.includes(";")) return path;
      const query = path.search(/[?#]/);
      const end = query < 0 ? path.length : query;
      return path.slice(0, end).replace(session, "") + path.slice(end);
    },
    isStatic: (path) => {
      const plain = path.replace(/[?#].*$/s, "");
      const extension = /\.([A-Za-z\d]+)$/.exec(plain)?.[1]?.toLowerCase();
      if (extension === undefined || !extensions.has(extension)) return false;
      return !prefixes.some((prefix) => plain.startsWith(prefix)) && !isTitle(plain, extension);
    },
  };
}

const extensionIn = (text: string): string => text.trim().replace(/^\./, "").toLowerCase();

/** Whether the last part of a path is a title that ends as a file does. */
function isTitle(path: string, extension: string): boolean {
  const slash = path.lastIndexOf("/") + 1;
  const [folder, name] = [path.slice(0, slash), path.slice(slash)];
  if (ASSET_FOLDERS.test(folder)) return false;
  if (TITLE_FOLDERS.test(folder)) return !OF_A_FILE.test(name);
  if (!IN_TITLES.has(extension) || OF_A_FILE.test(name)) return false;
  return ARTICLE_FOLDERS.test(folder) && TITLE.test(name);
}
