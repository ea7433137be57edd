/** JSON that the tracker takes and answers; for the build alone. */
import { arrayOf, integer, mapOf, object, orNull, ref, string, type Schemas } from "../runtime/schema";

const ID = string("SHA-1 in hex");
const VISITED = integer("when it was last visited", "unix_ms");

export const schemas: Schemas = {
  Event: object(
    "A page view. Other fields are ignored.",
    {
      url: string("absolute http(s) address, at most 2,048 bytes"),
      uui: string("id of the device, 1 to 256 bytes"),
      dt: integer("when it happened: at most 7 days ago, and 5 minutes ahead", "unix_ms"),
    },
    {
      audio: orNull(string("id of what was heard, at most 256 bytes; counted under its own dimension")),
      video: orNull(string("id of what was seen")),
      podcast: orNull(string("id of a podcast")),
    },
    true,
  ),
  Metadata: object(
    "What a page says of itself.",
    {},
    {
      title: orNull(string("at most 512 bytes")),
      kicker: orNull(string("at most 512 bytes")),
      display_date: orNull(integer("when it was published", "unix_ms")),
    },
  ),
  Hosts: mapOf(string("name of the website, 1 to 128 bytes"), 'Host to website: `{"www.rtl.lu": "rtl"}`.'),
  Levels: object("Directories of a path, empty text where it has no more.", {
    level_0: string("always `/`"),
    level_1: string("the first directory"),
    level_2: string(),
    level_3: string(),
    level_4: string(),
  }),
  WebsiteName: object("A website.", { id: ID, name: string("upper case") }),
  SectionListed: object("A section of a website.", { id: ID, name: string(), last_visited: VISITED }),
  PageListed: object("A page of a website or a section.", {
    id: ID,
    url: string("host, port and path"),
    article_id: orNull(integer("the last part of the path up to its first dot, if it is all digits")),
    last_visited: VISITED,
  }),
  SectionOfPage: object("The section of a page.", { id: ID, name: string(), levels: ref("Levels") }),
  Website: object("The document of a website.", {
    id: ID,
    name: string("upper case"),
    last_visited: orNull(VISITED),
    sections: arrayOf(ref("SectionListed"), "most recently visited first"),
    pages: arrayOf(ref("PageListed"), "most recently visited first"),
  }),
  Section: object("The document of a section.", {
    id: ID,
    name: string(),
    levels: ref("Levels"),
    last_visited: orNull(VISITED),
    website: ref("WebsiteName"),
    pages: arrayOf(ref("PageListed"), "most recently visited first"),
  }),
  Page: object("The document of a page.", {
    id: ID,
    url: string("host, port and path"),
    article_id: orNull(integer("the last part of the path up to its first dot, if it is all digits")),
    last_visited: orNull(VISITED),
    metadata: ref("PageMetadata"),
    website: ref("WebsiteName"),
    section: ref("SectionOfPage"),
  }),
  PageMetadata: object("What is known of a page; null for what is not.", {
    title: orNull(string()),
    kicker: orNull(string()),
    display_date: orNull(integer("when it was published", "unix_ms")),
  }),
  Document: {
    description: "By dimension: W is a Website, S a Section, P a Page.",
    anyOf: [ref("Website"), ref("Section"), ref("Page")],
  },
};
