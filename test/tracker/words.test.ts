/* Words of titles: a table of cases in Node and in Lua, and every letter against Node's own tables of Unicode. */
import { beforeAll, describe, expect, it } from "vitest";
import { words } from "../../functions/tracker/words";
import { HOT } from "../../scripts/build/assemble";
import { compileLibrary } from "../../scripts/build/compile";
import { fromBytes, toBytes } from "../../scripts/lua-globals";
import { useServer } from "../support/server";

const server = useServer();

const CASES: [title: string, words: string[]][] = [
  ["", []],
  [" — …!? ", []],
  ["Hello, World", ["hello", "world"]],
  ["hello HELLO Héllo", ["hello"]],
  ["a1 2b 3", ["a1", "2b", "3"]],
  ["Äerdbiewen a Käschten", ["aerdbiewen", "a", "kaschten"]],
  ["Straße STRASSE ẞ", ["strasse", "ss"]],
  ["œuvre ŒUVRE Æther", ["oeuvre", "aether"]],
  ["l’école d'été", ["l", "ecole", "d", "ete"]],
  ["Łódź Đakovo Þór Øre", ["lodz", "dakovo", "thor", "ore"]],
  ["e\u0301te\u0301", ["ete"]],
  ["Ἀθῆναι ΟΔΌΣ οδός", ["αθηναι", "οδοσ"]],
  ["Ёлка ЙОД йод ЇЖАК", ["елка", "иод", "іжак"]],
  ["ﾊﾟ ＡＢＣ１２", ["ﾊﾟ", "abc12"]],
  ["東京、大阪", ["東京", "大阪"]],
  ["שלום־עולם", ["שלום", "עולם"]],
  ["مرحبا، عالم", ["مرحبا", "عالم"]],
  ["wow🎉party 👩‍💻", ["wow", "party"]],
  ["soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zero", "width"]],
  ["10€ 5°C n°1 ½", ["10", "5", "c", "n", "1", "½"]],
  ["under_score a-b a/b", ["under", "score", "a", "b"]],
  ["tab\tline\nnul\0end", ["tab", "line", "nul", "end"]],
];

/** Bytes that are no UTF-8 stand between words. */
const BYTES: [bytes: string, words: string[]][] = [
  ["a\xffb", ["a", "b"]],
  ["a\xc3", ["a"]],
  ["\x80\xbfx", ["x"]],
  ["a\xe2\x82", ["a"]],
  ["\xf0\x9fy", ["y"]],
];

const inNode = (bytes: string): string[] => words(bytes);

describe("in Node", () => {
  it.each(CASES)("%j", (title, expected) => expect(inNode(toBytes(title)).map(fromBytes)).toEqual(expected));
  it.each(BYTES)("bytes %j", (bytes, expected) => expect(inNode(bytes)).toEqual(expected));
});

const DRIVER = `
local modules
redis.register_function('pure_words', function(_, args)
  modules = modules or load()
  local answers = {}
  for at, title in ipairs(args) do answers[at] = modules.words.words(title) end
  return answers
end)
`;

const inLua = async (titles: Buffer[]): Promise<string[][]> =>
  (await server.client.sendCommand(["FCALL", "pure_words", "0", ...titles])) as unknown as string[][];

describe("in Lua", () => {
  beforeAll(async () => {
    const chunk = compileLibrary(new URL("../..", import.meta.url).pathname, "../test/support/pure-words");
    const code = `#!lua name=pure_words\nlocal require\nlocal function load(...)\n${HOT}\n${chunk.trim()}\nend\n${DRIVER}`;
    await server.client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
  });

  it("the same cases", async () => {
    const found = await inLua([
      ...CASES.map(([title]) => Buffer.from(title)),
      ...BYTES.map(([bytes]) => Buffer.from(bytes, "latin1")),
    ]);
    expect(found).toEqual([...CASES, ...BYTES].map(([, expected]) => expected));
  });

  it("every character up to U+1FFFF as in Node", async () => {
    for (let from = 0x80; from < 0x20000; from += 0x1000) {
      const some = characters(from, from + 0x1000).map((each) => `a${each}b`);
      expect(await inLua(some.map((each) => Buffer.from(each))), from.toString(16)).toEqual(
        some.map((each) => inNode(toBytes(each)).map(fromBytes)),
      );
    }
  });
});

const SURROGATES = [0xd800, 0xdfff] as const;

function characters(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
    .filter((codePoint) => codePoint < SURROGATES[0] || codePoint > SURROGATES[1])
    .map((codePoint) => String.fromCodePoint(codePoint));
}

describe("Unicode", () => {
  const folded = (character: string): string => inNode(toBytes(character)).map(fromBytes).join(" ");
  /** Case and accents by Unicode itself. */
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .normalize("NFD")
      .replace(/[\u0300-\u036f]/gu, "")
      .toLowerCase();
  const isLetter = /^[\p{L}\p{N}]$/u;

  it.each([
    ["Latin", /\p{Script=Latin}/u, 0xc0, 0x24f],
    ["Latin, additional", /\p{Script=Latin}/u, 0x1e00, 0x1eff],
    ["Greek", /\p{Script=Greek}/u, 0x370, 0x3ff],
    ["Greek, extended", /\p{Script=Greek}/u, 0x1f00, 0x1fff],
    ["Cyrillic", /\p{Script=Cyrillic}/u, 0x400, 0x52f],
  ])("%s: a letter is what it is without case and accents, in whatever form it comes", (_, script, from, to) => {
    let letters = 0;
    for (const letter of characters(from, to + 1).filter((each) => script.test(each) && isLetter.test(each))) {
      letters += 1;
      const forms = [letter, letter.toLowerCase(), letter.normalize("NFD")].map(folded);
      expect(new Set(forms).size, `${letter}: ${forms.join(", ")}`).toBe(1);
      // Beyond Unicode: ligatures and strokes are taken apart, a final sigma is a sigma.
      const decomposed = plain(letter);
      if (/^[a-zα-ρσ-ωа-я]$/u.test(decomposed)) expect(forms[0], letter).toBe(decomposed);
    }
    expect(letters).toBeGreaterThan(70);
  });

  it("punctuation, symbols and spaces stand between words; letters, digits and marks do not", () => {
    const wrong: string[] = [];
    for (const character of characters(0x21, 0x20000)) {
      const parts = inNode(toBytes(`a${character}b`)).length;
      const codePoint = character.codePointAt(0)!.toString(16);
      if (/[\p{P}\p{S}\p{Z}]/u.test(character) && parts !== 2) wrong.push(`${codePoint} is in a word`);
      if (/[\p{L}\p{N}\p{M}]/u.test(character) && parts !== 1) wrong.push(`${codePoint} cuts a word`);
    }
    expect(wrong).toEqual([]);
  });
});
