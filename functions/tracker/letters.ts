/**
 * Letters as they are compared: without case and without accents; and what stands between words. Made from the Unicode
 * Character Database 15 (canonical decomposition, lower case, general category); `test/words.test.ts` compares them with the
 * database of Node, character by character. Code points are written in hexadecimal.
 */

/** Letters that become ASCII. */
export const TO_ASCII: readonly (readonly [to: string, from: string])[] = [
  ["a", "c0-c5 e0-e5 100-105 1cd-1ce 1de-1e1 1fa-1fb 200-203 226-227 1e00-1e01 1ea0-1eb7"],
  ["ae", "c6 e6 1e2-1e3 1fc-1fd"],
  ["b", "180 243 1e02-1e07"],
  ["c", "c7 e7 106-10d 1e08-1e09"],
  ["d", "d0 f0 10e-111 1e0a-1e13"],
  ["e", "c8-cb e8-eb 112-11b 204-207 228-229 1e14-1e1d 1eb8-1ec7"],
  ["f", "1e1e-1e1f"],
  ["g", "11c-123 1e6-1e7 1f4-1f5 1e20-1e21"],
  ["h", "124-127 21e-21f 1e22-1e2b 1e96"],
  ["i", "cc-cf ec-ef 128-131 1cf-1d0 208-20b 1e2c-1e2f 1ec8-1ecb"],
  ["ij", "132-133"],
  ["j", "134-135 1f0"],
  ["k", "136-138 1e8-1e9 1e30-1e35"],
  ["l", "139-142 1e36-1e3d"],
  ["m", "1e3e-1e43"],
  ["n", "d1 f1 143-14b 1f8-1f9 1e44-1e4b"],
  ["o", "d2-d6 d8 f2-f6 f8 14c-151 1a0-1a1 1d1-1d2 1ea-1ed 1fe-1ff 20c-20f 22a-231 1e4c-1e53 1ecc-1ee3"],
  ["oe", "152-153"],
  ["p", "1e54-1e57"],
  ["r", "154-159 210-213 1e58-1e5f"],
  ["s", "15a-161 17f 218-219 1e60-1e69 1e9b"],
  ["ss", "df 1e9e"],
  ["t", "162-167 21a-21b 1e6a-1e71 1e97"],
  ["th", "de fe"],
  ["u", "d9-dc f9-fc 168-173 1af-1b0 1d3-1dc 214-217 1e72-1e7b 1ee4-1ef1"],
  ["v", "1e7c-1e7f"],
  ["w", "174-175 1e80-1e89 1e98"],
  ["x", "1e8a-1e8d"],
  ["y", "dd fd ff 176-178 232-233 1e8e-1e8f 1e99 1ef2-1ef9"],
  ["z", "179-17e 1e90-1e95"],
];

/**
 * Letters that become another one. `a-b>t`: a becomes t, a + 1 becomes t + 1, and so on; `a-b/2>t`: every other one from a to
 * b, by the same distance; `a-b=t`: all of them become t.
 */
export const TO_LETTER: readonly string[] = [
  "181>253 182-184/2>183 186>254 187>188 189-18a>256 18b>18c 18e>1dd 18f>259 190>25b 191>192 193>260 194>263",
  "196>269 197>268 198>199 19c>26f 19d>272 19f>275 1a2-1a4/2>1a3 1a6>280 1a7>1a8 1a9>283 1ac>1ad 1ae>288",
  "1b1-1b2>28a 1b3-1b5/2>1b4 1b7>292 1b8>1b9 1bc>1bd 1c4-1c5=1c6 1c7-1c8=1c9 1ca-1cb=1cc 1e4>1e5 1ee-1ef=292",
  "1f1-1f2=1f3 1f6>195 1f7>1bf 21c>21d 220>19e 222-224/2>223 23a>2c65 23b>23c 23d>19a 23e>2c66 241>242 244>289",
  "245>28c 246-24e/2>247 370-372/2>371 374>2b9 376>377 37f>3f3 386>3b1 388>3b5 389>3b7 38a>3b9 38c>3bf 38e>3c5",
  "38f>3c9 390>3b9 391-3a1>3b1 3a3-3a9>3c3 3aa>3b9 3ab>3c5 3ac>3b1 3ad>3b5 3ae>3b7 3af>3b9 3b0>3c5 3c2>3c3",
  "3ca>3b9 3cb>3c5 3cc>3bf 3cd>3c5 3ce>3c9 3cf>3d7 3d3-3d4=3d2 3d8-3ee/2>3d9 3f4>3b8 3f7>3f8 3f9>3f2 3fa>3fb",
  "3fd-3ff>37b 400-401=435 402-40a/2>452 403>433 405>455 407>456 409-40b/2>459 40c>43a 40d>438 40e>443 40f>45f",
  "410-42e/2>430 411-417/2>431 419>438 41b-42f/2>43b 439>438 450-451=435 453>433 457>456 45c>43a 45d>438",
  "45e>443 460-474/2>461 476-477=475 478-480/2>479 48a-4be/2>48b 4c0>4cf 4c1-4c2=436 4c3-4cd/2>4c4 4d0-4d3=430",
  "4d4>4d5 4d6-4d7=435 4d8>4d9 4da-4db=4d9 4dc-4dd=436 4de-4df=437 4e0>4e1 4e2-4e5=438 4e6-4e7=43e 4e8>4e9",
  "4ea-4eb=4e9 4ec-4ed=44d 4ee-4f3=443 4f4-4f5=447 4f6>4f7 4f8-4f9=44b 4fa-52e/2>4fb 1efa-1efe/2>1efb",
  "1f00-1f0f=3b1 1f10-1f15=3b5 1f18-1f1d=3b5 1f20-1f2f=3b7 1f30-1f3f=3b9 1f40-1f45=3bf 1f48-1f4d=3bf",
  "1f50-1f57=3c5 1f59>3c5 1f5b>3c5 1f5d>3c5 1f5f>3c5 1f60-1f6f=3c9 1f70-1f71=3b1 1f72-1f76/2>3b5",
  "1f73-1f77/2>3b5 1f78-1f79=3bf 1f7a-1f7b=3c5 1f7c-1f7d=3c9 1f80-1f8f=3b1 1f90-1f9f=3b7 1fa0-1faf=3c9",
  "1fb0-1fb4=3b1 1fb6-1fbc=3b1 1fbe>3b9 1fc2-1fc4=3b7 1fc6-1fc7=3b7 1fc8-1fca/2>3b5 1fc9-1fcb/2>3b5 1fcc>3b7",
  "1fd0-1fd3=3b9 1fd6-1fdb=3b9 1fe0-1fe3=3c5 1fe4-1fe5=3c1 1fe6-1feb=3c5 1fec>3c1 1ff2-1ff4=3c9 1ff6-1ff7=3c9",
  "1ff8-1ff9=3bf 1ffa-1ffc=3c9",
  "ff10-ff19>30 ff21-ff3a>61 ff41-ff5a>61",
];

/** Accents that follow their letter, and signs without width inside words. */
export const DROPPED = "ad 300-36f 483-487 1ab0-1aff 1dc0-1dff 200c-200f 2060 20d0-20ff fe00-fe0f fe20-fe2f feff";

/** Punctuation, symbols and spaces above ASCII. What is assigned to nothing is counted to its neighbours. */
export const BETWEEN_WORDS: readonly string[] = [
  "80-a9 ab-ac ae-b1 b4 b6-b8 bb bf d7 f7 2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-2ff 375 37e 384-385 387 3f6 482",
  "55a-55f 589-58f 5be 5c0 5c3 5c6 5f3-60f 61b-61f 66a-66d 6d4 6de 6e9 6fd-6fe 700-70d 7f6-7f9 7fe-7ff 830-83e",
  "85e 888 964-965 970 9f2-9f3 9fa-9fb 9fd a76 af0-af1 b70 bf3-bfa c77 c7f c84 d4f d79 df4 e3f e4f e5a-e5b",
  "f01-f17 f1a-f1f f34 f36 f38 f3a-f3d f85 fbe-fc5 fc7-fda 104a-104f 109e-109f 10fb 1360-1368 1390-1399 1400",
  "166d-166e 1680 169b-169c 16eb-16ed 1735-1736 17d4-17d6 17d8-17db 1800-180a 1940-1945 19de-19ff 1a1e-1a1f",
  "1aa0-1aa6 1aa8-1aad 1b4e-1b4f 1b5a-1b6a 1b74-1b7f 1bfc-1bff 1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3 1fbd",
  "1fbf-1fc1 1fcd-1fcf 1fdd-1fdf 1fed-1fef 1ffd-200b 2010-205f 207a-207e 208a-208e 20a0-20c1 2100-2101",
  "2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127 2129 212e 213a-213b 2140-2144 214a-214d 214f",
  "218a-244a 249c-24e9 2500-2775 2794-2bff 2ce5-2cea 2cf9-2cfc 2cfe-2cff 2d70 2e00-2e2e 2e30-3004 3008-3020",
  "3030 3036-3037 303d-303f 309b-309c 30a0 30fb 3190-3191 3196-319f 31c0-31ef 3200-321e 322a-3247 3250",
  "3260-327f 328a-32b0 32c0-33ff 4dc0-4dff a490-a4c6 a4fe-a4ff a60d-a60f a673 a67e a6f2-a716 a720-a721",
  "a789-a78a a828-a82b a836-a839 a874-a877 a8ce-a8cf a8f8-a8fa a8fc a92e-a92f a95f a9c1-a9cd a9de-a9df",
  "aa5c-aa5f aa77-aa79 aade-aadf aaf0-aaf1 ab5b ab6a-ab6b abeb e000-f8ff fb29 fbb2-fbd2 fd3e-fd4f fd90-fd91",
  "fdc8-fdcf fdfc-fdff fe10-fe19 fe30-fe6b ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-fffd 10100-10102",
  "10137-1013f 10179-10189 1018c-101fc 1039f 103d0 1056f 10857 10877-10878 1091f 1093f 10a50-10a58 10a7f 10ac8",
  "10af0-10af6 10b39-10b3f 10b99-10b9c 10d6e 10d8e-10d8f 10ead 10ed0-10ed8 10f55-10f59 10f86-10f89 11047-1104d",
  "110bb-110c1 11140-11143 11174-11175 111c5-111c8 111cd 111db 111dd-111df 11238-1123d 112a9 113d4-113d8",
  "1144b-1144f 1145a-1145d 114c6 115c1-115d7 11641-11643 11660-1166c 116b9 1173c-1173f 1183b 11944-11946 119e2",
  "11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f",
  "11fd5-11fff 12470-12474 12ff1-12ff2 16a6e-16a6f 16af5 16b37-16b3f 16b44-16b45 16d6d-16d6f 16e97-16e9a 16fe2",
  "1bc9c 1bc9f-1ccef 1ccfa-1cef0 1cf50-1d164 1d16a-1d16c 1d183-1d184 1d18c-1d1a9 1d1ae-1d241 1d245 1d300-1d356",
  "1d6c1 1d6db 1d6fb 1d715 1d735 1d74f 1d76f 1d789 1d7a9 1d7c3 1d800-1d9ff 1da37-1da3a 1da6d-1da74 1da76-1da83",
  "1da85-1da8b 1e14f 1e2ff 1e5ff 1e95e-1e95f 1ecac 1ecb0 1ed2e 1eef0-1f0f5 1f10d-1fbef 1fbfa",
];
