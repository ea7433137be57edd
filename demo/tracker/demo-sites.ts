/** What a made-up website consists of. Hosts end in `.example`, which RFC 2606 keeps free of real ones. */
export interface DemoSite {
  host: string;
  /** What the tracker calls the site by default: the host less `www.`. */
  website: string;
  /** Share of the traffic, relative to the other sites. */
  weight: number;
  /** Number of pages, front pages of sections included. */
  pages: number;
  /** Directories under which its pages lie, most visited first, percent-encoded as browsers send them. */
  sections: readonly string[];
}

/** The sites of the demo, largest first: 3,200 pages in sections of one and two directories and in the root section. */
export const DEMO_SITES: readonly DemoSite[] = [
  {
    host: "www.daily.example",
    website: "daily.example",
    weight: 42,
    pages: 1500,
    sections: ["news/national", "news/world", "news", "opinion/letters", "economy", "panorama/people", "opinion"],
  },
  {
    host: "sport.example",
    website: "sport.example",
    weight: 25,
    pages: 800,
    sections: ["football/results", "football", "cycling/tour", "tennis", "live"],
  },
  {
    host: "radio.example",
    website: "radio.example",
    weight: 16,
    pages: 450,
    sections: ["shows/morning", "music/charts", "podcasts", "shows/evening"],
  },
  {
    host: "kultur.example",
    website: "kultur.example",
    weight: 11,
    pages: 300,
    sections: ["b%C3%BChne/premieren", "film", "b%C3%BCcher/kritik", "%E6%97%A5%E6%9C%AC"],
  },
  { host: "weather.example", website: "weather.example", weight: 6, pages: 150, sections: ["forecast/week", "radar"] },
];

/** Every section has a front page of its own, and every tenth article lies directly under the root. */
const ROOT_ARTICLE_EVERY = 10;
const FIRST_ARTICLE_ID = 1_874_304;

/**
 * Lists the paths of a site, most visited first: the home page, the fronts of the sections, then articles such as
 * `/news/national/a/1874304.html`.
 *
 * @param site the site
 * @returns `site.pages` distinct paths, each with a leading slash
 */
export function pathsOf(site: DemoSite): string[] {
  const paths = ["/", ...site.sections.map((section) => `/${section}/`)];
  for (let article = 0; paths.length < site.pages; article++) {
    const id = FIRST_ARTICLE_ID + article;
    const section = site.sections[article % site.sections.length];
    paths.push(article % ROOT_ARTICLE_EVERY === 0 ? `/${id}.html` : `/${section}/a/${id}.html`);
  }
  return paths;
}
