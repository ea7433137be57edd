/** What an address or a name is to the tracker: for whoever wants to ask about something that is not in a ranking. */
import { command, nullable, record, text, textReply } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { readState } from "./configuration";
import { MAX_URL_BYTES, REASONS } from "./events";
import { identify, idOfSection, idOfWebsite, pageOf, useNaming } from "./identity";

const WEBSITE_ID = { name: "website_id", type: textReply, doc: "id of the website" } as const;
const WEBSITE = { name: "website", type: textReply, doc: "its name, lower case" } as const;

export const identifyUrl = command(
  {
    name: "identify_url",
    summary: "Which website, section and page an address belongs to",
    doc:
      "As an event with this address would be counted, by the table of hosts in force. Says nothing about whether " +
      "it was ever visited: get_document does.",
    role: "reader",
    flags: ["no-writes"],
    positional: [{ name: "url", type: text(1, MAX_URL_BYTES), doc: "absolute http(s) address" }],
    options: [],
    reply: record([
      WEBSITE_ID,
      WEBSITE,
      { name: "section_id", type: textReply, doc: "id of the section" },
      { name: "section", type: textReply, doc: "its name" },
      { name: "page_id", type: textReply, doc: "id of the page" },
      { name: "page", type: textReply, doc: "host, port and path, as in the page's document" },
    ]),
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    causes: { NOTFOUND: "the host belongs to no configured website" },
  },
  ({ url }) => {
    const state = readState();
    useNaming(state);
    const [pageId, section, reason] = identify(url, state);
    if (pageId === undefined) {
      if (reason === "website") fail("NOTFOUND", `${REASONS.website}, got ${quote(url)}`);
      fail("BADARG", `url is no absolute http(s) address, got ${quote(url)}`);
    }
    return {
      website_id: section!.websiteId,
      website: section!.websiteName,
      section_id: section!.id,
      section: section!.name,
      page_id: pageId,
      page: pageOf(url),
    };
  },
);

export const identifyName = command(
  {
    name: "identify_name",
    summary: "The ids of a website and one of its sections by their names",
    doc: "Says nothing about whether they were ever visited: get_document does.",
    role: "reader",
    flags: ["no-writes"],
    positional: [{ name: "website", type: text(1, MAX_URL_BYTES), doc: "name of a website, in any case" }],
    options: [
      { name: "SECTION", type: text(1, MAX_URL_BYTES), doc: "name of a section, as in its document: `news/national`" },
    ],
    reply: record([
      WEBSITE_ID,
      WEBSITE,
      { name: "section_id", type: nullable(textReply), doc: "id of the section, nil where none was asked for" },
    ]),
    errors: ["BADARG"],
  },
  ({ website, section }) => {
    const name = string.lower(website);
    return {
      website_id: idOfWebsite(name),
      website: name,
      section_id: section === undefined ? undefined : idOfSection(name, section),
    };
  },
);
